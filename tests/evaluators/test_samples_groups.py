"""Groups and slices: further columns by name, streamed, guessed around, and in the fingerprint."""

from dataclasses import replace

import datasets
import pandas as pd
import pytest

from cache.errors import BadInput, NotFound
from cache.ledgers import text_of
from evaluators.samples import Row, Samples, read_samples
from evaluators.units import ordered_units, units_of

FILE = (
    "text,label,lang,patient\n"
    "good film,pos,en,7\nbad film,neg,en,7\nguter Film,pos,de,8\nmauvais film,neg,,9\n"
)
PLAIN = "".join(",".join(line.split(",")[:2]) + "\n" for line in FILE.splitlines())


@pytest.fixture
def path(tmp_path):
    """A csv file with a language and a patient for each text."""
    path = tmp_path / "some.csv"
    path.write_text(FILE)
    return path


def test_group_and_slices_are_read_by_name(path):
    """Each row has its group and its slices; a slice may lack a value."""
    found = read_samples(path, group="patient", slices=["lang", "lang"])
    assert found.rows[0] == Row("good film", "pos", "7", (("lang", "en"),))
    assert [row.group for row in found.rows] == ["7", "7", "8", "9"]
    assert [dict(row.slices).get("lang") for row in found.rows] == ["en", "en", "de", None]
    assert (found.group_column, found.slice_columns) == ("patient", ("lang",))
    assert found.slice_values == {"lang": ("de", "en")}


def test_python_data_gives_the_same_as_a_file(path):
    """The columns of a DataFrame are read as those of the file are."""
    frame = pd.read_csv(path)
    assert Samples.of(frame, group="patient", slices=("lang",)).rows == (
        read_samples(path, group="patient", slices=("lang",)).rows
    )


@pytest.mark.parametrize(
    ("value", "name"),
    [(3.0, "3"), (3, "3"), ("3.0", "3.0"), (0.5, "0.5"), (" de ", "de"), (True, "True"),
     (pd.Timestamp("2024-05-01").date(), "2024-05-01")],
)  # fmt: skip
def test_values_have_plain_names(value, name):
    """A number, a blank or a date beside it does not change how a slice is asked for."""
    data = [{"text": "a b", "label": "x", "s": value}, {"text": "c", "label": "y", "s": value}]
    assert Samples.of(data, text="text", label="label", slices=["s"]).slice_values == {"s": (name,)}


def test_class_names_are_used_for_slices():
    """A slice over a ClassLabel column is asked for by name."""
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.Value("string"),
         "lang": datasets.ClassLabel(names=["de", "en"])}
    )  # fmt: skip
    columns = {"text": ["a", "b"], "label": ["x", "y"], "lang": [1, 0]}
    data = datasets.Dataset.from_dict(columns, features=features)
    assert Samples.of(data, slices=["lang"]).slice_values == {"lang": ("de", "en")}


def test_a_row_without_a_group_is_refused(path):
    """Every row belongs to a group; the error names the lines and the column."""
    with pytest.raises(BadInput, match=r"line 5: 1 row has no value of 'lang', the group\. Fill"):
        read_samples(path, group="lang")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"group": "patients"}, r"no column 'patients'; it has 'text', .*--group 'patient'\?"),
        ({"slices": ["language"]}, r"no column 'language'; it has .*the slice 'lang'\?"),
    ],
)
def test_unknown_columns_are_answered_with_the_nearest(path, asked, message):
    """One line with all columns, and the one that was probably meant."""
    with pytest.raises(NotFound, match=message) as refused:
        read_samples(path, **asked)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"group": "label"}, "'label' is the label, and no group"),
        ({"slices": ["label"]}, r"write recall\[LABEL\]"),
        ({"group": "text", "text": "text"}, "'text' is the text, and no group"),
    ],
)
def test_text_and_label_have_no_second_role(path, asked, message):
    """Grouping by the label, or slicing by it, is another question."""
    with pytest.raises(BadInput, match=message):
        read_samples(path, **asked)


def test_named_columns_are_no_guess(tmp_path):
    """A column with a role helps to guess the others: what is left is the label."""
    path = tmp_path / "a.csv"
    path.write_text("words,kind,lang\n" + "a long long text,x,de\nand another one,y,en\n" * 3)
    assert read_samples(path, slices=["lang"]).label_column == "kind"
    path.write_text("text,topic,sentiment\n" + "one text,x,pos\nand another,y,neg\n" * 3)
    assert read_samples(path, group="topic").label_column == "sentiment"
    with pytest.raises(BadInput, match="cannot tell which column"):
        read_samples(path)


def test_lists_are_no_groups():
    """A value that is no name is refused with its place and column."""
    data = [{"text": "a b", "label": "x", "g": [1]}, {"text": "c", "label": "y", "g": [2]}]
    with pytest.raises(BadInput, match="index 0, column 'g': list"):
        Samples.of(data, text="text", label="label", group="g")


def test_the_fingerprint_holds_groups_and_slices(path, tmp_path):
    """They change it when they are read; rows without them have the fingerprint they had."""
    plain = tmp_path / "plain.csv"
    plain.write_text(PLAIN)
    some = read_samples(path, group="patient", slices=["lang"])
    assert read_samples(path).fingerprint == read_samples(plain).fingerprint
    assert read_samples(path).fingerprint.startswith("cecd7c0d0fe59cfb")
    regrouped = replace(some, rows=(replace(some.rows[0], group="8"), *some.rows[1:]))
    resliced = replace(some, rows=(replace(some.rows[0], slices=()), *some.rows[1:]))
    prints = {s.fingerprint for s in (read_samples(path), some, regrouped, resliced)}
    assert len(prints) == 4


def test_keys_and_order_do_not_depend_on_what_is_asked(path):
    """A slice that is asked for later moves no row."""
    plain = read_samples(path)
    texts = [row.text for row in ordered_units(plain, units_of(plain), 1)[0].rows]
    asked = read_samples(path, group="patient", slices=["lang"])
    again, _ = ordered_units(asked, units_of(plain), 1)
    assert [row.text for row in again.rows] == texts


def test_a_group_is_part_of_the_key(path):
    """Rows of another group never move a key, and the text is still told by it."""
    some = read_samples(path, group="patient")
    more = replace(
        some, rows=(Row("good film", "neg", "1"), *some.rows, Row("good film", "x", "9"))
    )
    assert more.row_keys[1:-1] == some.row_keys
    assert len(set(more.row_keys)) == more.n
    assert [text_of(key) for key in some.row_keys] == list(read_samples(path).row_keys)


def test_samples_that_lack_a_column_are_refused(path):
    """Samples in hand cannot grow columns: they are read again."""
    some = read_samples(path, slices=["lang"])
    assert Samples.of(some, slices=["lang"]) is some
    with pytest.raises(BadInput, match=r"some\.csv was read without 'patient'"):
        Samples.of(some, group="patient", slices=["lang"])


def test_drawn_rows_keep_their_group(path):
    """A part drawn while streaming carries its columns with it."""
    some = read_samples(path, group="patient", slices=["lang"], max_rows=3, seed=1)
    assert set(some.rows) < set(read_samples(path, group="patient", slices=["lang"]).rows)
