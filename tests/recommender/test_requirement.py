"""Requirements: one syntax, and one clear line for anything else."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.errors import BadInput, NotFound
from recommender.query import known_metrics
from recommender.requirement import Requirement

METRICS = ("accuracy", "f1", "f1_macro", "precision", "recall")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("accuracy >= 0.90", "accuracy >= 0.9"),
        ("accuracy>=90%", "accuracy >= 0.9"),
        (" f1 >= 0.97 * baseline ", "f1 >= 0.97 * baseline"),
        ("f1 >= baseline * 0.97", "f1 >= 0.97 * baseline"),
        ("latency_p95_ms <= 20", "latency_p95_ms <= 20"),
        ("size_mb<=.5", "size_mb <= 0.5"),
        ("license in apache-2.0, MIT", "license in apache-2.0,mit"),
        ("accuracy >= 97.3%", "accuracy >= 0.973"),
        ("recall[urgent]>=.95", "recall[urgent] >= 0.95"),
        ("f1 [ very urgent ] >= .8", "f1[very urgent] >= 0.8"),
        ("precision['urgent'] >= 0.9", "precision[urgent] >= 0.9"),
        ("recall[don't know (yet)] >= 0.9", "recall[don't know (yet)] >= 0.9"),
        ('recall["a]b=c"] >= 0.9', 'recall["a]b=c"] >= 0.9'),
        ("""recall['a "b", c'] >= 0.9""", 'recall["a ""b"", c"] >= 0.9'),
        ("accuracy[lang=de] >= 0.85", "accuracy[lang=de] >= 0.85"),
        ("accuracy[my lang = 'x=y'] >= 0.85", 'accuracy[my lang="x=y"] >= 0.85'),
        ("recall[lang=de, urgent] >= 85%", "recall[urgent, lang=de] >= 0.85"),
        ("accuracy >= baseline - 0.02", "accuracy >= baseline - 0.02"),
        ("accuracy>=baseline-2%", "accuracy >= baseline - 0.02"),
        ("accuracy within 0.02 of baseline", "accuracy >= baseline - 0.02"),
        ("recall[within] within 2% of baseline", "recall[within] >= baseline - 0.02"),
        ("f1[urgent] >= baseline * 97%", "f1[urgent] >= 0.97 * baseline"),
    ],
)
def test_parse_reads_every_form_into_one_text(text: str, canonical: str) -> None:
    """Whatever the spacing, a requirement has one text, which parses to itself."""
    requirement = Requirement.parse(text, metrics=METRICS)
    assert str(requirement) == canonical
    assert Requirement.parse(canonical, metrics=METRICS) == requirement


def test_brackets_give_a_class_and_a_slice() -> None:
    """The label and the slice are fields; `subject` is the measure with both."""
    found = Requirement.parse("recall[lang=de, urgent] within 2% of baseline", metrics=METRICS)
    assert (found.measure, found.label, found.slice) == ("recall", "urgent", ("lang", "de"))
    assert (found.relation, found.relative, found.bound) == (">=", "minus", 0.02)
    assert found.subject == "recall[urgent, lang=de]"
    plain = Requirement.parse("accuracy >= 0.9")
    assert (plain.subject, plain.label, plain.slice, plain.relative) == ("accuracy", None, None, "")


NAMES = st.text(min_size=1, max_size=12) | st.text("a ]=,[\"'\\\n\t%>.9", min_size=1, max_size=8)
RELATIVE = st.sampled_from(["", "times", "minus"])


@given(
    bound=st.floats(0, 1, exclude_min=True),
    relative=RELATIVE,
    label=st.none() | NAMES,
    rows=st.none() | st.tuples(NAMES, NAMES),
)
def test_every_requirement_has_a_text_that_is_read_back(bound, relative, label, rows) -> None:
    """Whatever the label, the column and the digits are, the text gives the same requirement."""
    made = Requirement("recall", ">=", bound, relative, label, rows)
    assert Requirement.parse(str(made), metrics=METRICS) == made


@given(text=st.text("aceruy[]=,\"' >.09*-%", max_size=25), start=st.sampled_from(["", "recall["]))
def test_every_text_is_read_or_refused_in_one_line(text, start) -> None:
    """No text breaks the parser: it is read, or refused with one line."""
    try:
        found = Requirement.parse(start + text)
    except BadInput as refused:
        message = str(refused)
    else:
        message = "read"
        assert Requirement.parse(str(found)) == found
    assert message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("accuracy=0.9", "write 'accuracy >= 0.9'"),
        ("accuracy > 0.9", "write 'accuracy >= 0.9'"),
        ("size_mb < 50", "write 'size_mb <= 50'"),
        ("accuracy", "write for example"),
        ("", "write for example"),
        ("accuracy >= 90", "write 'accuracy >= 0.9'"),
        ("accuracy <= 0.9", "write 'accuracy >= ...'"),
        ("size_mb >= 5", "write 'size_mb <= ...'"),
        ("size_mb <= 0.5 * baseline", "only quality can be relative"),
        ("size_mb <= baseline - 5", "only quality can be relative"),
        ("size_mb within 5 of baseline", "only quality can be relative"),
        ("size_mb[urgent] <= 50", "takes no brackets; write 'size_mb <= 50'"),
        ("size_mb[lang=de] <= 50", "takes no brackets; write 'size_mb <= 50'"),
        ("recall(urgent) >= 0.9", "write 'recall[urgent] >= 0.9'"),
        ("Recall{Urgent} > 0.9", "write 'recall[Urgent] >= 0.9'"),
        ("recall[class 1] > 90", "write 'recall[class 1] >= 0.9'"),
        ("recall[urgent >= 0.9", "write 'recall[urgent] >= 0.9'"),
        ("recall[] >= 0.9", "write 'recall[LABEL] >= 0.9'"),
        ("recall[lang=] >= 0.9", "write 'recall[lang=VALUE] >= 0.9'"),
        ("recall[a]b] >= 0.9", "write 'recall[\"a]b\"] >= 0.9'"),
        ("recall[York, NY] >= 0.9", "write 'recall[\"York, NY\"] >= 0.9'"),
        ("recall[a=b=c] >= 0.9", "write 'recall[a=\"b=c\"] >= 0.9'"),
        ("recall[a=b, c=d] >= 0.9", "write 'recall[a=b] >= 0.9'"),
        (
            "accuracy[urgent] >= 0.9",
            "write 'recall[urgent] >= 0.9', or for the rows of a slice "
            "'accuracy[COLUMN=urgent] >= 0.9'",
        ),
        ("f1_macro[urgent] >= 0.9", "write 'f1[urgent] >= 0.9'"),
        ("recall[urgent] <= 0.9", "write 'recall[urgent] >= ...'"),
        ("accuracy >= baseline", "write 'accuracy >= baseline - 0.02'"),
        ("accuracy >= baseline + 0.02", "write 'accuracy >= baseline - 0.02'"),
        ("accuracy > baseline * 0.97", "write 'accuracy >= 0.97 * baseline'"),
        ("accuracy 2 points below baseline", "write 'accuracy >= baseline - 0.02'"),
        ("accuracy within 0.02", "write 'accuracy >= baseline - 0.02'"),
        ("accuracy >= baseline - 2", "write 'accuracy >= baseline - 0.02'"),
        ("accuracy >= 97 * baseline", "write 'accuracy >= 0.97 * baseline'"),
        ("accuracy >= 0 * baseline", "write for example 'accuracy >= 0.97 * baseline'"),
        ("size_mb <= 1e999", "too large a number"),
        ("peak_mb <= 10GB", "write 'peak_memory_mb <= 10000'"),
        ("size < 1.5 GB", "write 'size_mb <= 1500'"),
        ("size_mb <= 50MB", "write 'size_mb <= 50'"),
        ("size_mb <= 2,000", "write 'size_mb <= 2000'"),
        ("size_mb <= 1,5", "write 'size_mb <= 1.5'"),
        ("size_mb <= 50%", "write for example"),
        ("size_mb <= -5", "size_mb is never below 0"),
        ("latency <= 0.02s", "write 'latency_p95_ms <= 20'"),
        ("n_parameters <= 66M", "write 'n_parameters <= 66000000'"),
        ("accuracy >= 0,8", "write 'accuracy >= 0.8'"),
        ("accuracy >= 97,3 %", "write 'accuracy >= 0.973'"),
        ("accuracy at least 90 percent", "write 'accuracy >= 0.9'"),
        ("accuracy >= 1.2", "accuracy lies between 0 and 1; write for example 'accuracy >= 0.9'"),
        ("accuracy >= -1", "accuracy lies between 0 and 1; write for example 'accuracy >= 0.9'"),
        ("accuracy > 1.2", 'write for example "accuracy'),
        ("accuracy > 1", 'write for example "accuracy'),
        ("accuracy >= 0.8.5", 'write for example "accuracy'),
        ("accuracy > 0.9 * base", 'write for example "accuracy'),
        ("accuracy >= 0.9 and f1 >= 0.8", 'write for example "accuracy'),
        ("accuracy[urgent] >= 90", "write 'recall[urgent] >= 0.9'"),
        ("bleu > 30", 'write for example "accuracy'),
        ("licence in mit", "write for example 'license in mit, apache-2.0'"),
        ("license in ,", "write 'license in mit, apache-2.0'"),
        ("license >= 3", "write 'license in mit, apache-2.0'"),
    ],
)
def test_parse_answers_a_wrong_form_with_the_right_one(text: str, hint: str) -> None:
    """A text that is no requirement is refused with the form that was probably meant."""
    with pytest.raises(BadInput, match="'"):
        Requirement.parse(text, metrics=METRICS)
    with pytest.raises(BadInput) as refused:
        Requirement.parse(text, metrics=METRICS)
    assert hint in str(refused.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("wer < 15", "write 'wer <= 0.15'"),
        ("wer >= 0.8", "write 'wer <= 0.1'"),
        ("wer[x] <= 0.2", "write 'wer[COLUMN=x] <= 0.2' for the rows"),
        ("perplexity < 20", "write 'perplexity <= 20'"),
        ("perplexity >= 20", "write 'perplexity <= 20'"),
        ("ndcg@10 > 0.5", "write 'ndcg@10 >= 0.5'"),
        ("top5 > 90", "write 'accuracy@5 >= 0.9'"),
    ],
)
def test_metrics_of_other_tasks_are_corrected_in_their_sense(text: str, hint: str) -> None:
    """An error is bounded from above, and keeps its number where it is no share."""
    with pytest.raises(BadInput) as refused:
        Requirement.parse(text, metrics=known_metrics())
    assert hint in str(refused.value)


MEASURES = ("accuracy", "f1", "recall[a]", "wer", "size_mb", "latency", "peak_mb", "perplexity")
SIGNS = (">=", "<=", ">", "<", "=", "->", "at least", "within", ">= baseline -", ">= baseline *")
NUMBERS = ("0,8", "1.2", "-1", "90", "2,000", "1e3", "0", "1", "0.8.5", "97 %", "5e-324")
AFTER = ("", "%", " GB", "ms", " * baseline", " of baseline", " points", " and f1 >= 0.8")


@given(*map(st.sampled_from, (MEASURES, SIGNS, NUMBERS, AFTER)))
def test_a_correction_can_be_asked(measure: str, sign: str, number: str, after: str) -> None:
    """Whatever form is suggested is none that is refused in turn."""
    try:
        Requirement.parse(f"{measure} {sign} {number}{after}", metrics=known_metrics())
    except (BadInput, NotFound) as refused:
        form = re.search(r"write (?:for example )?'([^'.]*(?:\.\d[^'.]*)?)'", str(refused))
        suggested = form[1] if form else "accuracy >= 0.9"
        assert Requirement.parse(suggested, metrics=known_metrics()).bound > 0


def test_parse_names_the_nearest_measure() -> None:
    """An unknown measure is answered with the nearest known one."""
    with pytest.raises(NotFound, match="Did you mean 'accuracy'"):
        Requirement.parse("acuracy >= 0.9", metrics=METRICS)
    with pytest.raises(NotFound, match="Did you mean 'recall'"):
        Requirement.parse("recal[urgent] >= 0.9", metrics=METRICS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "recall[Urgnt] >= 0.9",
            "no label 'Urgnt'; it has 'other', 'urgent'. Did you mean 'urgent'",
        ),
        (
            "accuracy[lang=DE] >= 0.9",
            "'lang' has no value 'DE'; it has 'de', 'en'. Did you mean 'de'",
        ),
        ("accuracy[land=de] >= 0.9", "without a column 'land'; it has 'lang'. Did you mean 'lang'"),
        ("recall[xyz] >= 0.9", "no label 'xyz'; it has 'other', 'urgent'."),
    ],
    ids=["label", "value", "column", "nothing near"],
)
def test_check_data_names_the_nearest_class_or_slice(text: str, message: str) -> None:
    """What the data lacks is answered with the nearest name and the list, in one line."""
    with pytest.raises(NotFound) as refused:
        Requirement.parse(text).check_data(("other", "urgent"), {"lang": ("de", "en")})
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"'{text}'")


@pytest.mark.parametrize(
    "text", ["accuracy >= 0.9", "recall[urgent, lang=de] >= 0.9", "size_mb <= 5", "license in mit"]
)
def test_check_data_accepts_what_the_data_has(text: str) -> None:
    """A requirement without brackets, or with a class and a slice that exist, passes."""
    Requirement.parse(text).check_data(("other", "urgent"), {"lang": ("de", "en")})


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_missing_measurement_is_never_sufficient(value: float | None) -> None:
    """What was not measured violates every bound, from below and from above."""
    assert Requirement.parse("accuracy >= 0").violation(value) == math.inf
    assert Requirement.parse("size_mb <= 1e9").violation(value) == math.inf


@given(value=st.floats(0, 1), bound=st.floats(0.001, 1).map(lambda x: round(x, 3)))
def test_violation_is_at_most_zero_exactly_where_the_bound_is_met(
    value: float, bound: float
) -> None:
    """The sign of the violation is the verdict."""
    requirement = Requirement("accuracy", ">=", bound)
    assert (requirement.violation(value) <= 0) == (value >= bound)


def test_a_relative_bound_follows_the_baseline() -> None:
    """`0.97 * baseline` is 97 % of what the baseline reached."""
    requirement = Requirement.parse("f1 >= 0.97 * baseline")
    assert requirement.target(0.8) == pytest.approx(0.776)
    with pytest.raises(BadInput, match="--baseline"):
        requirement.target(None)
    margin = Requirement.parse("accuracy within 0.02 of baseline")
    assert margin.target(0.9) == pytest.approx(0.88)
    assert margin.violation(0.89, baseline=0.9) == pytest.approx(-0.01)
    assert (margin.of_baseline, Requirement.parse("f1 >= 0.9").of_baseline) == (True, False)


def test_an_unknown_license_is_never_allowed() -> None:
    """A model that names no licence does not meet a licence requirement."""
    requirement = Requirement.parse("license in mit")
    assert requirement.allows_license("MIT")
    assert not requirement.allows_license(None)
