"""Which column is the text, which the label, and is there a header?"""

import pytest

from cache.errors import BadInput, NotFound
from evaluators.samples import read_samples

LONG = "a text that is clearly longer than the rest"


def written(folder, header, *rows):
    """A csv file with a header and rows, each given once more so that labels repeat."""
    path = folder / "a.csv"
    lines = [header, *rows, *(row.replace(LONG, LONG + " again") for row in rows)]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [
        ("text,label,id", "text", "label"),
        ("Sentence,Sentiment,id", "Sentence", "Sentiment"),
        ("title,text,category", "text", "category"),
        ("label,class,content", "content", "label"),
        ("Class Index,Title,Description", "Description", "Class Index"),
        ("tweet,id,y", "tweet", "y"),
    ],
)
def test_usual_names_are_recognised(tmp_path, header, text, label):
    """Columns of usual names are found, whatever their case and order."""
    found = read_samples(written(tmp_path, header, "a1,b1,c1", "a2,b2,c2"))
    assert (found.text_column, found.label_column) == (text, label)


@pytest.mark.parametrize(
    ("header", "rows", "text", "label"),
    [
        ("id,words,kind", (f"1,{LONG},x", f"2,{LONG},y"), "words", "kind"),
        ("words,kind", (f"{LONG},x", f"{LONG},y"), "words", "kind"),
        ("kind,words", (f"x,{LONG}", f"y,{LONG}"), "words", "kind"),
        ("flag,words,kind", (f"1,{LONG},x", f"1,{LONG},y"), "words", "kind"),
    ],
    ids=["id", "two", "reversed", "constant"],
)
def test_contents_tell_where_names_do_not(tmp_path, header, rows, text, label):
    """The long strings are the text, the repeating values the label."""
    path = tmp_path / "a.csv"
    more = [row.replace(LONG, f"{LONG} {n}") for n in range(3) for row in rows]
    more = [
        row.replace("1,", f"1{at},", 1) if header[0] == "i" else row for at, row in enumerate(more)
    ]
    path.write_text("\n".join([header, *more]))
    found = read_samples(path)
    assert (found.text_column, found.label_column) == (text, label)


@pytest.mark.parametrize(
    "header",
    ["review,comment,label", "text,sentiment,topic", "one,two,three"],
    ids=["two texts", "two labels", "nothing known"],
)
def test_ambiguous_columns_are_refused(tmp_path, header):
    """Where two columns could be meant, the error lists all and names the options."""
    path = written(tmp_path, header, "a1,b1,c1", "a2,b2,c2")
    with pytest.raises(BadInput, match=f"--text and --label among '{header.split(',')[0]}'"):
        read_samples(path)


def test_named_columns_are_taken(tmp_path):
    """What the user names is not guessed, and not noted."""
    path = written(tmp_path, "text,label,other", "a1,b1,c1", "a2,b2,c2")
    found = read_samples(path, text="other", label="text")
    assert (found.text_column, found.label_column, found.notes[:0]) == ("other", "text", ())
    assert not any(note.startswith("columns") for note in found.notes)


def test_missing_columns_are_answered_with_the_nearest(tmp_path):
    """A misspelt column is answered with the nearest one and the list."""
    path = written(tmp_path, "Text,Category", "a1,b1", "a2,b2")
    with pytest.raises(
        NotFound, match=r"no column 'catgory'; it has 'Text', 'Category'.*'Category'"
    ):
        read_samples(path, label="catgory")


def test_one_column_cannot_be_both(tmp_path):
    """Text and label are two columns."""
    path = written(tmp_path, "text,label", "a1,b1", "a2,b2")
    with pytest.raises(BadInput, match="which column is the text"):
        read_samples(path, text="text", label="text")


@pytest.mark.parametrize(
    ("rows", "text", "label", "n"),
    [
        (["one long string\t0", "a film\t1", "so good\t1", "no\t0"], "text", "label", 4),
        (["ham\tGo until", "ham\tOk lar", "spam\tFree entry", "spam\tWin"], "text", "label", 4),
        (["3\tT one\tlong text of one", "4\tT two\tlong text of two",
          "3\tT three\tlong text of three", "4\tT four\tlong text of four"],
         "column_3", "column_1", 4),
        (["review\tverdict", "so good\tyes", "so bad\tno", "fine\tyes"], "review", "verdict", 3),
        (["question\tWhat is it?", "question\tWho?", "order\tOne tea", "order\tTwo teas"],
         "text", "label", 4),
        (["\ttext\tlabel", "1\ta film\tx", "2\ta dog\ty"], "text", "label", 2),
    ],
    ids=["sst2", "sms_spam", "ag_news", "header", "known word as label", "index column"],
)  # fmt: skip
def test_headers_are_told_from_data(tmp_path, rows, text, label, n):
    """The first row is data where its label occurs again below; no row is lost."""
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(rows))
    found = read_samples(path)
    assert (found.text_column, found.label_column, found.n) == (text, label, n)
