"""Data sets on the Hub, read by the real client of `datasets` from a Hub on this machine."""

import gc
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import datasets
import huggingface_hub.constants
import pyarrow
import pyarrow.parquet
import pytest
from datasets.packaged_modules.parquet.parquet import Parquet
from hypothesis import given
from hypothesis import strategies as st

from cache.errors import AccessRequired, BadInput, NotFound, SourceUnavailable
from catalog.loopback.faults import Fault, close, status
from catalog.testing import LoopbackHub
from evaluators.reading import hub_parquet
from evaluators.reading.hub import read_hub
from evaluators.reading.hub_parquet import in_spans
from evaluators.reading.source import splits_of
from evaluators.reading.split_slices import Slice, parse_split
from evaluators.samples import read_samples
from tests.conftest import nightly

NAMED = datasets.ClassLabel(names=["bad", "good"])
FEATURES = datasets.Features(
    {"text": datasets.Value("string"), "label": NAMED, "of": {"lang": datasets.Value("string")}}
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the Hub's data sets."""
    (tmp_path / "hub/datasets").mkdir(parents=True)
    return tmp_path / "hub/datasets"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., LoopbackHub]]:
    """Starts the Hub, and lets the clients ask it with an empty home."""
    hubs: list[LoopbackHub] = []

    def start(**options: object) -> LoopbackHub:
        hub = LoopbackHub(tmp_path / "hub", **options).__enter__()
        hubs.append(hub)
        ours = {"HF_ENDPOINT": hub.endpoint, "HF_DATASETS_CACHE": tmp_path / "cache"}
        for name, value in ours.items():
            monkeypatch.setattr(datasets.config, name, value)
        constants = huggingface_hub.constants
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE
        url = template.replace(constants.ENDPOINT, hub.endpoint)
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home"))
        return hub

    yield start
    for hub in hubs:
        hub.__exit__(None, None, None)


def published(folder: Path, **splits: int) -> None:
    """A data set in parquet: texts `test 0`, `test 1`, ... of two named classes in turn."""
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    for split, n_rows in splits.items():
        columns = {
            "text": [f"{split} {at}" for at in range(n_rows)],
            "label": [at % 2 for at in range(n_rows)],
            "of": [{"lang": "de" if at % 2 else "en"} for at in range(n_rows)],
        }
        (folder / "data").mkdir(parents=True, exist_ok=True)
        rows = datasets.Dataset.from_dict(columns, features=FEATURES)
        rows.to_parquet(folder / f"data/{split}-00000-of-00001.parquet")


def texts(source: str, split: str | None = None) -> list[str]:
    """The first column of the rows."""
    return [str(values[0]) for _, values in read_hub(source, split=split).records]


def written(folder: Path, **files: str) -> None:
    """A data set of files as they are, `train_csv` being train.csv."""
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def test_rows_are_streamed_from_one_commit(
    root: Path, asked: Callable[..., LoopbackHub], tmp_path: Path
) -> None:
    """The test split by default, all of it at one commit, which is told; none of it is kept."""
    published(root / "demo/reviews", train=40, test=30)
    hub = asked()
    table = read_hub("demo/reviews", split=None)
    assert [values for _, values in table.records][1] == ("test 1", 1, {"lang": "de"})
    assert table.class_names == {"label": ("bad", "good")}
    assert (table.dataset, table.split) == ("demo/reviews", "test")
    assert table.notes == ("split: 'test' of 'train', 'test'", f"revision: {table.revision}")
    files = [target for _, target in hub.requests if ".parquet" in target]
    assert files
    assert all(f"/resolve/{table.revision}/" in target for target in files)
    kept = [path for path in tmp_path.rglob("*") if path.suffix in (".arrow", ".parquet")]
    assert all(path.is_relative_to(root) for path in kept)


SPLITS = ("test[:3]", "train[38:]", "train[10%:20%]", "train[-2:]", "train[95%:]+test[:-28]")


def test_slices_give_the_rows_that_datasets_gives(
    root: Path, asked: Callable[..., LoopbackHub]
) -> None:
    """Bounds in rows and per cent, from the start and the end, several splits."""
    published(root / "demo/reviews", train=40, test=30)
    asked()
    own = {split: datasets.load_dataset("demo/reviews", split=split)["text"] for split in SPLITS}
    assert {split: texts("demo/reviews", split) for split in SPLITS} == {
        split: list(column) for split, column in own.items()
    }
    numbers = [at for at, _ in read_hub("demo/reviews", split="train[38:]").records]
    assert numbers == [38, 39]


@given(
    st.integers(0, 300), st.booleans(), st.none() | st.integers(-120, 120),
    st.none() | st.integers(-120, 120),
)  # fmt: skip
def test_bounds_are_those_of_datasets(
    n_rows: int, in_percent: bool, start: int | None, stop: int | None
) -> None:
    """Whatever the bounds are."""
    if in_percent:
        start, stop = (None if at is None else max(-100, min(100, at)) for at in (start, stop))
    named = Slice("train", start, stop, in_percent and (start, stop) != (None, None))
    (theirs,) = datasets.ReadInstruction.from_spec(str(named)).to_absolute({"train": n_rows})
    assert parse_split(str(named)) == (named,)
    first, end = named.bounds(n_rows)
    rows = range(n_rows)
    assert list(rows[first:end]) == list(rows[theirs.from_ : theirs.to])


@pytest.mark.parametrize("split", ["train[", "train[1:2:3]", "train[5%:10]", "train[a:]", ""])
def test_a_split_that_cannot_be_read_is_refused(split: str) -> None:
    """With examples."""
    with pytest.raises(BadInput, match="Write for example"):
        parse_split(split)


def test_a_slice_fetches_nothing_behind_it(root: Path, asked: Callable[..., LoopbackHub]) -> None:
    """The first rows come from the first of two files."""
    folder = root / "demo/lines"
    rows = "".join(json.dumps({"text": f"line {at}", "label": at % 2}) + "\n" for at in range(9))
    written(folder, **{"train-00000-of-00002_jsonl": rows, "train-00001-of-00002_jsonl": rows})
    hub = asked()
    assert texts("demo/lines", "train[:3]") == ["line 0", "line 1", "line 2"]
    assert not [target for _, target in hub.requests if "train-00001-of-00002.jsonl" in target]
    assert len(texts("demo/lines", "train")) == 18


def test_a_stream_is_drawn_from_as_a_file_is(root: Path, asked: Callable[..., LoopbackHub]) -> None:
    """The same stratified rows for a seed; columns inside columns have names with dots."""
    published(root / "demo/reviews", test=400)
    asked()
    how = {"slices": ("of.lang",), "max_rows": 50, "seed": 3}
    drawn = read_samples("demo/reviews", **how)
    file = read_samples(root / "demo/reviews/data/test-00000-of-00001.parquet", **how)
    assert drawn.rows == file.rows
    assert [drawn.n, drawn.labels, drawn.split] == [50, ("bad", "good"), "test"]
    assert drawn.slice_values == {"of.lang": ("de", "en")}
    assert drawn.revision in "".join(drawn.notes)


CONFIGS = """---
configs:
- config_name: films
  data_files: films.csv
- config_name: books
  data_files: books.csv
---
"""


def test_a_configuration_is_named_behind_the_id(
    root: Path, asked: Callable[..., LoopbackHub]
) -> None:
    """Without one where several are there, their names are told."""
    written(root / "demo/two", films_csv="text,label\na,1\n", books_csv="text,label\nb,1\n")
    (root / "demo/two/README.md").write_text(CONFIGS)
    asked()
    assert [texts("demo/two:films"), texts("demo/two:books")] == [["a"], ["b"]]
    with pytest.raises(
        BadInput, match=r"several configurations: 'films', 'books'. Write demo/two:"
    ):
        read_hub("demo/two", split=None)
    with pytest.raises(BadInput, match="'songs' not found"):
        read_hub("demo/two:songs", split=None)


def test_a_revision_can_be_named(root: Path, asked: Callable[..., LoopbackHub]) -> None:
    """The commit that was told reads the same rows; one that is not there is refused."""
    published(root / "demo/reviews", train=4, test=3)
    asked()
    commit = read_hub("demo/reviews", split=None).revision
    assert read_samples(f"demo/reviews@{commit}", split="train").revision == commit
    with pytest.raises(NotFound, match=r"'0000.*' doesn't exist"):
        read_hub(f"demo/reviews@{'0' * 40}", split=None)


def test_cells_of_csv_files_are_texts(root: Path, asked: Callable[..., LoopbackHub]) -> None:
    """NA and None are texts, 01 stays 01; a test split without the label is passed over."""
    written(root / "demo/cells", train_csv="text,label\nNA,01\nNone,1.0\n", test_csv="text\nfine\n")
    asked()
    table = read_hub("demo/cells", split=None)
    assert [values for _, values in table.records] == [("NA", "01"), ("None", "1.0")]
    assert "'test' has no labels" in table.notes[0]


def test_a_test_split_without_classes_is_passed_over(
    root: Path, asked: Callable[..., LoopbackHub]
) -> None:
    """As in published benchmarks, where its labels are all -1; asked by name it is read."""
    published(root / "demo/glue", train=6, validation=4)
    unlabelled = {"text": ["a", "b"], "label": [-1, -1], "of": [{"lang": "en"}] * 2}
    rows = datasets.Dataset.from_dict(unlabelled, features=FEATURES)
    rows.to_parquet(root / "demo/glue/data/test-00000-of-00001.parquet")
    asked()
    assert read_hub("demo/glue", split=None).split == "validation"
    splits = splits_of("demo/glue")
    assert splits is not None
    assert (splits.evidence, splits.others) == ("validation", ("train",))
    assert texts("demo/glue", "test") == ["a", "b"]


@pytest.mark.parametrize(
    ("split", "error", "said"),
    [
        ("holdout", NotFound, "no split 'holdout'; it has 'train', 'test'"),
        ("test[9:]", BadInput, "no row lies within the bounds"),
        ("test[-3:-3]", BadInput, r"test\[-3:-3\] names no row of the split's 3"),
    ],
)
def test_splits_that_are_not_there_are_refused(
    root: Path, asked: Callable[..., LoopbackHub], split: str, error: type[Exception], said: str
) -> None:
    """By name, with what there is."""
    published(root / "demo/reviews", train=4, test=3)
    asked()
    with pytest.raises(error, match=said):
        read_samples("demo/reviews", split=split)


def test_gated_data_needs_a_token(
    root: Path, asked: Callable[..., LoopbackHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is the one that the Hub's own tools use."""
    published(root / "demo/closed", test=3)
    asked(gated=["demo/closed"], token="hf_right")
    with pytest.raises(AccessRequired, match=r"gated.*HF_TOKEN"):
        read_samples("demo/closed")
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert read_samples("demo/closed").n == 3


def test_what_is_not_there_is_not_found(root: Path, asked: Callable[..., LoopbackHub]) -> None:
    """Neither a file nor a data set."""
    asked()
    with pytest.raises(NotFound, match="neither a file here nor a data set on the Hub"):
        read_samples("demo/nothing")


# datasets fetches files in an event loop of its own, which it leaves open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_images_come_with_their_folder_as_the_class(
    root: Path, asked: Callable[..., LoopbackHub], tmp_path: Path
) -> None:
    """Files are read from the Hub, and kept where the caller says."""
    pil = pytest.importorskip("PIL.Image")
    written(root / "demo/pictures")
    for at, colour in enumerate(("red", "blue")):
        folder = root / "demo/pictures/test" / colour
        folder.mkdir(parents=True)
        pil.new("RGB", (8 + at, 8), colour).save(folder / "1.png")
    asked()
    samples = read_samples("demo/pictures", shape=None, files=tmp_path / "files")
    assert (samples.task, samples.labels) == ("image-classification", ("blue", "red"))
    kept = {Path(str(row.file)).read_bytes() for row in samples.rows}
    assert kept == {path.read_bytes() for path in root.rglob("*.png")}
    gc.collect()


@pytest.mark.parametrize("pattern", ["README", "revision", "resolve/.*csv"])
def test_a_hub_that_hangs_up_is_told_in_a_line(
    root: Path, asked: Callable[..., LoopbackHub], monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    """Wherever it does."""
    monkeypatch.setattr(datasets.config, "STREAMING_OPEN_MAX_RETRIES", 1)
    monkeypatch.setattr(datasets.config, "STREAMING_READ_MAX_RETRIES", 1)
    monkeypatch.setattr("time.sleep", lambda _: None)
    written(root / "demo/cells", test_csv="text,label\na,1\nb,0\n")
    asked(faults=[Fault(pattern, nth=None, action=close())])
    with pytest.raises(SourceUnavailable, match=r"cannot be read: .*isconnected") as caught:
        read_samples("demo/cells")
    assert "\n" not in str(caught.value)


def test_a_data_set_without_data_is_refused(root: Path, asked: Callable[..., LoopbackHub]) -> None:
    """A description alone."""
    written(root / "demo/empty")
    asked()
    with pytest.raises(BadInput, match="doesn't contain any data files"):
        read_samples("demo/empty")


def test_a_script_is_not_run(root: Path, asked: Callable[..., LoopbackHub]) -> None:
    """It is refused by name."""
    written(root / "demo/code", code_py="raise SystemExit('ran')")
    asked()
    with pytest.raises(BadInput, match=r"scripts are no longer supported, but found code.py"):
        read_samples("demo/code")


def test_a_stream_that_breaks_off_is_told_in_a_line(
    root: Path, asked: Callable[..., LoopbackHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While rows are read: the first of two files came whole."""
    for name in ("STREAMING_READ_MAX_RETRIES", "STREAMING_OPEN_MAX_RETRIES"):
        monkeypatch.setattr(datasets.config, name, 1)
    rows = "".join(json.dumps({"text": f"line {at}"}) + "\n" for at in range(1000))
    files = {f"train-0000{at}-of-00002_jsonl": rows for at in (0, 1)}
    written(root / "demo/lines", **files)
    asked(faults=[Fault(r"train-00001-of", nth=None, action=status(410))])
    records = iter(read_hub("demo/lines", split=None).records)
    assert len([next(records) for _ in range(1000)]) == 1000
    with pytest.raises(SourceUnavailable, match=r"cannot be read: [^\n]*410"):
        next(records)


def test_recommender_data_tells_the_search(
    root: Path,
    asked: Callable[..., LoopbackHub],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """The command for `find`, with what was typed, that can be pasted into a shell."""
    from recommender.cli.data import command

    published(root / "demo/reviews", train=40, test=30)
    asked()
    monkeypatch.setenv("RECOMMENDER_HOME", str(tmp_path / "own"))
    arguments = ["demo/reviews", "--split", "train[:50%]", "--label", "label"]
    assert command.main(arguments, standalone_mode=False) == 0
    out = capsys.readouterr().out
    assert "demo/reviews train[:50%]: 20 rows" in out
    assert "train is evidence; left for training and calibration: none" in " ".join(out.split())
    typed = shlex.split(out.partition("search with:")[2])
    assert typed[:2] == ["recommender", "find"]
    assert {*typed[2:]} == {*arguments, "--require", "accuracy >= 0.9"}


def test_a_search_reads_a_slice_by_its_id(
    root: Path, asked: Callable[..., LoopbackHub], tmp_path: Path
) -> None:
    """The plan of `find` is about these rows."""
    from recommender import plan

    published(root / "demo/reviews", train=40, test=30)
    asked()
    (tmp_path / "zoo").mkdir()
    declared = plan(
        "demo/reviews", "accuracy >= 0.5", split="test[50%:]", home=tmp_path / "own",
        sources=f"folder:{tmp_path / 'zoo'}",
    )  # fmt: skip
    assert declared.n_rows == 15


STREAMED = """
import sys
from evaluators.cost.memory import memory
from evaluators.samples import read_samples
samples = read_samples(sys.argv[1], max_rows=1_000)
assert samples.n == 1_000
print(memory().peak_mb)
"""


@nightly
def test_a_stream_takes_constant_memory(root: Path, asked: Callable[..., LoopbackHub]) -> None:
    """Three million rows in one file (270 MB) take little more than one million do."""
    for name, millions in (("few", 1), ("many", 3)):
        written(root / "demo" / name)
        groups = (range(start, start + 20_000) for start in range(0, millions * 10**6, 20_000))
        in_groups(root / "demo" / name / "test.parquet", groups)
    home = {"HF_ENDPOINT": asked().endpoint, "HF_HOME": str(root / "home")}
    peaks_mb = [
        float(
            subprocess.run(
                [sys.executable, "-c", STREAMED, f"demo/{name}"],
                env=os.environ | home, capture_output=True, text=True, check=True,
            ).stdout
        )
        for name in ("few", "many")
    ]  # fmt: skip
    assert peaks_mb[1] < peaks_mb[0] + 60


def in_groups(file: Path, groups: Iterable[range]) -> None:
    """A parquet file with long texts of these numbers, a row group of each range."""
    schema = pyarrow.schema({"text": pyarrow.string(), "label": pyarrow.int64()})
    with pyarrow.parquet.ParquetWriter(file, schema) as out:
        for rows in groups:
            texts = [f"the text of row {at} " * 4 for at in rows]
            columns = [texts, [at % 3 for at in rows]]
            out.write_table(pyarrow.table(columns, schema=schema))


def test_row_groups_are_asked_for_a_few_at_a_time(
    root: Path, asked: Callable[..., LoopbackHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as lie within a limit; each once, in order, of several files too."""
    written(root / "demo/grouped")
    in_groups(
        root / "demo/grouped/test-0.parquet", [range(at, at + 50) for at in range(0, 600, 50)]
    )
    in_groups(root / "demo/grouped/test-1.parquet", [range(600, 603)])
    asked()
    read: list[list[list[int]]] = []
    plain = Parquet._generate_tables

    def noted(builder: Parquet, files: list[str], groups: list[list[int]]) -> Iterator[object]:
        read.append(groups)
        yield from plain(builder, files, groups)

    monkeypatch.setattr(Parquet, "_generate_tables", noted)
    monkeypatch.setattr(hub_parquet, "SPAN_BYTES", 20_000)  # a group has 5,000
    found = texts("demo/grouped")
    assert found == [f"the text of row {at} " * 4 for at in range(603)]
    spans = [groups for (groups,) in read]
    assert spans[0] == [0]  # what is looked at first
    begin = len(spans) - 1 - spans[::-1].index([0])  # the second file
    start = max(at for at in range(begin) if spans[at] == [0])
    assert [group for span in spans[start:begin] for group in span] == list(range(12))
    assert {len(span) for span in spans[start + 1 : begin]} <= {3, 4}


def test_other_files_are_streamed_as_datasets_does(
    root: Path, asked: Callable[..., LoopbackHub]
) -> None:
    """Spans are for parquet alone."""
    written(root / "demo/plain", test_csv="text,label\na,x\nb,y\n")
    asked()
    builder = datasets.load_dataset_builder("demo/plain")
    kind = type(builder)
    assert type(in_spans(builder)) is kind
