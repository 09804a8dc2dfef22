"""Each task's metrics against the libraries that define them, on answers in their string form."""

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from evaluators.quality import metrics, reference
from evaluators.quality.forms import AllRows, BoundedMean, Sums
from evaluators.quality.measures import measure_for
from evaluators.quality.specs import METRICS
from evaluators.quality.tasks import TASK_METRICS, metric_for, registered_names

LABELS = ("anger", "fear", "joy")
FEWER = settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))
FEW = settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate))


def as_text(value):
    """The canonical JSON of a value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def failing(answers):
    """Answers that may also be missing, in either way."""
    return st.one_of(answers, st.sampled_from([None, ""]))


def rows(answers, truths, n=12):
    """Some rows: answers that may fail, and truths."""
    pair = st.tuples(failing(answers.map(as_text)), truths.map(as_text))
    return st.lists(pair, min_size=2, max_size=n).map(lambda pairs: tuple(zip(*pairs, strict=True)))


TAGS = st.sampled_from(["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
TAGGED = st.integers(1, 8).flatmap(
    lambda n: st.tuples(*[st.lists(TAGS, min_size=n, max_size=n)] * 2)
)
SETS = st.lists(st.sampled_from([*LABELS, "unknown"]), unique=True).map(sorted)
TRUE_SETS = st.lists(st.sampled_from(LABELS), unique=True).map(sorted)
SCORES = st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.9]), min_size=3, max_size=3).map(
    lambda scores: sorted(zip(LABELS, scores, strict=True), key=lambda pair: -pair[1])
)
WORDS = st.lists(
    st.sampled_from(["a", "the", "cat", "sat", "mat,", "Sat.", "dog's", "übel", "42"]), max_size=9
).map(" ".join)
TEXTS = st.lists(WORDS.filter(lambda text: any("a" <= sign <= "z" for sign in text)), min_size=1,
                 max_size=3)  # fmt: skip
GRADES = st.lists(st.sampled_from([0, 0, 1, 2]), min_size=2, max_size=6)
RANKED = GRADES.flatmap(
    lambda grades: st.tuples(
        st.lists(st.sampled_from([-1.5, 0, 0.5, 2]), min_size=len(grades), max_size=len(grades)),
        st.just(grades),
    )
)
FOUND = st.permutations(["d1", "d2", "d3", "d4"]).flatmap(
    lambda order: st.integers(0, 4).map(lambda n: order[:n])
)
JUDGED = st.dictionaries(st.sampled_from(["d1", "d2", "d9"]), st.sampled_from([0, 1, 3]),
                         min_size=1)  # fmt: skip
NUMBERS = st.sampled_from(["0", "1.5", "2", "2.5", "4", "-1e2"])


def paired(pairs):
    """Rows whose answer and truth hang together, some of them failed."""
    one = st.tuples(pairs, st.booleans()).map(
        lambda p: (None if p[1] else as_text(p[0][0]), as_text(p[0][1]))
    )
    return st.lists(one, min_size=2, max_size=10).map(lambda r: tuple(zip(*r, strict=True)))


def raw(answers, truths):
    """Rows that are no JSON."""
    return st.lists(st.tuples(failing(answers), truths), min_size=3, max_size=12).map(
        lambda pairs: tuple(zip(*pairs, strict=True))
    )


BOX = st.tuples(*[st.sampled_from([0, 10, 20, 32])] * 2, *[st.sampled_from([8, 11, 20])] * 2).map(
    lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]
)
OBJECT = {"box": BOX, "label": st.sampled_from(["cat", "dog"])}
OBJECTS = st.lists(st.fixed_dictionaries(OBJECT), max_size=4)
SEEN = st.lists(
    st.fixed_dictionaries({**OBJECT, "score": st.sampled_from([0.2, 0.5, 0.7, 0.9])}), max_size=5
)

MULTI, TOKENS, SIMILAR = "text-classification", "token-classification", "sentence-similarity"
CASES = [
    *[(MULTI, name, rows(SETS, TRUE_SETS), True) for name in TASK_METRICS[f"{MULTI} multi-label"]
      if name != "roc_auc"],
    (MULTI, "roc_auc", rows(SCORES, TRUE_SETS), True),
    (MULTI, "roc_auc", raw(SCORES.map(as_text), st.sampled_from(LABELS)), False),
    *[(TOKENS, name, paired(TAGGED), False) for name in TASK_METRICS[TOKENS]],
    *[(SIMILAR, name, raw(NUMBERS, NUMBERS), False) for name in ("spearman", "pearson")],
    ("text-ranking", "ndcg@3", paired(RANKED), False),
    ("feature-extraction", "ndcg@10", rows(FOUND, JUDGED), False),
    *[("summarization", name, rows(WORDS, TEXTS), False) for name in TASK_METRICS["summarization"]],
    *[("translation", name, rows(WORDS, TEXTS), False) for name in TASK_METRICS["translation"]],
    *[("automatic-speech-recognition", name, rows(WORDS, WORDS), False) for name in ("wer", "cer")],
    *[("object-detection", name, rows(SEEN, OBJECTS, 5), False) for name in ("map", "map@50")],
]  # fmt: skip
"""Task, metric, rows, and whether rows have several labels: all that a library computes."""


@cache
def judge(registered):
    """The evaluate.Metric of a registered name."""
    every = {**vars(metrics), **vars(reference)}
    return next(
        found for found in (c(keep_in_memory=True) for c in every.values() if is_metric(c))
        if found.name == registered
    )  # fmt: skip


def is_metric(value):
    return isinstance(value, type) and issubclass(value, metrics.StringMetric)


@pytest.mark.parametrize(
    ("task", "name", "cases", "several"), CASES, ids=[f"{c[0]}-{c[1]}-{c[3]}" for c in CASES]
)
@given(data=st.data())
@FEW
def test_values_equal_the_library(task, name, cases, several, data):
    """The row values and sums give what the library gives, also where answers fail."""
    answers, truths = data.draw(cases)
    spec = metric_for(task, name, multi_label=several)
    told = [answer or "" for answer in answers]
    library = judge(spec.registered or name)._compute(told, truths, labels=LABELS, k=spec.k or 0)
    found = measure_for(task, name, labels=LABELS, multi_label=several).value(answers, truths)
    assert found == pytest.approx(next(iter(library.values())), abs=1e-9)


@pytest.mark.parametrize(
    ("task", "name", "cases", "several"), CASES, ids=[f"{c[0]}-{c[1]}-{c[3]}" for c in CASES]
)
@given(data=st.data())
@FEWER
def test_leaving_rows_out_equals_computing_without_them(task, name, cases, several, data):
    """What a jackknife needs of sums and of functions of all rows is the value of the rest."""
    measure = measure_for(task, name, labels=LABELS, multi_label=several)
    answers, truths = data.draw(cases)
    if isinstance(measure, BoundedMean):
        return
    if task == SIMILAR:  # what stands for a failed row depends on the other rows
        answers = [answer or "1" for answer in answers]
    groups = [at // 2 for at in range(len(truths))]
    for group, found in enumerate(left_out(measure, answers, truths, groups)):
        kept = [at for at, its in enumerate(groups) if its != group]
        if kept:
            rest = measure.value([answers[at] for at in kept], [truths[at] for at in kept])
            assert found == pytest.approx(rest, abs=1e-9)


def left_out(measure, answers, truths, groups):
    if isinstance(measure, AllRows):
        return measure.leave_out(answers, truths, groups)
    assert isinstance(measure, Sums)
    each = measure.statistics(answers, truths)
    parts = [each[np.array(groups) == group].sum(axis=0) for group in range(max(groups) + 1)]
    return measure.formula(each.sum(axis=0) - np.array(parts))


@pytest.mark.parametrize(
    ("task", "name", "cases", "several"), CASES, ids=[f"{c[0]}-{c[1]}-{c[3]}" for c in CASES]
)
@given(data=st.data())
@FEWER
def test_rows_stay_within_their_declared_bounds(task, name, cases, several, data):
    """Row values lie in [0, 1], gains and costs between their corners; a failure is the worst."""
    measure = measure_for(task, name, labels=LABELS, multi_label=several)
    answers, truths = data.draw(cases)
    if isinstance(measure, BoundedMean):
        values = measure.row_values(answers, truths)
        assert values.shape == (len(truths),)
        assert ((values >= 0) & (values <= 1)).all()
        assert (measure.row_values([None] * len(truths), truths) == 0).all()
    elif isinstance(measure, Sums) and measure.exact:
        gain, cost = measure.exact.parts(measure.statistics(answers, truths))
        _, (_, most_wrong), (most, _) = measure.exact.corners
        assert (gain / most + (cost - gain) / most_wrong <= 1 + 1e-9).all()


@pytest.mark.parametrize("registered", sorted(registered_names() - set(METRICS)))
def test_every_registered_name_is_a_metric(registered):
    """Each name of the plan's table is that of an evaluate.Metric, whose result has that key."""
    assert judge(registered).name == registered
    assert judge(registered)._info().features["predictions"].dtype == "string"


def test_perplexity_is_exp_of_the_mean_surprise():
    """Tokens of all rows count alike; bytes make models with other tokenizers comparable."""
    answers = [as_text([-6.0, 3, 10]), as_text([-2.0, 1, 6])]
    found = [measure_for("text-generation", name) for name in ("perplexity", "bits_per_byte")]
    assert found[0].value(answers, ["", ""]) == pytest.approx(np.exp(2.0), abs=1e-9)
    assert found[1].value(answers, ["", ""]) == pytest.approx(0.5 / np.log(2), abs=1e-9)
    assert [one.value([*answers, None], [""] * 3) for one in found] == [np.inf, np.inf]
