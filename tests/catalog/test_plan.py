"""Which files a run downloads: one format of weights, each tensor once, to the byte."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from catalog.model import File, Model
from catalog.plan import choose_weights, formats_of
from catalog.sources.hub import HubSource
from catalog.testing import LoopbackHub
from catalog.untrusted import Unreadable

Write = Callable[..., Path]
Weights = Callable[[Mapping[str, tuple[str, list[int], int]]], bytes]

INDEX = "model.safetensors.index.json"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")

CHOICES = {
    "one file, with copies": (
        ("model.safetensors", "model.fp16.safetensors", INDEX, *SHARDS, "pytorch_model.bin",
         "onnx/model.onnx", "tf_model.h5", "flax_model.msgpack"),
        {"model.safetensors"},
    ),
    "shards": ((INDEX, *SHARDS, "pytorch_model-00001-of-00002.bin"), {INDEX, *SHARDS}),
    "shards without an index": (SHARDS, set()),
    "a variant alone": (
        ("model.fp16.safetensors", "model.bf16.safetensors", "model.int8.safetensors"),
        {"model.bf16.safetensors"},
    ),
    "an index before a variant": ((INDEX, *SHARDS, "model.fp16.safetensors"), {INDEX, *SHARDS}),
    "below the top": (("sub/model.safetensors", "checkpoint-5/model.safetensors"), set()),
    "another kind": (("adapter_model.safetensors", "consolidated.safetensors"), set()),
}  # fmt: skip


@pytest.mark.parametrize(("paths", "expected"), CHOICES.values(), ids=CHOICES.keys())
def test_one_format_is_chosen(paths: tuple[str, ...], expected: set[str]) -> None:
    """What transformers would load, and no copy of it."""
    assert choose_weights(paths) == expected


def test_the_index_names_the_shards() -> None:
    """Those of another split, which lie beside them, are not loaded."""
    paths = [INDEX, *SHARDS, "model-00001-of-00001.safetensors", "weights/a.safetensors"]
    assert choose_weights(paths, ["weights/a.safetensors"]) == {INDEX, "weights/a.safetensors"}


def test_graphs_with_external_data_are_not_whole() -> None:
    """Whatever the exporter calls the file beside the graph."""
    paths = ["a.onnx", "b.onnx", "b.onnx_data", "c.onnx", "c.onnx.data", "d.onnx", "d.onnx_data_1"]
    model = Model("x", "0" * 40, "hub", files=tuple(File(path, 1) for path in paths))
    assert [file.path for file in model.onnx_files] == ["a.onnx"]


def test_formats_are_those_of_weights() -> None:
    """A trainer's leavings are pickles without weights."""
    paths = ["model.safetensors", "onnx/model.onnx", "training_args.bin", "optimizer.pt"]
    assert formats_of(paths) == ("onnx", "safetensors")
    assert formats_of(["pytorch_model.bin", "m-q4.gguf"]) == ("gguf", "pickle")


@pytest.fixture
def layouts(tmp_path: Path, write_repository: Write, weights_file: Weights) -> Path:
    """Repositories as people leave them: copies, shards of two splits, a variant, shared files."""
    root = tmp_path / "layouts"
    part = {name: weights_file({name: ("F16", [n], 2 * n)}) for n, name in enumerate("abc", 3)}
    index = {"weight_map": {"a": SHARDS[0], "b": SHARDS[1]}, "metadata": {"total_size": 1}}
    copies = {"pytorch_model.bin": b"p" * 999, "onnx/model.onnx": b"o" * 500, "tf_model.h5": b"t",
              "checkpoint-1/model.safetensors": part["a"], "model.fp16.safetensors": part["b"],
              "tokenizer.json": b"{}", "tokenizer_config.json": b"{ }"}  # fmt: skip
    write_repository(root / "copies", files=copies)
    shards = {SHARDS[0]: part["a"], SHARDS[1]: part["b"], INDEX: json.dumps(index).encode()}
    other = {f"model-0000{i}-of-00003.safetensors": part["c"] for i in (1, 2, 3)}
    write_repository(root / "shards", files=shards | other)
    (root / "shards/model.safetensors").unlink()
    same = {SHARDS[0]: part["a"], SHARDS[1]: part["a"], INDEX: json.dumps(index).encode()}
    write_repository(root / "same", files=same)
    (root / "same/model.safetensors").unlink()
    write_repository(root / "variant", files={"model.fp16.safetensors": part["c"]})
    (root / "variant/model.safetensors").unlink()
    return root


def bytes_on_disk(cache: Path) -> int:
    return sum(path.stat().st_size for path in cache.glob("models--*/blobs/*"))


@pytest.mark.parametrize("id", ["copies", "shards", "same", "variant"])
def test_the_download_is_told_to_the_byte(layouts: Path, tmp_path: Path, id: str) -> None:
    """What lies in the cache afterwards is what was announced, and no byte more."""
    with LoopbackHub(layouts) as hub:
        source = HubSource(hub.endpoint, token=False, cache_folder=tmp_path / "cache")
        model = source.model(id)
        needed = model.weight_files + model.tokenizer_files + model.config_files
        source.fetch(model, [file.path for file in needed])
    assert bytes_on_disk(tmp_path / "cache") == model.download_bytes


@pytest.mark.parametrize("id", ["shards", "variant", "copies"])
def test_the_chosen_weights_can_be_loaded(layouts: Path, tmp_path: Path, id: str) -> None:
    """Parameters are those of the chosen files alone."""
    expected = {"shards": {"F16": 3 + 4}, "variant": {"F16": 5}, "copies": {"F32": 70}}
    with LoopbackHub(layouts) as hub:
        assert HubSource(hub.endpoint, token=False).model(id).parameters == expected[id]


BAD_INDEXES = {
    "a shard that is not there": {"a": SHARDS[0], "b": "model-00009-of-00009.safetensors"},
    "a path outside": {"a": "../model.safetensors"},
    "a pickle": {"a": "pytorch_model.bin"},
    "nothing": {},
    "no text": {"a": 7},
    "too many": {str(i): f"model-{i}-of-999.safetensors" for i in range(201)},
}


@pytest.mark.parametrize("weight_map", BAD_INDEXES.values(), ids=BAD_INDEXES.keys())
def test_a_lying_index_is_unreadable(layouts: Path, weight_map: dict[str, object]) -> None:
    """The message names the index; nothing outside the repository is asked for."""
    (layouts / "shards" / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    with LoopbackHub(layouts) as hub, pytest.raises(Unreadable, match=r"index\.json names"):
        HubSource(hub.endpoint, token=False).model("shards")
