"""Samples of `datasets` objects and of data sets that it loads; no network."""

import datasets
import pytest

from cache.errors import BadInput, NotFound, SourceUnavailable
from evaluators.reading.hub import read_hub
from evaluators.samples import Row, Samples, read_samples

FEATURES = datasets.Features(
    {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
)


@pytest.fixture
def two() -> datasets.Dataset:
    """A data set of two rows with named classes."""
    columns = {"sentence": ["good", "bad"], "label": [1, 0]}
    return datasets.Dataset.from_dict(columns, features=FEATURES)


def test_class_names_are_used(two):
    """Integers of a ClassLabel column become their names."""
    assert Samples.of(two).rows == (Row("good", "pos"), Row("bad", "neg"))


def test_unlabelled_rows_are_missing():
    """-1 is how test splits without labels are published."""
    columns = {"sentence": ["good", "bad"], "label": [1, -1]}
    with pytest.raises(BadInput, match="index 1: 1 row has no label"):
        Samples.of(datasets.Dataset.from_dict(columns, features=FEATURES))


def test_several_splits_are_refused(two):
    """A DatasetDict must be narrowed to one split."""
    with pytest.raises(BadInput, match="holds several splits"):
        Samples.of(datasets.DatasetDict(test=two))


def test_parquet_keeps_class_names(two, tmp_path):
    """A parquet file written by datasets gives the class names too."""
    two.to_parquet(tmp_path / "two.parquet")
    assert read_samples(tmp_path / "two.parquet").labels == ("neg", "pos")


@pytest.fixture
def published(two, tmp_path) -> str:
    """A folder laid out as a data set's repository, with two splits."""
    for split in ("train", "test"):
        two.to_parquet(tmp_path / "set" / "data" / f"{split}.parquet")
    return str(tmp_path / "set")


def test_a_data_set_gives_its_test_split(published, monkeypatch, tmp_path):
    """Without a split the test split is read, and a note says so."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    table = read_hub(published, split=None)
    assert [values for _, values in table.records] == [("good", 1), ("bad", 0)]
    assert table.notes == ("split: 'test' of 'train', 'test'",)
    assert table.class_names == {"label": ("neg", "pos")}


def test_a_split_can_be_sliced(published, monkeypatch, tmp_path):
    """The split's syntax is that of datasets."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    table = read_hub(published, split="train[:1]")
    assert [values for _, values in table.records] == [("good", 1)]


def test_an_unknown_split_is_refused(published, monkeypatch, tmp_path):
    """With those that there are."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    with pytest.raises(NotFound, match="no split 'dev'; it has 'train', 'test'"):
        read_hub(published, split="dev")


def test_a_data_set_out_of_reach_is_said_to_be_so(monkeypatch):
    """Offline, a name that is no file is answered with both: no file, and no Hub."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceUnavailable, match="is no file here, and the Hub's data set"):
        read_samples("nobody/no-such-data")
