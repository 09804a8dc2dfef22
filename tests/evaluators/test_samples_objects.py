"""Objects in images, and queries with documents: the forms in which people have them."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from cache.errors import BadInput, NotFound
from evaluators.reading.shapes import shape_of
from evaluators.reading.source import splits_of
from evaluators.samples import Samples, read_samples
from recommender.query import Query
from tests.evaluators.test_samples_folders import CAT, DOG, written

OBJECTS = {"bbox": [[1, 2, 3, 4], [0, 0, 5, 5]], "categories": ["cat", "dog"]}
TRUTH = '[{"box":[1.0,2.0,4.0,6.0],"label":"cat"},{"box":[0.0,0.0,5.0,5.0],"label":"dog"}]'


def coco(*names: str, **annotation: Any) -> str:
    """COCO's file about images of these names, the first with one box."""
    box = {"image_id": 0, "category_id": 2, "bbox": [1, 2, 3, 4], **annotation}
    return json.dumps({
        "images": [{"id": at, "file_name": name} for at, name in enumerate(names)],
        "annotations": [box, {**box, "category_id": 3}],
        "categories": [{"id": 2, "name": "cat"}, {"id": 3, "name": "dog"}],
    })  # fmt: skip


@pytest.mark.parametrize("labels", ["category", "categories", "label"])
def test_images_beside_their_metadata(tmp_path: Path, labels: str) -> None:
    """As `datasets` lays an image folder out: boxes are [x, y, width, height]."""
    objects = {"bbox": OBJECTS["bbox"], labels: OBJECTS["categories"]}
    rows = [{"file_name": "a.png", "objects": objects},
            {"file_name": "b.png", "objects": {"bbox": [], labels: []}}]  # fmt: skip
    files = {"a.png": CAT, "b.png": DOG, "metadata.jsonl": "\n".join(map(json.dumps, rows))}
    found = read_samples(written(tmp_path, files), shape=None)
    assert (found.task, found.labels) == ("object-detection", ("cat", "dog"))
    assert [row.label for row in found.rows] == [TRUTH, "[]"]
    assert Path(str(found.rows[0].file)).name == "a.png"


def test_images_may_be_split_in_folders(tmp_path: Path) -> None:
    """Each split has its own metadata; the test split certifies."""
    row = json.dumps({"file_name": "a.png", "objects": OBJECTS})
    files = {f"{split}/{name}": content for split in ("train", "test")
             for name, content in (("a.png", CAT), ("metadata.jsonl", row))}  # fmt: skip
    found = read_samples(written(tmp_path, files), shape=None)
    assert (found.task, found.split) == ("object-detection", "test")


@pytest.mark.parametrize(
    ("table", "image"),
    [
        ("annotations/instances_val2017.json", "val2017/a.png"),
        ("annotations/instances_val2017.json", "images/val2017/a.png"),
        ("annotations/instances_val.json", "images/a.png"),
        ("_annotations.coco.json", "a.png"),
        ("annotations.json", "images/a.png"),
    ],
)
def test_a_folder_as_coco_lays_it_out(tmp_path: Path, table: str, image: str) -> None:
    """The folder is enough; images are found where the file's name says."""
    files = {table: coco("a.png"), image: CAT}
    found = read_samples(written(tmp_path, files), shape=None)
    assert (found.task, found.labels) == ("object-detection", ("cat", "dog"))
    assert Path(str(found.rows[0].file)) == tmp_path / image


def test_of_several_splits_the_one_that_certifies_is_read(tmp_path: Path) -> None:
    """Captions and key points are no boxes; the others are left for training."""
    files = {
        "annotations/instances_train2017.json": coco("b.png"),
        "annotations/instances_val2017.json": coco("a.png"),
        "annotations/captions_val2017.json": "{}",
        "train2017/b.png": DOG,
        "val2017/a.png": CAT,
    }
    folder = written(tmp_path, files)
    found = read_samples(folder, shape=None)
    assert (found.split, Path(str(found.rows[0].file)).name) == ("val", "a.png")
    splits = splits_of(folder)
    assert splits is not None
    assert splits.others == ("train",)
    assert read_samples(folder, shape=None, split="train").split == "train"


def test_crowds_are_left_out_and_counted(tmp_path: Path) -> None:
    """A box around a crowd is no object; pycocotools passes over it too."""
    files = {"a.png": CAT, "b.png": DOG, "coco.json": coco("a.png", "b.png", iscrowd=1)}
    with pytest.raises(BadInput, match="no row of 2 has a label"):
        read_samples(written(tmp_path, files) / "coco.json", shape=None)
    document = json.loads(files["coco.json"])
    document["annotations"][0]["iscrowd"] = 0
    (tmp_path / "coco.json").write_text(json.dumps(document))
    found = read_samples(tmp_path / "coco.json", shape=None)
    assert found.labels == ("cat",)
    assert "crowds: 1 boxes around many objects at once are left out" in found.notes


def test_numbers_of_a_data_set_have_names(tmp_path: Path) -> None:
    """Of labels that lie in the objects of a row."""
    features = datasets.Features({
        "image": datasets.Image(decode=False),
        "objects": {
            "bbox": datasets.List(datasets.List(datasets.Value("float32"))),
            "category": datasets.List(datasets.ClassLabel(names=["cat", "dog"])),
        },
    })  # fmt: skip
    rows = {
        "image": [{"bytes": CAT, "path": None}],
        "objects": [{"bbox": OBJECTS["bbox"], "category": [0, 1]}],
    }
    data = datasets.Dataset.from_dict(rows, features)
    found = Samples.of(data, shape=None, files=tmp_path / "files")
    assert (found.task, found.rows[0].label) == ("object-detection", TRUTH)


@pytest.mark.parametrize("query", ["query", "question", "anchor"])
@pytest.mark.parametrize("positive", ["positive", "pos", "positive_passages"])
def test_queries_with_what_answers_them_are_a_retrieval(query: str, positive: str) -> None:
    """The documents of all queries are the corpus."""
    rows = [{query: f"q{at}", positive: [f"a{at}", f"b{at}"]} for at in range(3)]
    found = Samples.of(rows, shape=None)
    assert (found.task, len(found.corpus)) == ("feature-extraction", 6)


def test_unsupported_tasks_are_named_with_those_that_there_are() -> None:
    """Tabular data and others: not yet, and what there is instead."""
    for task in ("tabular-classification", "tabular-regression", "image-segmentation"):
        with pytest.raises(NotFound, match=rf"'{task}' is not supported yet.*object-detection"):
            shape_of(task)
        with pytest.raises(NotFound, match=rf"'{task}' is not supported yet.*object-detection"):
            Query.parse("accuracy >= 0.5", task=task)
    with pytest.raises(NotFound, match=r"'token-clasification' is unknown\. Did you mean"):
        Query.parse("accuracy >= 0.5", task="token-clasification")
