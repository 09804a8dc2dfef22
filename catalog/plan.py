"""Which files of a repository a run reads: one format of weights, each tensor once."""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
VARIANTS = ("model.fp32.safetensors", "model.bf16.safetensors", "model.fp16.safetensors")
"""Other precisions of the same weights, as transformers names them; the most exact first."""

EXTERNAL_DATA = re.compile(r"(?P<graph>.+\.onnx)(?:_data(?:_\d+)?|\.data)")
"""How exporters name the files that hold an ONNX graph's weights outside the graph."""

FORMATS = {
    ".safetensors": "safetensors", ".onnx": "onnx", ".gguf": "gguf", ".bin": "pickle",
    ".pt": "pickle", ".pth": "pickle", ".ckpt": "pickle", ".pkl": "pickle", ".pickle": "pickle",
    ".joblib": "pickle",
}  # fmt: skip
"""A format of weights, by the end of a file's name."""

TRAINING_STEMS = ("training_args", "optimizer", "scheduler", "scaler", "rng_state")
"""Pickles that a trainer leaves behind, which hold no weights."""


def choose_weights(paths: Iterable[str], shards: Sequence[str] = ()) -> frozenset[str]:
    """The safetensors files that are loaded, the index included; none where nothing can be.

    One whole file is preferred, then the `shards` that the index names (where it could not be
    read, the files at the top that are named like shards), then another precision.
    """
    found = frozenset(paths)
    if WHOLE in found:
        return frozenset([WHOLE])
    if INDEX in found:
        return frozenset([INDEX, *(shards or filter(SHARD.fullmatch, found))])
    return frozenset([path for path in VARIANTS if path in found][:1])


def whole_graphs(paths: Iterable[str]) -> frozenset[str]:
    """The ONNX graphs that hold their weights themselves."""
    found = frozenset(paths)
    split = {match["graph"] for path in found if (match := EXTERNAL_DATA.fullmatch(path))}
    return frozenset(path for path in found if path.endswith(".onnx")) - split


def formats_of(paths: Collection[str]) -> tuple[str, ...]:
    """The formats that a repository keeps weights in, sorted."""
    found = {
        FORMATS[place.suffix]
        for place in map(PurePosixPath, paths)
        if place.suffix in FORMATS and not place.stem.startswith(TRAINING_STEMS)
    }
    return tuple(sorted(found))
