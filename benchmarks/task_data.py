"""The real rows of benchmarks/tasks.py, each as a user would have them, and the rows that train.

Rows that train a toy are never among those that judge it.
"""

import csv
import gzip
import json
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
DATA, ZOO = SHARED / "data", SHARED / "zoo"

Rows = list[tuple[str, str]]  # input, label
FASHION = Path("usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its files, below / or a folder."""

FASHION_CLASSES = (
    "T-shirt-top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip
N_TRAIN_DIGITS = 797
TRAINING_TAKES = ("0", "1", "2")
"""Of each speaker and digit; the others judge."""


# ---------------------------------------------------------------------- texts
def sst2(folder: Path) -> Path:
    """The dev and test sentences, which no model of the zoo was trained on."""
    file = folder / "sst2.tsv"
    parts = [(DATA / "sst2" / name).read_text("utf-8") for name in ("dev.tsv", "test.tsv")]
    file.write_text("\n".join(part.rstrip("\n") for part in parts) + "\n", encoding="utf-8")
    return file


def ag_news(folder: Path, n: int) -> tuple[Path, Rows]:
    """The last `n` rows of the only part there is, as they are; its first half trains."""
    lines = (DATA / "ag_news" / "test.csv").read_text("utf-8").splitlines(keepends=True)
    file = folder / "ag_news.csv"
    file.write_text("".join(lines[-n:]), encoding="utf-8")
    train = csv.reader(lines[: len(lines) // 2])
    return file, [(f"{title} {text}", label) for label, title, text in train]


def trec(folder: Path) -> tuple[Path, Rows]:
    """The test questions, as they are: a digit first, in latin-1."""
    lines = (DATA / "trec" / "TREC.train.all").read_text("latin-1").splitlines()
    return DATA / "trec" / "TREC.test.all", [(line[2:], line[0]) for line in lines]


def banking77(folder: Path) -> tuple[Path, Rows]:
    """The test questions, as they are."""
    with (DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        train = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    return DATA / "banking77" / "test.csv", train


def clinc150(folder: Path) -> tuple[Path, Rows]:
    """The file as it is: its split `test` judges."""
    file = DATA / "clinc150" / "data_full.json"
    return file, [tuple(pair) for pair in json.loads(file.read_text("utf-8"))["train"]]


def xquad(folder: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Every second article judges; the others train."""
    told = json.loads((DATA / "xquad" / "xquad.en.json").read_text("utf-8"))
    file = folder / "xquad.json"
    file.write_text(json.dumps({**told, "data": told["data"][1::2]}), encoding="utf-8")
    return file, questions({"data": told["data"][::2]})


def questions(told: Any) -> list[dict[str, Any]]:
    """SQuAD's rows, flat: question, context, answers and where the first one starts."""
    return [
        {
            "question": one["question"], "context": paragraph["context"],
            "answers": [answer["text"] for answer in one["answers"]],
            "start": one["answers"][0]["answer_start"],
        }
        for article in told["data"] for paragraph in article["paragraphs"]
        for one in paragraph["qas"]
    ]  # fmt: skip


def dialogsum(folder: Path, n: int) -> tuple[Path, Rows]:
    """The first `n` test dialogues, with three summaries each."""
    lines = (DATA / "dialogsum" / "dialogsum.test.jsonl").read_text("utf-8").splitlines()
    file = folder / "dialogsum.jsonl"
    file.write_text("\n".join(lines[:n]) + "\n", encoding="utf-8")
    told = (DATA / "dialogsum" / "dialogsum.dev.jsonl").read_text("utf-8").splitlines()
    train = [json.loads(line) for line in told]
    return file, [(row["dialogue"], row["summary"]) for row in train]


def multi30k(folder: Path, n: int) -> tuple[Path, Rows]:
    """The first `n` test captions: two parallel files. The validation captions train."""
    for language in ("en", "de"):
        lines = captions(f"test_2016_flickr.{language}")[:n]
        (folder / f"flickr.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "flickr.en", list(zip(captions("val.en"), captions("val.de"), strict=True))


def captions(name: str) -> list[str]:
    """One sentence a line."""
    with gzip.open(DATA / "multi30k" / f"{name}.gz", "rt", encoding="utf-8") as file:
        return file.read().splitlines()


# ---------------------------------------------------------------------- images and sounds
def fashion(folder: Path, root: Path, n: int) -> Path | None:
    """The first `n` test images, a folder for each class; None where the package is not there."""
    import numpy as np

    place = root / FASHION
    if not place.is_dir():
        return None
    with gzip.open(place / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(place / "t10k-labels-idx1-ubyte.gz") as file:
        classes = np.frombuffer(file.read(), np.uint8, offset=8)
    return write_images(folder / "fashion", pixels[:n], [FASHION_CLASSES[at] for at in classes[:n]])


def digits(folder: Path) -> tuple[Path, Any]:
    """scikit-learn's digits, 1,000 of them as images; the others, as arrays, train."""
    from sklearn.datasets import load_digits

    told = load_digits()
    pixels = (told.images * 15.9).astype("uint8")
    order = random.Random(0).sample(range(len(pixels)), len(pixels))
    train, judge = order[:N_TRAIN_DIGITS], order[N_TRAIN_DIGITS:]
    labels = [str(told.target[at]) for at in judge]
    return write_images(folder / "digits", pixels[judge], labels), (
        pixels[train],
        told.target[train],
    )


def write_images(folder: Path, pixels: Any, labels: Sequence[str]) -> Path:
    """A PNG for each image, in a folder of its class's name."""
    from PIL import Image

    for at, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        place = folder / label
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{at:05}.png")
    return folder


def spoken_digits(folder: Path) -> tuple[Path, list[tuple[Path, str]]]:
    """A csv of file names, whose first letter is the label: recordings alone are no rows."""
    files = sorted((DATA / "spoken_digits").glob("*.wav"))
    taken = [file.stem.rpartition("_")[2] in TRAINING_TAKES for file in files]
    judge = [file for file, trains in zip(files, taken, strict=True) if not trains]
    written = write_csv(folder / "spoken.csv", ("audio", "label"),
                        ((str(file), file.name[0]) for file in judge))  # fmt: skip
    train = [(file, file.name[0]) for file, trains in zip(files, taken, strict=True) if trains]
    return written, train


def write_csv(file: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """A csv file with a header."""
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return file


def shuffled(rows: Sequence[Any], n: int) -> list[Any]:
    """`n` of the rows, or all, in a fixed random order."""
    return random.Random(0).sample(list(rows), min(n, len(rows)))


Maker = Callable[[Path], Any]
