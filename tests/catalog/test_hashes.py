"""What files are known by: the SHA-256 of large ones, git's blob id of all others."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.exported_rows import read_record, to_record
from catalog.hashes import blob_id, blob_id_of
from catalog.hub_rows import read_file
from catalog.model import File, Model
from catalog.policy import Refusal
from catalog.repository import revision_of
from catalog.rows import COLUMNS, from_row, to_row
from catalog.sources.hub import HubSource
from catalog.testing import LoopbackHub
from evaluators.candidate import Candidate, Recipe

VOCABULARY = b"[PAD]\n[UNK]\n"
BLOB_ID = "9b63652e4599b6f141f83f77374ca035004e0c8f"
"""As `git hash-object` tells it."""

MODEL = Model(
    "demo/ant", "a" * 40, "hub",
    files=(
        File("model.safetensors", 300, "c" * 64), File("vocab.txt", 12, None, BLOB_ID),
        File("config.json", 5, None, "d" * 40), File("tokenizer.json", 7),
    ),
)  # fmt: skip
BEFORE = replace(MODEL, files=tuple(replace(file, blob_id=None) for file in MODEL.files))
"""The same model, described before blob ids were kept."""


def test_a_blob_id_is_gits(tmp_path: Path) -> None:
    """Of a file as of bytes in memory."""
    (tmp_path / "vocab.txt").write_bytes(VOCABULARY)
    assert blob_id_of(tmp_path / "vocab.txt") == blob_id(VOCABULARY) == BLOB_ID


def test_a_hub_tells_a_hash_of_each_file(zoo: Path) -> None:
    """Of a large file git holds a pointer, whose id says nothing of the content."""
    with LoopbackHub(zoo) as hub:
        files = HubSource(hub.endpoint, token=False).model("demo/ant").files
    found = {file.path: (file.sha256, file.blob_id) for file in files}
    assert found["vocab.txt"] == (None, BLOB_ID)
    assert found["model.safetensors"][0] is not None
    assert found["model.safetensors"][1] is None


@pytest.mark.parametrize(
    "told", [{"blobId": "x" * 40}, {"blobId": 7}, {}, {"blobId": BLOB_ID, "xetHash": "e" * 64},
             {"blobId": BLOB_ID, "lfs": {"sha256": "?"}}],
)  # fmt: skip
def test_what_is_no_blob_id_of_the_content_is_none(told: dict[str, object]) -> None:
    """The file stays listed."""
    assert read_file({"rfilename": "a", "size": 1, **told}) == File("a", 1)


@pytest.mark.parametrize("model", [MODEL, BEFORE])
def test_blob_ids_are_kept_and_exported(model: Model) -> None:
    """Older rows and exported files have none, and are read as before."""
    row = dict(zip(COLUMNS, to_row(model), strict=True))
    assert from_row(row) == model
    assert read_record(json.loads(json.dumps(to_record(model))), 0) == model
    widths = {len(values) for values in to_record(BEFORE)["files"]}
    assert widths == {3}


def test_a_strangers_blob_id_is_checked() -> None:
    """As all that an exported file holds."""
    record = to_record(MODEL) | {"files": [["a", 1, None, "../x"]]}
    refused = read_record(record, 0)
    assert isinstance(refused, Refusal)
    assert refused.reason == "files: '../x' is no git blob id"


def test_a_blob_id_changes_no_identity() -> None:
    """The download, a folder's revision and the key of a measurement are as before."""
    assert MODEL.download_bytes == BEFORE.download_bytes
    assert MODEL.weight_files == BEFORE.weight_files
    assert revision_of(MODEL.files) == revision_of(BEFORE.files)
    keys = {
        Candidate(model, Recipe("torch-fp32", "torch", "fp32"), 1.0, 1.0).artifact_key
        for model in (MODEL, BEFORE)
    }
    assert len(keys) == 1
