"""Folders of images and sounds, tables beside files, splits, a retrieval's files."""

import csv
import hashlib
import json
from pathlib import Path

import datasets
import pytest

from cache.errors import BadInput, NotFound
from evaluators.reading.files import media_kind
from evaluators.reading.shapes import Kind
from evaluators.reading.source import splits_of
from evaluators.reading.splits import chosen_splits, role_of
from evaluators.samples import read_samples

CAT, DOG = b"\x89PNG\r\n\x1a\ncat", b"\xff\xd8\xffdog"
SOUND = b"RIFF\0\0\0\0WAVEfmt "


def written(folder: Path, files: dict[str, bytes | str]) -> Path:
    """A folder with these files."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    return folder


def test_a_class_is_a_folder(tmp_path: Path) -> None:
    """Content is the hash of the file, the label its folder; other files are left out."""
    written(tmp_path, {"cat/a.png": CAT, "dog/b.JPG": DOG, "dog/notes.txt": "b", ".git/x": "y"})
    found = read_samples(tmp_path, shape=None)
    assert (found.task, found.labels) == ("image-classification", ("cat", "dog"))
    row = found.rows[0]
    assert row.text == json.dumps(
        {"image": f"sha256:{hashlib.sha256(CAT).hexdigest()}"}, separators=(",", ":")
    )
    assert row.file == str(tmp_path / "cat" / "a.png")
    assert "files: 1 of other kinds are left out" in found.notes


def test_a_folder_may_be_named_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is enough; the rows' files are absolute."""
    written(tmp_path / "pets", {"cat/a.png": CAT, "dog/b.jpg": DOG})
    monkeypatch.chdir(tmp_path)
    assert read_samples("pets", shape=None).rows[0].file == str(tmp_path / "pets" / "cat" / "a.png")


def test_moved_files_are_the_same_rows(tmp_path: Path) -> None:
    """Keys and fingerprint hold the files' bytes, not where they lie."""
    one, two = (
        written(tmp_path / name, {"yes/a.wav": SOUND, "no/b.wav": SOUND + b"b"}) for name in "ab"
    )
    assert read_samples(one, shape=None).task == "audio-classification"
    prints = {read_samples(folder, shape=None).fingerprint for folder in (one, two)}
    assert len(prints) == 1


@pytest.mark.parametrize("name", ["metadata.csv", "labels.jsonl", "digits.csv"])
def test_a_table_lists_the_files_beside_it(tmp_path: Path, name: str) -> None:
    """Names are relative to the table; the folder or the table may be given."""
    rows = [{"file_name": f"{at}.wav", "label": at % 2, "speaker": "x"} for at in range(4)]
    written(tmp_path, {row["file_name"]: SOUND + bytes([at]) for at, row in enumerate(rows)})
    if name.endswith("jsonl"):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    else:
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    found = read_samples(tmp_path, shape=None, group="speaker")
    assert found.task == "audio-classification"
    assert [row.file for row in found.rows][1] == str(tmp_path / "1.wav")
    assert read_samples(tmp_path / name, shape=None, group="speaker").rows == found.rows


def test_transcripts_tell_speech_recognition(tmp_path: Path) -> None:
    """Sounds with a text are to be written down; blanks of transcripts are single."""
    written(tmp_path, {"a.flac": b"fLaC", "metadata.csv": "file_name,text\na.flac, well  said\n"})
    found = read_samples(tmp_path, shape=None)
    assert (found.task, found.rows[0].label) == ("automatic-speech-recognition", '"well said"')


def test_coco_gives_boxes_by_their_corners(tmp_path: Path) -> None:
    """Boxes are [x0, y0, x1, y1] with names; an image without any has none."""
    document = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "b.png"}],
        "annotations": [{"image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 2, "name": "cat"}],
    }
    files = {"images/a.png": CAT, "images/b.png": DOG, "coco.json": json.dumps(document)}
    found = read_samples(written(tmp_path, files) / "coco.json", shape=None)
    assert (found.task, found.labels) == ("object-detection", ("cat",))
    truths = [row.label for row in found.rows]
    assert truths == ['[{"box":[1.0,2.0,4.0,6.0],"label":"cat"}]', "[]"]


def test_a_retrieval_has_its_corpus(tmp_path: Path) -> None:
    """Queries with judged documents are rows; every document is in the corpus."""
    documents = [{"_id": "d1", "title": "A", "text": "b"}, {"_id": "d2", "title": "", "text": "c"}]
    files = {
        "corpus.jsonl": "\n".join(map(json.dumps, documents)),
        "queries.jsonl": json.dumps({"_id": "q1", "text": "what?"}),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n",
    }
    found = read_samples(written(tmp_path, files), shape=None)
    assert (found.task, dict(found.corpus)) == ("feature-extraction", {"d1": "A b", "d2": "c"})
    assert [(row.text, row.label) for row in found.rows] == [('{"query":"what?"}', '{"d1":2.0}')]


def test_bytes_of_a_data_set_are_kept_by_their_hash(tmp_path: Path) -> None:
    """Images inside a table are written once to the folder that is given for them."""
    features = datasets.Features(
        {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(names=["c", "d"])}
    )
    cells = [{"bytes": content, "path": None} for content in (CAT, DOG, CAT)]
    data = datasets.Dataset.from_dict({"image": cells, "label": [0, 1, 0]}, features)
    data.to_parquet(tmp_path / "a.parquet")
    found = read_samples(tmp_path / "a.parquet", shape=None, files=tmp_path / "files")
    assert (found.task, found.labels) == ("image-classification", ("c", "d"))
    assert Path(str(found.rows[2].file)).read_bytes() == CAT
    assert len(list((tmp_path / "files").iterdir())) == 2
    with pytest.raises(BadInput, match="bytes without a file"):
        read_samples(tmp_path / "a.parquet", shape=None)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"GIF89a", Kind.IMAGE), (b"RIFF\0\0\0\0WEBPVP8 ", Kind.IMAGE), (b"II*\0", Kind.IMAGE),
        (b"ID3\3", Kind.AUDIO), (b"\xff\xfb\x90", Kind.AUDIO), (b"fLaC", Kind.AUDIO),
        (b"RIFF\0\0\0\0AVI ", None), (b"<svg", None), (b"version https://git-lfs", None),
    ],
)  # fmt: skip
def test_files_are_told_by_their_first_bytes(start: bytes, kind: Kind | None) -> None:
    """A page, a film or a pointer to a file is neither image nor sound."""
    assert media_kind(start) is kind


@pytest.mark.parametrize(
    ("names", "evidence"),
    [
        (("train", "validation", "test"), "test"),
        (("train", "dev"), "dev"),
        (("train",), "train"),
        (("oos_val", "val", "train", "oos_test", "test"), "test"),
        (("a.train", "a.test"), "a.test"),
        (("train", "unsupervised"), "train"),
    ],
)
def test_the_split_for_evidence_is_test_else_validation(
    names: tuple[str, ...], evidence: str
) -> None:
    """Test certifies, else validation, else train with a warning; the others are left."""
    found = chosen_splits(names, None, "data")
    assert found.evidence == evidence
    left = {name for name in names if role_of(name) != "test"}
    assert set(found.others) == left - {evidence}
    assert bool(found.warning) == (evidence == "train")


def test_unclear_splits_are_asked_for() -> None:
    """Two test splits, or none of a known name, are the user's to choose; a purpose will do."""
    for names in (("test_matched", "test_mismatched"), ("a", "b")):
        with pytest.raises(BadInput, match="Choose one with --split"):
            chosen_splits(names, None, "data")
    assert chosen_splits(("train", "dev"), "validation", "data").evidence == "dev"
    with pytest.raises(NotFound, match="no split 'final'; it has 'train', 'dev'"):
        chosen_splits(("train", "dev"), "final", "data")


def test_a_test_split_is_never_for_training() -> None:
    """Also where the validation split is evidence."""
    assert chosen_splits(("train", "dev", "test"), "dev", "data").others == ("train",)


@pytest.mark.parametrize(
    ("name", "role"),
    [("dev", "validation"), ("Test", "test"), ("latest", None), ("train-00000", "train"),
     ("contest", None), ("test2016", "test"), ("my_val", "validation"), ("wnut17train", "train")],
)  # fmt: skip
def test_splits_are_known_by_whole_words(name: str, role: str | None) -> None:
    """`latest` is no test split."""
    assert role_of(name) == role


def test_a_folder_gives_its_test_split(tmp_path: Path) -> None:
    """Files and folders named for splits are read one at a time, and a note says which."""
    rows = "text,label\na {0},x\nb {0},y\n"
    files = {f"{name}.csv": rows.format(name) for name in ("train", "dev", "test")}
    found = read_samples(written(tmp_path, files))
    assert (found.rows[0].text, found.split) == ("a test", "test")
    assert found.notes[0] == "split: 'test' of 'dev', 'test', 'train'"
    assert read_samples(tmp_path, split="validation").rows[0].text == "a dev"
    splits = splits_of(tmp_path / "test.csv")
    assert splits is not None
    assert splits.others == ("dev", "train")


def test_a_test_split_without_labels_is_no_evidence(tmp_path: Path) -> None:
    """Published test files often lack the truth: then the validation split is read."""
    rows = "sentence1,sentence2,score\na,b,1.5\nc,d,2.5\n"
    files = {"train.csv": rows, "dev.csv": rows, "test.csv": "sentence1,sentence2\na,b\nc,d\n"}
    found = read_samples(written(tmp_path, files), shape=None)
    assert (found.split, found.task) == ("dev", "sentence-similarity")
    assert found.notes[0] == "split: 'dev' of 'dev', 'test', 'train'; 'test' has no labels"
    splits = splits_of(tmp_path)
    assert splits is not None
    assert (splits.evidence, splits.others) == ("dev", ("train",))


def test_split_folders_of_images_are_read(tmp_path: Path) -> None:
    """train/cat/a.png and test/cat/b.png are two splits of two classes."""
    files = {f"{split}/{name}/a.png": CAT for split in ("train", "test") for name in ("x", "y")}
    found = read_samples(written(tmp_path, files), shape=None)
    assert (found.split, found.n, found.labels) == ("test", 2, ("x", "y"))
