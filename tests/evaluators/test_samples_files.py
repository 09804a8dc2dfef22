"""Files as they are in the world: encodings, delimiters, quotes, headers, faults."""

import csv
import io
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.errors import BadInput, NotFound
from evaluators.reading.delimited import read_delimited
from evaluators.reading.parquet import read_parquet
from evaluators.samples import Row, read_samples

TWO = (Row("good film", "pos"), Row("bad film", "neg"))
GOOD = b'{"text": "good film", "label": "pos"}'
BAD = b'{"label": "neg", "text": "bad film"}'
CSV = b"text,label\ngood film,pos\nbad film,neg\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.csv", CSV.replace(b"\n", b"\r\n")),
        ("a.csv", b"\xef\xbb\xbf" + CSV),
        ("a.csv", CSV.decode().encode("utf-16")),
        ("a.csv", CSV.decode().encode("utf-32")),
        ("a.csv", CSV.replace(b",", b";")),
        ("a.csv", CSV.replace(b",", b"\t")),
        ("a.csv", CSV.replace(b",", b"|")),
        ("a.tsv", CSV.replace(b",", b"\t")),
        ("a.tsv", CSV),
        ("a.csv", b'"text","label"\n"good film","pos"\n\n"bad film","neg"\n'),
        ("a.tsv", b'"text"\t"label"\n"good film"\t"pos"\n"bad film"\t"neg"\n'),
        ("a.csv", b"good film,pos\nbad film,neg\nnice,pos\nugly,neg\n"),
        ("a.jsonl", GOOD + b"\n\n" + BAD),
        ("a.json", b"[" + GOOD + b",\n" + BAD + b"]"),
        ("a.json", GOOD + b"\n" + BAD),
    ],
    ids=[
        "csv", "crlf", "bom", "utf-16", "utf-32", "semicolon", "tab in csv", "bar", "tsv",
        "comma in tsv", "all quoted", "tsv all quoted", "no header", "jsonl", "json list",
        "json lines",
    ],
)  # fmt: skip
def test_formats_give_the_same_rows(tmp_path, name, content):
    """The same two rows come out of every format, delimiter and encoding."""
    path = tmp_path / name
    path.write_bytes(content)
    assert read_samples(path).rows[:2] == TWO


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "N/A", "NaN", "#N/A", "true", "1e5"])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_words_for_nothing_stay_text(tmp_path, word, suffix):
    """Texts that other readers take for missing values are texts."""
    path = tmp_path / f"a.{suffix}"
    sign = "," if suffix == "csv" else "\t"
    rows = [("text", "label"), (word, "x"), ("b", "y")]
    lines = [sign.join(row) for row in rows]
    if suffix == "jsonl":
        lines = [json.dumps(dict(zip(rows[0], row, strict=True))) for row in rows[1:]]
    path.write_text("\n".join(lines))
    assert read_samples(path).rows[0] == Row(word, "x")


@pytest.mark.parametrize(
    ("content", "text", "note"),
    [
        ("text,label\ncafé,x\nb,y\n".encode("latin-1"), "café", "(line 2), read as Latin-1"),
        ("text,label\na,x\nit’s,y\n".encode("cp1252"), "a", "(line 3), read as Latin-1 (Windows"),
        (b"text,label\n\x81\xe9,x\nb,y\n", "\x81é", "(line 2), read as Latin-1"),
        ("text,label\ncafé,x\nb,y\n".encode("utf-16"), "café", "encoding: utf-16"),
        (b"text;label\na, b and c;x\nd;y\n", "a, b and c", "delimiter: semicolon"),
        (b"a b c d e\t0\nf g h i\t1\nj\t0\nk\t1\n", "a b c d e", "no header"),
        (b"text,label\na,1.0\nb,0\n", "a", "'1.0' as '1'"),
        (b"text,verdict\na,x\nb,y\n", "a", "label = 'verdict', guessed by content"),
        (b"text,label\na,x\nb,y\nc,z\n", "a", "3 distinct in 3 rows"),
    ],
    ids=[
        "latin-1", "cp1252", "odd bytes", "utf-16", "delimiter", "no header", "labels", "guess",
        "all different",
    ],
)  # fmt: skip
def test_assumptions_are_noted(tmp_path, content, text, note):
    """Whatever was guessed about a file is said in a note."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    found = read_samples(path)
    assert found.rows[0].text == text
    assert any(note in line for line in found.notes), found.notes


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"\n\n", "a.csv is empty"),
        ("a.csv", b"text,label\n", "a header and no rows"),
        ("a.csv", b"text,label\na,x\nb,x\n", "all 2 rows have the label 'x'"),
        ("a.csv", b"text,label\na,x\nb\0,y\n", "line 3: a NUL byte"),
        ("a.csv", CSV.decode().encode("utf-16-le"), "line 1: a NUL byte"),
        ("a.csv", b"\xff\xfet\x00e\x00x", "not valid utf-16"),
        ("a.csv", b'text,label\na,x\n"b,y\nc,x\n', "line 3: a quote is opened and never closed"),
        ("a.csv", b'text,label\na,x\n"b" c,y\n', "line 3: a quoted field goes on"),
        ("a.csv", b"text,label\na,x\nb, c,y\n", "line 3, column 3: 3 fields where the first row"),
        ("a.csv", b"text,label\na,x\nb\n", "line 3, column 2: 1 fields"),
        ("a.csv", b"text,label,text\na,x,b\n", "line 1, column 3: the header has 'text' twice"),
        ("a.csv", b"text\na\nb\n", "one column only, 'text'"),
        ("a.csv", b"text,label\na,x\n,y\nb,\n", "line 3: 1 row has no text"),
        ("a.tsv", b"text\tlabel\na\tx\nb\tc\ty\n", "line 3, column 3: 3 fields"),
        (
            "a.jsonl",
            b'{"text": "a", "label": 1}\n{"text" "b"}\n',
            "line 2, column 9: no valid JSON",
        ),
        ("a.jsonl", b'{"text": "a", "label": 1}\n["b", 0]\n', "line 2: list where an object"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text": "b"}\n', "line 2: 1 row has no label"),
        ("a.json", b"[]", "a.json is empty"),
        ("a.json", b'[{"text": "a",]', "line 1, column 15: no valid JSON"),
        ("a.json", b"[" * 100_000, "nested too deep"),
        ("a.parquet", b"text,label\na,x\n", "is no parquet file"),
        ("a.txt", CSV, "cannot tell its format"),
    ],
)
def test_faulty_files_are_refused_in_one_line(tmp_path, name, content, message):
    """The error is one line that names the file, the place and what to do."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_samples(path)
    assert message in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_names_the_nearest(tmp_path):
    """A misspelt file is answered with the one that is there."""
    (tmp_path / "reviews.csv").write_bytes(CSV)
    with pytest.raises(NotFound, match=r"no file .*reviws\.csv.*Did you mean .*reviews\.csv"):
        read_samples(tmp_path / "reviws.csv")


def test_folders_are_refused(tmp_path):
    """A folder is no samples."""
    with pytest.raises(BadInput, match="is a folder"):
        read_samples(tmp_path)


def test_splits_are_for_the_hub(tmp_path):
    """A split of a local file would be ignored silently, so it is refused."""
    path = tmp_path / "a.csv"
    path.write_bytes(CSV)
    with pytest.raises(BadInput, match="--split is for data sets on the Hub"):
        read_samples(path, split="test")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('"Hi there"\tx', '"Hi there"'),
        ('5" pipe\tx', '5" pipe'),
        ('"unclosed\tx', '"unclosed'),
        ('say "hi"\tx', 'say "hi"'),
    ],
)
def test_quotes_of_tab_separated_texts_mean_themselves(tmp_path, line, text):
    """Quotes that nobody wrote as quoting stay in the text."""
    path = tmp_path / "a.tsv"
    path.write_text(f"text\tlabel\n{line}\nb\ty\n")
    assert read_samples(path).rows[0].text == text


@given(
    texts=st.lists(st.text('ab",;\n\t |', min_size=1).filter(str.strip), min_size=2, max_size=9),
    sign=st.sampled_from(",\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@settings(max_examples=150)
def test_what_the_csv_module_writes_is_read(tmp_path_factory, texts, sign, quoting):
    """Texts with delimiters, quotes and line ends survive being written and read."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=sign, quoting=quoting, lineterminator="\n")
    writer.writerow(["text", "label"])
    writer.writerows((text, at % 2) for at, text in enumerate(texts))
    path = tmp_path_factory.mktemp("csv") / ("a.csv" if sign == "," else "a.tsv")
    path.write_text(stream.getvalue(), newline="")
    assert [row.text for row in read_samples(path).rows] == texts


LONG = 'said "no", ' * 20_000


@pytest.mark.parametrize(
    ("suffix", "sign", "quoting"),
    [
        ("csv", ",", csv.QUOTE_MINIMAL),
        ("csv", ",", csv.QUOTE_ALL),
        ("csv", ";", csv.QUOTE_MINIMAL),
        ("tsv", "\t", csv.QUOTE_MINIMAL),
    ],
    ids=["csv", "all quoted", "semicolons", "tsv"],
)
def test_long_texts_are_read(tmp_path, suffix, sign, quoting):
    """A text longer than the csv module's own limit of 131,072 characters is read whole."""
    path = tmp_path / f"a.{suffix}"
    with path.open("w", newline="") as file:
        rows = [("text", "label"), ("a", "x"), (LONG, "x"), ("b", "y")]
        csv.writer(file, delimiter=sign, quoting=quoting).writerows(rows)
    assert [row.text for row in read_samples(path).rows] == ["a", LONG, "b"]


def test_the_csv_limit_of_the_process_stays(tmp_path):
    """Neither a file that is half read nor one that is left changes it for others."""
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\n{LONG.replace(',', '')},x\nb,y\n".replace('"', ""))
    before = csv.field_size_limit()
    first, second = (iter(read_delimited(path, delimiter=",").records) for _ in range(2))
    next(first)
    next(second)
    assert csv.field_size_limit() == before
    first.close()
    assert [len(values) for _, values in second] == [2]
    assert csv.field_size_limit() == before


def test_parquet_is_read(tmp_path):
    """Parquet gives its rows; nulls are missing, and the error names the row."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["NA", "b"], "label": [1, 0]}), path)
    assert read_samples(path).rows == (Row("NA", "1"), Row("b", "0"))
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1, None]}), path)
    with pytest.raises(BadInput, match="row 2: 1 row has no label"):
        read_samples(path)


@pytest.mark.parametrize("per_group", [5_000, 200_000])
def test_a_parquet_file_is_never_in_memory_as_a_whole(tmp_path, per_group):
    """Neither all row groups that were read, nor a large one."""
    draw = random.Random(0)
    texts = [f"{draw.getrandbits(400):x}" for _ in range(200_000)]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": texts}), path, row_group_size=per_group, use_dictionary=False)
    before, most = pa.total_allocated_bytes(), 0
    for at, (text,) in read_parquet(path).records:
        assert text == texts[at - 1]
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < path.stat().st_size / 3
