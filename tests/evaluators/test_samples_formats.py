"""More formats: workbooks, arrow, CoNLL, SQuAD, COCO, plain lines, standard input, large files."""

import gzip
import io
import json
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

import datasets
import openpyxl
import pyarrow as pa
import pyarrow.feather
import pytest

from cache.errors import BadInput, NotFound
from evaluators.reading.reservoir import LEAST_KEPT, MOST_STRATA, Reservoir, shares
from evaluators.reading.shapes import shape_of
from evaluators.reading.source import splits_of
from evaluators.samples import Row, read_samples

TWO = (Row("good film", "pos"), Row("bad film", "neg"))
COLUMNS = {"text": ["good film", "bad film"], "label": ["pos", "neg"]}
ROWS = [("good film", "pos"), ("bad film", "neg")]
CSV = b"text,label\ngood film,pos\nbad film,neg\n"
CONLL = "EU I-ORG\nrejects O\n\n-DOCSTART- O\n\n# id = 2\nGerman I-MISC\nGerman B-MISC\n"


def write_arrow(path: Path) -> None:
    table = pa.table(COLUMNS)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def write_excel(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (("text", "label"), *zip(*COLUMNS.values(), strict=True), (None, None)):
        book.active.append(row)
    other = book.create_sheet("other")
    other.append(("review", "stars"))
    other.append(("fine", 4.0))
    other.append(("poor", 1))
    book.save(path)


WRITERS = {
    "a.feather": lambda path: pyarrow.feather.write_feather(pa.table(COLUMNS), path),
    "a.arrow": write_arrow,
    "a.xlsx": write_excel,
    "a.csv.gz": lambda path: path.write_bytes(gzip.compress(CSV)),
    "columns.json": lambda path: path.write_text(json.dumps(COLUMNS)),
    "pandas.json": lambda path: path.write_text(
        json.dumps({name: dict(enumerate(cells)) for name, cells in COLUMNS.items()})
    ),
    "data.json": lambda path: path.write_text(
        json.dumps({"data": [{"text": t, "label": v} for t, v in ROWS]})
    ),
    "one.json": lambda path: path.write_text(
        json.dumps({"test": ROWS, "train": [["a", "b"]]}, indent=1)
    ),
    "fast.txt": lambda path: path.write_text(
        "__label__pos good film\n__label__neg bad film\n__label__pos a\n__label__neg b\n"
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_formats_give_the_same_rows(tmp_path: Path, name: str) -> None:
    """The same two rows come out of every format."""
    WRITERS[name](tmp_path / name)
    assert read_samples(tmp_path / name).rows[:2] == TWO


def test_sheets_are_named(tmp_path: Path) -> None:
    """The first sheet is read with a note, or the named one; its numbers have one spelling."""
    write_excel(tmp_path / "a.xlsx")
    notes = read_samples(tmp_path / "a.xlsx").notes
    assert notes[0] == "sheet: 'Sheet', the first of 'Sheet', 'other'"
    assert read_samples(tmp_path / "a.xlsx", split="other").labels == ("1", "4")
    with pytest.raises(NotFound, match="no sheet 'third'; it has 'Sheet', 'other'"):
        read_samples(tmp_path / "a.xlsx", split="third")


def test_arrow_files_of_datasets_keep_class_names(tmp_path: Path) -> None:
    """What `save_to_disk` writes gives the names of classes."""
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    columns = {"text": ["a", "b"], "label": [1, 0]}
    datasets.Dataset.from_dict(columns, features).save_to_disk(str(tmp_path))
    assert read_samples(next(tmp_path.glob("*.arrow"))).rows[0].label == "pos"


@pytest.mark.parametrize("name", ["a.conll", "a.iob", "a.txt", "a.annotated"])
@pytest.mark.parametrize("sign", [" ", "\t", " _ "])
def test_conll_is_read_as_iob2(tmp_path: Path, name: str, sign: str) -> None:
    """Sentences end at blank lines; IOB1 becomes IOB2; comments and starts are left out."""
    text = CONLL.replace(" ", sign).replace(f"#{sign}id{sign}={sign}2", "# id = 2")
    (tmp_path / name).write_text(text.replace(f"-DOCSTART-{sign}O", "-DOCSTART-"))
    found = read_samples(tmp_path / name, shape=None)
    assert found.task == "token-classification"
    assert [row.label for row in found.rows] == ['["B-ORG","O"]', '["B-MISC","B-MISC"]']
    assert found.rows[0].text == '{"tokens":["EU","rejects"]}'
    assert "tags: IOB1, read as IOB2" in found.notes


def test_hashtags_are_no_comments(tmp_path: Path) -> None:
    """A word that begins with # stays a word."""
    (tmp_path / "a.conll").write_text("#\tO\nParis\tB-location\n#x = y\tO\n")
    found = read_samples(tmp_path / "a.conll", shape=None)
    assert json.loads(found.rows[0].text)["tokens"] == ["#", "Paris", "#x = y"]


def test_squad_is_read(tmp_path: Path) -> None:
    """Both versions: acceptable answers once each, none where the question has none."""
    questions = [
        {"id": "a", "question": "who?", "answers": [{"text": "Ann"}, {"text": "Ann"}]},
        {"id": "b", "question": "why?", "is_impossible": True, "answers": []},
    ]
    document = {"version": "v2.0", "data": [{"paragraphs": [{"context": "c", "qas": questions}]}]}
    (tmp_path / "a.json").write_text(json.dumps(document, indent=2))
    found = read_samples(tmp_path / "a.json", shape=None)
    assert found.task == "question-answering"
    assert [row.label for row in found.rows] == ['["Ann"]', "[]"]


def test_a_line_is_said_to_be_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input is told by its first line, and named in errors; nothing of it stays."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for text in (CSV, CSV.replace(b",", b"\t"), b'{"text": "good film", "label": "pos"}\n' * 2):
        other = text.replace(b"good", b"bad").replace(b"pos", b"neg") if text[:1] == b"{" else b""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text + other)))
        assert read_samples("-").rows[0] == TWO[0]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CSV + b"a,b,c\n")))
    with pytest.raises(BadInput, match=r"^standard input, line 4, column 3"):
        read_samples("-")
    assert splits_of("-") is None
    assert not list(tmp_path.iterdir())


def test_two_files_of_lines_are_read_together(tmp_path: Path) -> None:
    """Texts with the labels beside them and their names; a language with the other."""
    for name, text in {
        "val_text.txt": "good film\nbad film\n", "val_labels.txt": "1\n0\n",
        "mapping.txt": "0\tneg\n1\tpos\n", "x.en": "one\n", "x.de": "eins\n",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    assert read_samples(tmp_path / "val_text.txt").rows == TWO
    found = read_samples(tmp_path / "x.en", shape=None)
    assert (found.task, found.rows[0]) == ("translation", Row("one", '["eins"]'))


def test_a_draw_keeps_the_proportions_of_labels(tmp_path: Path) -> None:
    """Of 9,000 and 1,000 rows, 100 are drawn as 90 and 10, and a label too rare is named."""
    rows = "".join(f"text {n},{'b' if n % 10 == 0 else 'a'}\n" for n in range(10_000))
    (tmp_path / "a.csv").write_text(f"text,label\n{rows}last,c\n")
    found = read_samples(tmp_path / "a.csv", max_rows=100)
    assert Counter(row.label for row in found.rows) == {"a": 90, "b": 10}
    assert found.notes[-1] == (
        "drawn: the labels in the proportions of all 10,001 rows; too rare for one row: 'c'"
    )


def test_a_stream_is_drawn_from_in_constant_memory() -> None:
    """Ten times the rows take the same memory."""
    peaks = []
    for n in (3_000, 30_000):
        drawn = Reservoir[str](200, seed=1)
        tracemalloc.start()
        for at in range(n):
            drawn.add(f"text {at}", str(at % 7))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(list(drawn)) == 200
    assert peaks[1] < 1.2 * peaks[0]


def test_rare_strata_have_their_share() -> None:
    """A stratum of one item in a hundred gives its share, each of its items equally often."""
    counts: Counter[int] = Counter()
    for seed in range(300):
        drawn = Reservoir[int](100, seed)
        for at in range(500):
            drawn.add(at, "rare" if at % 100 == 0 else "usual")
        rare = [at for at in drawn if at % 100 == 0]
        assert len(rare) == 1
        counts.update(rare)
    assert all(35 < counts[at] < 85 for at in range(0, 500, 100))  # 60, deviation 7


def test_many_strata_are_drawn_alike() -> None:
    """Above the most strata the draw is over all items, and memory stays bounded."""
    drawn = Reservoir[int](50, seed=0)
    for at in range(MOST_STRATA + 5_000):
        drawn.add(at, str(at))
    assert len(list(drawn)) == 50
    assert not drawn.is_stratified
    assert len(drawn.counts) == MOST_STRATA + 1


def test_shares_add_up() -> None:
    """Shares are the largest remainders; small wholes are given as they are."""
    assert shares({"a": 5, "b": 3, "c": 2}, 5) == {"a": 3, "b": 1, "c": 1}
    assert shares({"a": 5, "b": 3}, 8) == {"a": 5, "b": 3}
    assert sum(shares({str(at): at for at in range(1, 99)}, LEAST_KEPT).values()) == LEAST_KEPT


def test_tasks_without_classes_are_drawn_too(tmp_path: Path) -> None:
    """A truth that is a text is no stratum."""
    rows = [json.dumps({"document": f"d{at}", "summary": f"s{at}"}) for at in range(50)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    found = read_samples(tmp_path / "a.jsonl", shape=shape_of("summarization"), max_rows=10)
    assert (found.n, found.labels) == (10, ())
    assert found.notes[-1] == "rows: 10 of 50, drawn at random with seed 0"
