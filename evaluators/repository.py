"""Checks of a model's repository before any of it is loaded (faults F20 to F24, F28, F30)."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalog.plan import INDEX, VARIANTS, WHOLE
from evaluators.measurement import CandidateFailed, State

MAX_JSON_BYTES = 20 * 10**6
MAX_LAYERS = 1000
CODE_KEYS = ("auto_map", "custom_pipelines")
"""Keys of config.json by which transformers would run a repository's own code."""

UNSUPPORTED_KEYS = ("quantization_config", "compression_config", "base_model_name_or_path")
"""Keys that would make transformers load through another library or another repository."""

VOCABULARY_FILES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model",
    "tokenizer.model", "spm.model",
)  # fmt: skip

OFFSET_MODEL_TYPES = frozenset(
    {
        "roberta", "xlm-roberta", "camembert", "roberta-prelayernorm", "xlm-roberta-xl", "mpnet",
        "data2vec-text", "longformer", "luke", "ibert", "xmod", "esm", "bart", "mbart",
    }
)  # fmt: skip
"""Architectures whose positions begin behind the padding id, as in fairseq's RoBERTa."""

Config = Mapping[str, Any]  # JSON of unknown shape


def read_config(source: Path) -> Config:
    """config.json of a repository, refused where it asks for code or for another library."""
    config = _read_json(source / "config.json")
    for key in CODE_KEYS:
        if config.get(key):
            raise CandidateFailed(State.REMOTE_CODE, f"config.json asks for its own code ({key})")
    if any("attn_implementation" in key and "/" in str(config[key]) for key in config):
        reason = "config.json asks for an attention kernel from another repository"
        raise CandidateFailed(State.REMOTE_CODE, reason)
    for key in UNSUPPORTED_KEYS:
        if config.get(key):
            raise CandidateFailed(State.UNSUPPORTED, f"config.json has {key}: not served yet")
    _check_depth(config)
    return config


def check_vocabulary(source: Path) -> None:
    """CandidateFailed (no tokenizer) where no file holds a vocabulary.

    transformers would make up an empty vocabulary without a word.
    """
    if not any((source / name).is_file() for name in VOCABULARY_FILES):
        raise CandidateFailed(
            State.NO_TOKENIZER,
            f"the repository has none of {', '.join(VOCABULARY_FILES)}: its texts cannot be read",
        )


def labels_of(config: Config, *, several: bool = False) -> tuple[str, ...]:
    """Class names by output id; two made-up names where the config has none, as transformers.

    CandidateFailed for a head that gives `several` labels to a text, unless that is asked.
    """
    names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    labels = tuple(str(names.get(str(index), "")) for index in range(len(names)))
    if not all(labels):
        raise CandidateFailed(State.CORRUPT, f"id2label of config.json has gaps: {names}")
    if len(labels) == 1:
        raise CandidateFailed(State.UNSUPPORTED, "the model has one output: it is a regression")
    if config.get("problem_type") == "multi_label_classification" and not several:
        raise CandidateFailed(State.UNSUPPORTED, "the model gives several labels to one text")
    return labels


def max_positions(config: Config) -> int | None:
    """Tokens that the model's position embeddings allow; None where they set no limit."""
    positions = config.get("max_position_embeddings") or config.get("n_positions")
    if not isinstance(positions, int) or positions <= 0:
        return None
    if config.get("model_type") in OFFSET_MODEL_TYPES:
        positions -= int(config.get("pad_token_id") or 0) + 1
    return positions


def header_tensors(weights: Path) -> Mapping[str, Any]:
    """The tensors that a safetensors file declares, by name; nothing else of it is read.

    The format: 8 bytes of length (little endian), then JSON
    (https://huggingface.co/docs/safetensors, section Format).
    """
    with weights.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MAX_JSON_BYTES, weights.stat().st_size - 8):
            raise CandidateFailed(State.CORRUPT, f"{weights.name} has no safetensors header")
        header = _parse(file.read(length), weights.name)
    return {name: header[name] for name in header if name != "__metadata__"}


def weight_files(source: Path) -> list[Path]:
    """The safetensors files that transformers would load; CandidateFailed where none is."""
    single = source / WHOLE
    if single.is_file():
        return [single]
    index = source / INDEX
    if not index.is_file():
        variant = next((source / name for name in VARIANTS if (source / name).is_file()), None)
        if variant is not None:
            return [variant]
        raise CandidateFailed(
            State.UNSAFE_FORMAT, "the repository has no safetensors weights (pickle is not loaded)"
        )
    return [source / name for name in sorted(set(_read_json(index)["weight_map"].values()))]


def loaded_name(file: Path) -> str:
    """The name under which transformers looks for a file of weights."""
    return WHOLE if file.name in VARIANTS else file.name


def variant_of(source: Path) -> str | None:
    """How transformers names the precision of the weights, where the file's name holds it."""
    name = weight_files(source)[0].name
    return name.split(".")[1] if name in VARIANTS else None


def n_parameters(source: Path) -> int:
    """The number of values that the weight files declare."""
    total = 0
    for file in weight_files(source):
        for tensor in header_tensors(file).values():
            size = 1
            for extent in tensor["shape"]:
                size *= extent
            total += size
    return total


def _check_depth(config: Config) -> None:
    for key, value in config.items():
        if "layer" in key and isinstance(value, int) and value > MAX_LAYERS:
            reason = f"config.json says {key} = {value}; at most {MAX_LAYERS} are believed"
            raise CandidateFailed(State.CORRUPT, reason)


def _read_json(path: Path) -> Config:
    if not path.is_file():
        raise CandidateFailed(State.CORRUPT, f"the repository has no {path.name}")
    if path.stat().st_size > MAX_JSON_BYTES:
        raise CandidateFailed(State.CORRUPT, f"{path.name} is larger than {MAX_JSON_BYTES} bytes")
    return _parse(path.read_bytes(), path.name)


def _parse(text: bytes, name: str) -> Config:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CandidateFailed(State.CORRUPT, f"{name} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise CandidateFailed(State.CORRUPT, f"{name} is no JSON object")
    return value
