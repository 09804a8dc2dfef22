"""What a model's config.json tells without its weights."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any  # config.json is read value by value

from catalog.untrusted import count, mapping, text, texts

TASK_BY_HEAD: Mapping[str, str] = MappingProxyType(
    {
        "ForSequenceClassification": "text-classification",
        "ForTokenClassification": "token-classification",
        "ForImageClassification": "image-classification",
        "ForAudioClassification": "audio-classification",
        "ForVideoClassification": "video-classification",
        "ForQuestionAnswering": "question-answering",
        "ForMaskedLM": "fill-mask",
        "ForCausalLM": "text-generation",
        "LMHeadModel": "text-generation",
        "ForSpeechSeq2Seq": "automatic-speech-recognition",
        "ForCTC": "automatic-speech-recognition",
        "ForObjectDetection": "object-detection",
        "ForSemanticSegmentation": "image-segmentation",
    }
)
"""The Hub's pipeline tag, by how a transformers class name ends."""

SPEECH = (
    "Wav2Vec2", "Hubert", "WavLM", "UniSpeech", "Data2VecAudio", "SEW",
)  # fmt: skip
"""Speech models whose class of sequences is a class of sounds."""

PADDED_POSITIONS = frozenset(
    {
        "roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert",
        "longformer", "mpnet", "data2vec-text", "ibert", "xmod", "luke", "layoutlmv3", "esm",
    }
)  # fmt: skip
"""Model types whose first two positions are reserved, so that 514 positions hold 512 tokens."""

WRITTEN_BESIDE = ("_name_or_path", "_commit_hash", "transformers_version")
"""Keys that tell where and by which version a config was written."""

LABELS_LIMIT = 100_000
KNOWN_ARCHITECTURES = 1024
"""Of so many, the task is not worked out again."""


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """The part of config.json that the catalog keeps; each field is as in Model."""

    task: str | None = None
    architecture: str | None = None
    model_type: str | None = None
    labels: tuple[str, ...] = ()
    label2id: Mapping[str, int] = field(default_factory=dict)
    n_layers: int | None = None
    embedding_parameters: int | None = None
    max_length: int | None = None
    has_remote_code: bool = False
    quantization: str | None = None

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> "ConfigFacts":
        """Reads what is there; values of a wrong type count as absent."""
        architecture = next(iter(texts(config.get("architectures"))), None)
        return cls(
            task=_task(architecture or ""),
            architecture=architecture,
            model_type=text(config.get("model_type")),
            labels=_labels(mapping(config.get("id2label"))),
            label2id=_label2id(mapping(config.get("label2id"))),
            n_layers=_first_count(config, "num_hidden_layers", "n_layers", "n_layer", "num_layers"),
            embedding_parameters=_embedding_parameters(config),
            max_length=_max_length(config),
            has_remote_code=bool(config.get("auto_map")),
            quantization=_quantization(config),
        )


def config_digest(config: Mapping[str, Any]) -> str:
    """Equal for configs that differ in the order of keys or in who wrote them alone."""
    told = {key: value for key, value in config.items() if key not in WRITTEN_BESIDE}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(KNOWN_ARCHITECTURES)
def _task(architecture: str) -> str | None:
    if architecture.endswith("ForSequenceClassification") and architecture.startswith(SPEECH):
        return "audio-classification"
    return next((task for end, task in TASK_BY_HEAD.items() if architecture.endswith(end)), None)


def _labels(id2label: Mapping[str, Any]) -> tuple[str, ...]:
    """The names in the order of the outputs; none at all when one is missing."""
    if not id2label or len(id2label) > LABELS_LIMIT:
        return ()
    names = [id2label.get(str(index)) for index in range(len(id2label))]
    if any(isinstance(name, bool) or not isinstance(name, str | int) for name in names):
        return ()
    found = [text(str(name)) for name in names]
    return tuple(name for name in found if name is not None) if all(found) else ()


def _label2id(pairs: Mapping[str, Any]) -> dict[str, int]:
    if not pairs or len(pairs) > LABELS_LIMIT:
        return {}
    read = ((text(name), count(index)) for name, index in pairs.items())
    return {name: index for name, index in read if name is not None and index is not None}


def _embedding_parameters(config: Mapping[str, Any]) -> int | None:
    """Values in the embedding tables: words, learned positions and token types."""
    vocabulary = count(config.get("vocab_size"))
    if not vocabulary:
        return None
    width = _first_count(config, "embedding_size", "hidden_size", "dim", "d_model", "n_embd")
    if not width:
        return None
    positions = _positions(config) if _learns_positions(config) else 0
    types = count(config.get("type_vocab_size")) or 0
    return count((vocabulary + positions + types) * width)


def _learns_positions(config: Mapping[str, Any]) -> bool:
    if any("rope" in key or "relative_attention" in key for key in config):
        return config.get("position_biased_input") is True
    return bool(config.get("position_embedding_type", "absolute") == "absolute")


def _positions(config: Mapping[str, Any]) -> int:
    return _first_count(config, "max_position_embeddings", "n_positions", "max_seq_len") or 0


def _max_length(config: Mapping[str, Any]) -> int | None:
    length = _positions(config)
    if length and text(config.get("model_type")) in PADDED_POSITIONS:
        length -= 2
    return length if length > 0 else None


def _quantization(config: Mapping[str, Any]) -> str | None:
    """The method that packed the weights; `unknown` where one did and is not named."""
    told = config.get("quantization_config") or config.get("compression_config")
    if not told:
        return None
    facts = mapping(told)
    if facts.get("load_in_8bit") or facts.get("load_in_4bit"):  # older than the method's name
        return text(facts.get("quant_method")) or "bitsandbytes"
    return text(facts.get("quant_method")) or "unknown"


def _first_count(config: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = count(config.get(name))
        if value is not None:
            return value
    return None
