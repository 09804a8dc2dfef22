"""Samples: order, fingerprint, labels, and data from Python."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.errors import BadInput
from evaluators.reading.reservoir import Reservoir
from evaluators.samples import Row, Samples, read_samples
from evaluators.units import ordered_units, units_of

PAIRS = st.lists(st.tuples(st.text("abc ", min_size=1), st.sampled_from("01")), max_size=30)


def samples(pairs: list[tuple[str, str]]) -> Samples:
    """Samples as a reader would build them."""
    return Samples("data", tuple(Row(t, lb) for t, lb in pairs), ("0", "1"), "text", "label")


def ordered(some: Samples, seed: int) -> Samples:
    """The rows in the one random order of a seed, each row a unit."""
    return ordered_units(some, units_of(some, "keep"), seed)[0]


def records(*pairs: tuple[object, object]) -> list[dict[str, object]]:
    """Pairs as a user's list of dicts."""
    return [{"text": text, "label": label} for text, label in pairs]


@given(PAIRS, st.randoms())
def test_order_does_not_depend_on_the_file(pairs, random):
    """Shuffling a file changes neither the random order of its rows nor the fingerprint."""
    shuffled = random.sample(pairs, len(pairs))
    assert ordered(samples(shuffled), 7).rows == ordered(samples(pairs), 7).rows
    assert samples(shuffled).fingerprint == samples(pairs).fingerprint


@given(PAIRS, st.lists(st.tuples(st.text("xyz", min_size=1), st.sampled_from("01")), max_size=9))
def test_grown_data_keeps_the_order_of_old_rows(old, new):
    """New texts are sorted in between; old rows keep their relative order."""
    grown = ordered(samples(old + new), 3).rows
    texts = {text for text, _ in old}
    assert [row for row in grown if row.text in texts] == list(ordered(samples(old), 3).rows)


@given(PAIRS, PAIRS, st.randoms())
def test_more_rows_keep_the_keys_of_old_rows(old, new, random):
    """Every row has its own key; more rows of a text, whatever their label, add further keys."""
    before, grown = samples(old).row_keys, samples(old + new).row_keys
    assert len(set(grown)) == len(old + new)
    assert set(before) <= set(grown)
    assert set(before) == set(samples(random.sample(old, len(old))).row_keys)


def test_a_corrected_label_changes_no_key():
    """The key of a text's first row is the text's; labels do not enter."""
    some = samples([("a", "0"), ("b", "1"), ("b", "1")])
    assert some.row_keys[:2] == (Row("a", "0").key, Row("b", "0").key)
    assert some.row_keys == samples([("a", "1"), ("b", "1"), ("b", "1")]).row_keys


def test_the_first_of_two_labels_is_no_matter_of_the_alphabet():
    """Of a text's repeats, now one label and now the other has the text's own key."""
    pairs = [(f"text {number}", label) for number in range(100) for label in "01"]
    first = [
        row.label
        for row, key in zip(samples(pairs).rows, samples(pairs).row_keys, strict=True)
        if key == row.key
    ]
    assert len(first) == 100
    assert 25 < first.count("0") < 75


def test_seeds_give_different_orders():
    """Another seed gives another order of the same rows."""
    some = samples([(f"text {number}", "0") for number in range(50)])
    assert ordered(some, 0).rows != ordered(some, 1).rows
    assert sorted(ordered(some, 0).rows, key=str) == sorted(some.rows, key=str)


def test_repeated_texts_are_spread():
    """Each occurrence of a text has its own place in the order."""
    some = ordered(samples([(f"text {number % 5}", "0") for number in range(50)]), 0)
    assert len({row.text for row in some.rows[:10]}) > 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("a", "0")], [("a", "1")]),
        ([("a", "0")], [("a", "0"), ("a", "0")]),
        ([("ab", "0"), ("c", "1")], [("a", "0"), ("bc", "1")]),
        ([("a", "01")], [("a0", "1")]),
    ],
    ids=["label", "repeat", "border of texts", "border of text and label"],
)
def test_fingerprints_tell_data_apart(one, other):
    """The fingerprint holds texts, labels and how often they occur."""
    assert samples(one).fingerprint != samples(other).fingerprint


def test_a_row_is_known_by_its_text():
    """The key is the SHA-256 of the text, whatever its label."""
    assert Row("abc", "1").key == "ba7816bf8f01cfea414140de5dae2223"
    assert Row("abc", "0").key == Row("abc", "1").key


@pytest.mark.parametrize(
    ("given_labels", "labels"),
    [
        ([1, 0], ("0", "1")),
        ([True, False], ("0", "1")),
        ([1.0, 0.0, "1", 0], ("0", "1")),
        (["1.0", "0"], ("0", "1")),
        ([10, 9, -1], ("-1", "9", "10")),
        (["spam", " ham "], ("ham", "spam")),
        (["01", "1", "x"], ("01", "1", "x")),
        ([0.5, 1.5], ("0.5", "1.5")),
        (["Spam", "spam"], ("Spam", "spam")),
    ],
    ids=["int", "bool", "mixed", "float text", "by value", "blanks", "zeros", "halves", "case"],
)
def test_labels_have_one_spelling(given_labels, labels):
    """Integers in any spelling are one label; all else stays as it is spelled."""
    data = records(*((f"text {at}", label) for at, label in enumerate(given_labels)))
    assert Samples.of(data).labels == labels


def test_changed_spellings_are_noted():
    """The notes say which labels were read as which."""
    notes = Samples.of(records(("a b c", 1.0), ("d", "1"), ("e", 0))).notes
    assert any("1.0 as '1'" in note for note in notes)


def test_two_spellings_of_a_number_among_names_are_refused():
    """1 and 1.0 beside a name could be one label or two: the user must say."""
    with pytest.raises(BadInput, match=r"'1', '1\.0' look like one label.*'unknown'"):
        Samples.of(records(("a", "1"), ("b", "1.0"), ("c", "unknown")))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "x"), ("b", None)], "index 1: 1 row has no label"),
        ([("a", "x"), (None, "y"), (float("nan"), "y")], "index 1, 2: 2 rows have no text"),
        ([(" ", "x")] * 9, "index 0, 1, 2, 3, 4, ...: 9 rows have no text"),
        ([("a", "x"), ("b", ["x", "y"])], "index 1: list where one text or label"),
        ([("a\0b", "x")], "index 0: a NUL"),
        ([("a\ud800", "x")], "lone surrogate"),
        ([("a", "x"), ("b", "x")], "all 2 rows have the label 'x'"),
        ([], "data is empty"),
    ],
    ids=["label", "text", "many", "list", "nul", "surrogate", "one class", "empty"],
)
def test_unusable_rows_are_refused(pairs, message):
    """The error names the rows by index."""
    with pytest.raises(BadInput, match=message.replace(".", r"\.")):
        Samples.of(records(*pairs), text="text", label="label")


def test_doubtful_data_is_noted():
    """Repeated texts are counted in the notes, and texts with two labels with what they imply."""
    notes = Samples.of(records(("a", 0), ("a", 1), ("b", 0), ("b", 0))).notes
    assert "repeated texts: 4 rows, 2 distinct texts" in notes
    assert any(note.startswith("contradictions: 1 text carries two") for note in notes)
    assert any(note.endswith("an accuracy above 0.750 on these rows") for note in notes)


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("\x1b[31mneg", r"'\x1b[31mneg'"),
        ("pos\u200b", r"'pos\u200b'"),
        ("\U0001f469\u200d\U0001f4bb", None),
    ],
    ids=["escape", "no width", "emoji"],
)
def test_labels_with_hidden_characters_are_noted(label, shown):
    """They would look like another label, or like nothing; the joiners of emoji are no matter."""
    notes = Samples.of(records(("a", "pos"), ("b", label), ("c", "pos"), ("d", label))).notes
    start = "labels: this label holds control characters that are not seen: "
    assert [n.removeprefix(start) for n in notes if "control" in n] == ([shown] if shown else [])


def test_labels_of_thousands_of_digits_are_names():
    """No number is made of them, which Python refuses."""
    long = "1" * 5_000
    assert Samples.of(records(("a", long), ("b", "2"))).labels == (long, "2")
    with pytest.raises(BadInput, match="index 0: a whole number of thousands of digits"):
        Samples.of(records(("a", 10**5_000), ("b", 2)))


def test_pandas_missing_values_are_missing():
    """What pandas calls missing is refused, whatever its type."""
    frame = pd.DataFrame({"text": ["a", "b", "NA"], "label": ["x", None, "y"]})
    with pytest.raises(BadInput, match="index 1: 1 row has no label"):
        Samples.of(frame)


def test_pandas_frames_are_read():
    """A DataFrame gives its rows; the text "NA" stays a text."""
    frame = pd.DataFrame({"text": ["NA", "None", "nan"], "label": [1, 0, 1]})
    assert Samples.of(frame).rows == (Row("NA", "1"), Row("None", "0"), Row("nan", "1"))


@pytest.mark.parametrize(
    "data", [{"text": ["a"]}, "a,b", 7, [("a", "x")]], ids=["dict", "text", "number", "tuples"]
)
def test_other_python_data_is_refused(data):
    """The error says what was given and what is allowed."""
    with pytest.raises(BadInput, match=r"data.*(list of dicts|an object is expected)"):
        Samples.of(data)


def test_drawn_rows_are_a_seeded_part(tmp_path):
    """`max_rows` draws the same rows for the same seed, in the file's order, and says so."""
    path = tmp_path / "big.csv"
    path.write_text("text,label\n" + "".join(f"text {n:04},{n % 2}\n" for n in range(2_000)))
    some = read_samples(path, max_rows=100, seed=5)
    assert some.n == 100
    assert list(some.rows) == sorted(some.rows, key=lambda row: row.text)
    assert some.rows == read_samples(path, max_rows=100, seed=5).rows
    assert some.rows != read_samples(path, max_rows=100, seed=6).rows
    assert "rows: 100 of 2,000, drawn at random with seed 5" in some.notes


def test_every_item_is_as_likely_to_be_drawn():
    """Over many seeds, the first and the last items of a stream are drawn equally often."""
    counts = Counter()
    for seed in range(300):
        drawn = Reservoir(5, seed)
        for item in range(10):
            drawn.add(item)
        counts.update(drawn)
    assert all(115 < counts[item] < 185 for item in range(10))  # 150, standard deviation 8.7


def test_local_files_are_read_without_heavy_libraries(tmp_path):
    """Reading a csv file imports none of datasets, pandas, pyarrow, numpy, torch."""
    path = tmp_path / "some.csv"
    path.write_text("text,label\ngood,1\nbad,0\n")
    code = (
        "import sys; from evaluators.samples import read_samples; read_samples(sys.argv[1]);"
        "print({'datasets', 'pandas', 'pyarrow', 'numpy', 'torch'} & set(sys.modules))"
    )
    run = [sys.executable, "-c", code, str(path)]
    root = Path(__file__).parents[2]
    found = subprocess.run(run, capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout.strip() == "set()"
