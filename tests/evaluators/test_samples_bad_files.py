"""A corpus of files that cannot be used as they are, and the line that answers each."""

import gzip
import io
import json
import struct
import wave
import zlib
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from cache.errors import RecommenderError
from evaluators.reading.shapes import shape_of
from evaluators.samples import read_samples


def png() -> bytes:
    """An image of one black pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def wav(n_frames: int = 8) -> bytes:
    """A short silence."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, 8_000, n_frames, "NONE", ""))
        file.writeframes(b"\0\0" * n_frames)
    return stream.getvalue()


def lines(*rows: object) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def sheet(*rows: tuple[object, ...]) -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(stream)
    return stream.getvalue()


def parquet(columns: dict[str, list[object]]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def feather(columns: dict[str, list[object]]) -> bytes:
    stream = io.BytesIO()
    pyarrow.feather.write_feather(pa.table(columns), stream)
    return stream.getvalue()


TWO = b"text,label\na,x\nb,y\n"
SQUAD = {"data": [{"paragraphs": [{"context": "a", "qas": [{"question": "b"}]}]}]}
COCO = {
    "images": [{"id": 1, "file_name": "a.png"}],
    "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}],
    "categories": [{"id": 1, "name": "cat"}],
}
BIO = b"EU\tB-ORG\nrejects\tO\n\nGerman\tB-MISC\n"

CLASSES, TAGS, QA, PAIRS, RANKS, MASKS, CHAT, BOXES = (
    "text-classification", "token-classification", "question-answering", "sentence-similarity",
    "text-ranking", "fill-mask", "text-generation", "object-detection",
)  # fmt: skip

BAD = [
    # F60: what is no table, or a broken one
    ("csv of 0 bytes", CLASSES, "a.csv", b"", "a.csv is empty"),
    ("csv of blank lines", CLASSES, "a.csv", b"\n\n\n", "a.csv is empty"),
    ("header only", CLASSES, "a.csv", b"text,label\n", "a header and no rows"),
    ("bom and header only", CLASSES, "a.csv", b"\xef\xbb\xbftext,label\n", "a header and no rows"),
    ("one column", CLASSES, "a.csv", b"text\na\nb\n", "one column only, 'text'"),
    ("unknown delimiter", CLASSES, "a.csv", b"text^label\na^x\nb^y\n", "one column only"),
    ("no text column", CLASSES, "a.csv", b"one,two,three\n1,2,3\n4,5,6\n", "Choose with --text"),
    ("nul", CLASSES, "a.csv", b"text,label\na,x\nb\0,y\n", "line 3: a NUL byte"),
    ("utf-16 without mark", CLASSES, "a.csv", TWO.decode().encode("utf-16-le"), "line 1: a NUL"),
    ("cut utf-16", CLASSES, "a.csv", TWO.decode().encode("utf-16")[:-1], "not valid utf-16"),
    ("unclosed quote", CLASSES, "a.csv", b'text,label\na,x\n"b,y\n', "line 3: a quote is opened"),
    ("text after quote", CLASSES, "a.csv", b'text,label\na,x\n"b" c,y\n', "line 3: a quoted field"),
    ("endless field", CLASSES, "a.csv", b"text,label\na,x\n" + b"b" * (1 << 24) + b"b,y\n",
     "line 3: a field of more than 16,777,216 characters"),
    ("too many fields", CLASSES, "a.csv", b"text,label\na,x\nb, c,y\n", "line 3, column 3"),
    ("too few fields", CLASSES, "a.csv", b"text,label\na,x\nb\n", "line 3, column 2: 1 fields"),
    ("header twice", CLASSES, "a.csv", b"text,label,text\na,x,b\n", "line 1, column 3: the header"),
    ("tab in a text", CLASSES, "a.tsv", b"text\tlabel\na\tx\nb\tc\ty\n", "line 3, column 3"),
    ("cut gzip", CLASSES, "a.csv.gz", gzip.compress(TWO)[:-9], "no whole gzip file"),
    ("no gzip", CLASSES, "a.csv.gz", TWO, "no whole gzip file"),
    ("zip", CLASSES, "a.zip", b"PK\x03\x04rest", ".zip is not read"),
    ("old excel", CLASSES, "a.xls", b"\xd0\xcf\x11\xe0rest", ".xls is not read"),
    ("prose", CLASSES, "a.txt", b"Once upon a time\nthere was a file\n", "cannot tell its format"),
    ("jsonl of 0 bytes", CLASSES, "a.jsonl", b"", "a.jsonl is empty"),
    ("no json", CLASSES, "a.jsonl", b'{"text": "a", "label": 1}\n{"text" "b"}', "line 2, column 9"),
    ("list line", CLASSES, "a.jsonl", lines({"text": "a", "label": 1}, ["b"]), "line 2: list"),
    ("text line", CLASSES, "a.jsonl", lines("a", "b"), "line 1: str where an object"),
    ("empty list", CLASSES, "a.json", b"[]", "a.json is empty"),
    ("cut list", CLASSES, "a.json", b'[{"text": "a",]', "line 1, column 15: no valid JSON"),
    ("cut object", CLASSES, "a.json", b'{"data": [{"par', "line 1, column 12: no valid JSON"),
    ("deep json", CLASSES, "a.json", b"[" * 100_000, "nested too deep"),
    ("deep line", CLASSES, "a.jsonl", b'{"text": "a"}\n{"text": ' + b"[" * 100_000 + b"\n",
     "line 2: lists or objects are nested too deep"),
    ("cut line", CLASSES, "a.jsonl", b'{"text": "a"}\n{"text":\n{"text": "a"}', "line 2, column 9"),
    ("long number", CLASSES, "a.jsonl", b'{"text": "a"}\n{"label": ' + b"1" * 5_000 + b"}",
     "line 2: a whole number of thousands of digits"),
    ("long number in a list", CLASSES, "a.json", b'[{"text": "a"}, {"label": ' + b"1" * 5_000 +
     b"}]", "item 2: a whole number"),
    ("long number in a column", CLASSES, "a.json", b'{"text": ["a"], "label": [' + b"1" * 5_000 +
     b"]}", "a.json: a whole number"),
    ("key twice", CLASSES, "a.jsonl",
     b'{"text": "a", "label": 1}\n{"text": "b", "label": 1, "label": 2}',
     "line 2: an object has the key 'label' twice"),
    ("key twice in a list", CLASSES, "a.json",
     b'[{"text": "a", "label": 1},\n{"text": "b", "label": 1, "label": 2}]',
     "item 2: an object has the key 'label' twice"),
    ("column twice", CLASSES, "a.json", b'{"text": ["a"], "label": [1], "label": [2]}',
     "the key 'label' twice"),
    ("uneven columns", CLASSES, "a.json", b'{"text": ["a", "b"], "label": [1]}', "'label' 1"),
    ("no parquet", CLASSES, "a.parquet", TWO, "is no parquet file"),
    ("cut parquet", CLASSES, "a.parquet", parquet({"text": ["a"]})[:-20], "is no parquet file"),
    ("no feather", CLASSES, "a.feather", TWO, "is no arrow or feather file"),
    ("no workbook", CLASSES, "a.xlsx", TWO, "is no Excel workbook"),
    ("empty sheet", CLASSES, "a.xlsx", sheet(), "sheet 'Sheet' is empty"),
    ("header in a sheet only", CLASSES, "a.xlsx", sheet(("text", "label")), "a header and no rows"),
    ("wide row", CLASSES, "a.xlsx", sheet(("text", "label"), ("a", "x", 1)), "row 2, column 3"),
    ("cell error", CLASSES, "a.xlsx", sheet(("text", "label"), ("a", "#REF!")), "the error #REF!"),
    # F61 to F64: cells, labels, spellings
    ("no text", CLASSES, "a.csv", b"text,label\na,x\n,y\nb,y\n", "line 3: 1 row has no text"),
    ("no labels", CLASSES, "a.csv", b"text,label\na,\nb,\nc,x\n", "line 2, 3: 2 rows have no"),
    ("null", CLASSES, "a.jsonl", lines({"text": "a", "label": 1}, {"text": None}), "no text"),
    ("null in parquet", CLASSES, "a.parquet", parquet({"text": ["a", "b"], "label": [1, None]}),
     "row 2: 1 row has no label"),
    ("null in feather", CLASSES, "a.feather", feather({"text": ["a", None], "label": [1, 0]}),
     "row 2: 1 row has no text"),
    ("one class", CLASSES, "a.csv", b"text,label\na,x\nb,x\n", "all 2 rows have the label 'x'"),
    ("two spellings", CLASSES, "a.jsonl",
     lines(*({"text": t, "label": v} for t, v in (("a", "1"), ("b", 1.0), ("c", "no")))),
     "look like one label"),
    ("object as text", CLASSES, "a.jsonl",
     lines({"text": {"a": 1}, "label": 0}, {"text": "b", "label": 1}), "line 1: dict where"),
    ("list among labels", CLASSES, "a.jsonl",
     lines({"text": "a", "label": "x"}, {"text": "b", "label": ["x"]}), "line 2: list where"),
    ("label among lists", CLASSES, "a.jsonl",
     lines(*[{"text": "a", "label": ["x"]}] * 1_000, {"text": "b", "label": {"x": 1}}),
     "line 1,001: {'x': 1} where a list of labels"),
    ("surrogate", CLASSES, "a.jsonl", b'{"text": "a\\ud800", "label": 1}', "lone surrogate"),
    ("nul in json", CLASSES, "a.jsonl", b'{"text": "a\\u0000", "label": 1}', "a NUL character"),
    # other tasks
    ("ragged columns", TAGS, "a.conll", b"EU\tB-ORG\nGerman\n", "line 2, column 2: 1 fields"),
    ("word without tag", TAGS, "a.conll", b"EU\tB-ORG\nGerman\t\n", "line 2, column 2: no tag"),
    ("all outside", TAGS, "a.conll", b"EU\tO\nGerman\tO\n", "no row of 1 has a label"),
    ("words only", TAGS, "a.conll", b"EU\nGerman\n", "has no CoNLL columns"),
    ("tags short", TAGS, "a.jsonl", lines({"tokens": ["a", "b"], "ner_tags": ["O"]}),
     "line 1: 1 tags for 2 tokens"),
    ("tags as numbers", TAGS, "a.jsonl", lines({"tokens": ["a"], "ner_tags": [3]}),
     "numbers without names"),
    ("squad without qas", QA, "a.json", lines({"data": [{"paragraphs": [{"context": "a"}]}]}),
     "no list 'qas'"),
    ("squad without answers", QA, "a.json", lines(SQUAD), "question 1: 1 row has no label"),
    ("no context", QA, "a.csv", b"question,answers\nwho,me\n", "which column is the context"),
    ("score in words", PAIRS, "a.csv", b"sentence1,sentence2,score\na,b,1.5\nc,d,high\n",
     "line 3: 'high' where a number"),
    ("score of many digits", PAIRS, "a.jsonl",
     b'{"sentence1": "a", "sentence2": "b", "score": ' + b"1" * 4_000 + b"}", "a finite number"),
    ("score is nan", PAIRS, "a.jsonl",
     b'{"sentence1": "a", "sentence2": "b", "score": 1e999}', "a finite number"),
    ("no second text", PAIRS, "a.csv", b"sentence1,sentence2,score\na,,1.5\n", "no text_pair"),
    ("relevances short", RANKS, "a.jsonl",
     lines({"query": "a", "documents": ["b", "c"], "relevances": [1]}), "1 relevances for 2"),
    ("no documents", RANKS, "a.jsonl", lines({"query": "a", "relevances": [1]}),
     "which column is the documents"),
    ("mask twice", MASKS, "a.csv", b"text,word\n[MASK] is [MASK],a\n", "[MASK] stands 2 times"),
    ("choice out of range", CHAT, "a.jsonl",
     lines({"question": "a", "choices": ["b", "c"], "answer": 2}), "choice 2 of 2"),
    ("no such choice", CHAT, "a.jsonl",
     lines({"question": "a", "choices": ["b", "c"], "answer": "Z"}), "none of the 2 choices"),
    ("chat without roles", CHAT, "a.jsonl", lines({"messages": [{"a": 1}], "answer": "b"}),
     "line 1: a message is no object"),
    ("deep boxes", BOXES, "a.csv", b"image,objects\na.png," + b"[" * 100_000 + b"\n",
     "where a list of boxes"),
    ("unknown category", BOXES, "a.json", lines({**COCO, "categories": []}), "that is not there"),
    ("coco without names", BOXES, "a.json", lines({**COCO, "images": [{"id": 1}]}), "'file_name'"),
    ("flat box", BOXES, "a.json",
     lines({**COCO, "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 0, 1]}]}),
     "without an area"),
    ("no image there", BOXES, "a.json", lines(COCO), "a.png cannot be read (No such file"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "name", "content", "message"), [case[1:] for case in BAD], ids=[c[0] for c in BAD]
)
def test_bad_files_are_refused_in_one_line(
    tmp_path: Path, task: str, name: str, content: bytes, message: str
) -> None:
    """The error is one line of ours that names the file and says what is wrong."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecommenderError) as caught:
        read_samples(path, shape=shape_of(task))
    said = str(caught.value)
    assert message in said
    assert name in said
    assert "\n" not in said
    assert caught.value.exit_code == 2


FOLDERS = [
    ("no files", {}, "is a folder; give one file"),
    ("no labels", {"a.wav": wav(), "b.wav": wav()}, "files without labels"),
    ("one class", {"cat/a.png": png()}, "has the class 'cat' only"),
    ("empty class", {"cat/a.png": png(), "dog/b.txt": b"b"}, "no file of 'dog' can be read"),
    ("image of 0 bytes", {"cat/a.png": png(), "dog/b.png": b""}, "dog/b.png is empty (0 bytes)"),
    ("page as image", {"cat/a.png": png(), "dog/b.png": b"<html>"}, "dog/b.png is no image by"),
    ("sound as image", {"cat/a.png": png(), "dog/b.png": wav()}, "dog/b.png is no image by"),
    ("sound of 0 bytes", {"no/a.wav": wav(), "yes/b.wav": b""}, "yes/b.wav is empty (0 bytes)"),
    ("listed, not there", {"a.png": png(), "metadata.csv": b"file_name,label\na.png,x\nb.png,y\n"},
     "b.png cannot be read (No such file"),
    ("no such split", {"train.csv": TWO, "test.csv": TWO}, "has no split 'final'"),
    ("lines missing", {"x_text.txt": b"a\nb\n", "x_labels.txt": b"0\n"}, "ends before line 2"),
    ("unjudged", {"corpus.jsonl": b"{}", "queries.jsonl": b"{}", "qrels/a": b""}, "no .tsv file"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "message"), [case[1:] for case in FOLDERS], ids=[case[0] for case in FOLDERS]
)
def test_bad_folders_are_refused_in_one_line(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    """Of folders, the error names the file in them that is at fault."""
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    source = tmp_path / "x_text.txt" if "x_text.txt" in files else tmp_path
    split = "final" if "test.csv" in files else None
    with pytest.raises(RecommenderError) as caught:
        read_samples(source, shape=None, split=split)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_among_labels_is_shown_in_short(tmp_path: Path) -> None:
    """The line does not hold the whole cell."""
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\na,{'x' * 10_000}\nb,{'x' * 10_000}\n")
    with pytest.raises(RecommenderError, match="all 2 rows have the label") as caught:
        read_samples(path)
    assert len(str(caught.value)) < 400


def test_the_corpus_is_large() -> None:
    """Each name stands for one fault."""
    assert len({case[0] for case in BAD}) == len(BAD) >= 70
