"""JSON files that are one object: SQuAD, COCO, splits, or columns."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cache.errors import BadInput
from evaluators.reading.splits import chosen_splits, role_of
from evaluators.reading.table import Record, Table

# Any: whatever a user's JSON holds; each reader checks what it needs.
Document = dict[str, Any]


def read_document(path: Path, document: Document, *, split: str | None) -> Table | None:
    """The table of a JSON object; None where it is just one record."""
    if _is_squad(document):
        records = _squad(path, document["data"])
        return Table(path.name, SQUAD, records, place="question", task="question-answering")
    if {"images", "annotations", "categories"} <= set(document):
        return _coco_table(path, document)
    if isinstance(document.get("data"), list):
        return _listed(path, document["data"])
    if document and all(map(_is_rows, document.values())) and any(map(role_of, document)):
        splits = chosen_splits(list(document), split, str(path))
        table = _listed(path, document[splits.evidence], place=f"{splits.evidence} item")
        return Table(
            table.name, table.columns, table.records, place=table.place,
            notes=(splits.note, *table.notes), split=splits.evidence,
        )  # fmt: skip
    return _columnar(path, document)


def split_names(document: Document) -> list[str]:
    """The splits of an object whose values are lists of rows; none of other objects."""
    rows = all(map(_is_rows, document.values()))
    return list(document) if rows and any(map(role_of, document)) else []


SQUAD = ("id", "title", "context", "question", "answers")


def _is_squad(document: Document) -> bool:
    data = document.get("data")
    return isinstance(data, list) and any(
        isinstance(item, dict) and "paragraphs" in item for item in data
    )


def _squad(path: Path, articles: Sequence[Any]) -> Iterator[Record]:
    """The questions in order, unanswerable ones without answers (SQuAD 2.0)."""
    number = 0
    for article in articles:
        for paragraph in _part(path, article, "paragraphs", number):
            for question in _part(path, paragraph, "qas", number):
                number += 1
                answers = [] if question.get("is_impossible") else question.get("answers")
                yield number, (
                    str(question.get("id", number)), article.get("title"),
                    paragraph.get("context"), question.get("question"), answers,
                )  # fmt: skip


def _part(path: Path, value: Any, key: str, after: int) -> list[dict[str, Any]]:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise BadInput(f"{path}, after question {after:,}: no list {key!r} where SQuAD has one.")
    return found


def _coco_table(path: Path, document: Document) -> Table:
    crowds = sum(bool(_mapped(item).get("iscrowd")) for item in document["annotations"])
    return Table(
        path.name, ("image", "objects"), _coco(path, document), place="image",
        task="object-detection", folder=_images_of(path, document),
        notes=(f"crowds: {crowds:,} boxes around many objects at once are left out",)
        if crowds else (),
    )  # fmt: skip


def _images_of(path: Path, document: Document) -> Path:
    """Where the images lie: beside the file, in `images`, or in a folder with the split's name.

    For `annotations/instances_val2017.json` that is `val2017` beside `annotations`.
    """
    first = next((str(_mapped(item).get("file_name")) for item in document["images"]), "")
    split = path.stem.rpartition("_")[2]
    inner = ("", "images", split, f"images/{split}")
    folders = [top / name for top in (path.parent, path.parent.parent) for name in inner]
    return next((folder for folder in folders if (folder / first).is_file()), path.parent)


def _mapped(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _coco(path: Path, document: Document) -> Iterator[Record]:
    """Each image with its boxes; the format is at https://cocodataset.org/#format-data."""
    try:
        names = {item["id"]: str(item["name"]) for item in document["categories"]}
        boxes: dict[object, list[object]] = {item["id"]: [] for item in document["images"]}
        for at, item in enumerate(document["annotations"], start=1):
            if item["image_id"] not in boxes or item["category_id"] not in names:
                raise BadInput(f"{path}, annotation {at:,}: an image or category that is not there")
            if not item.get("iscrowd"):
                found = {"bbox": item["bbox"], "label": names[item["category_id"]]}
                boxes[item["image_id"]].append(found)
        images = [(str(item["file_name"]), boxes[item["id"]]) for item in document["images"]]
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path}: {error} is missing where COCO's format has it.") from error
    yield from enumerate(images, start=1)


def _is_rows(value: object) -> bool:
    """Whether a value is a list of records: objects, or lists of the same length."""
    if not isinstance(value, list) or not value:
        return False
    widths = {len(item) if isinstance(item, list) else -1 for item in value}
    return len(widths) == 1 and (widths != {-1} or all(isinstance(i, dict) for i in value))


def _listed(path: Path, rows: Sequence[Any], *, place: str = "item") -> Table:
    """Rows that are objects, or lists of cells without names."""
    if rows and all(isinstance(row, list) for row in rows):
        columns = tuple(f"column_{at}" for at in range(1, len(rows[0]) + 1))
        note = f"no column names: columns are called {', '.join(columns)}"
        records = ((at, tuple(row)) for at, row in enumerate(rows, start=1))
        return Table(path.name, columns, records, place=place, notes=(note,))
    names = tuple(dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row))
    return Table(path.name, names, _objects(path, rows, names, place), place=place)


def _objects(path: Path, rows: Sequence[Any], names: Sequence[str], place: str) -> Iterator[Record]:
    for at, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise BadInput(f"{path}, {place} {at:,}: {type(row).__name__} where an object is meant")
        yield at, tuple(row.get(name) for name in names)


def _columnar(path: Path, document: Document) -> Table | None:
    """Columns as lists of one length, or as objects with the same keys (pandas' `to_json`)."""
    cells = [_cells(value) for value in document.values()]
    if len(cells) < 2 or any(column is None for column in cells):
        return None
    columns = [column for column in cells if column is not None]
    lengths = {name: len(column) for name, column in zip(document, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} {length:,}" for name, length in lengths.items())
        raise BadInput(f"{path}: columns of different lengths: {shown}.")
    records = enumerate(zip(*columns, strict=True), start=1)
    return Table(path.name, tuple(document), records, place="row")


def _cells(value: object) -> list[object] | None:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else None
