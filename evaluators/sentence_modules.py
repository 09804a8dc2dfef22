"""How a repository makes a text's embedding: the files of sentence-transformers, read by us.

Their format: https://sbert.net/docs/sentence_transformer/usage/custom_models.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # JSON of unknown shape

from catalog.untrusted import mapping
from evaluators.measurement import CandidateFailed, State

MODULES = "modules.json"
POOLING = "1_Pooling/config.json"
LIMITS = "sentence_bert_config.json"
PROMPTS = "config_sentence_transformers.json"

PREFIX = "pooling_mode_"
MODES = {
    "cls_token": "cls", "max_tokens": "max", "mean_tokens": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len_tokens", "weightedmean_tokens": "weightedmean",
    "lasttoken": "lasttoken",
}  # fmt: skip
"""Flags of older files, in the order in which several are joined, and what newer ones call them."""

PROMPT_NAMES = (("query",), ("document", "passage", "corpus"))
"""What the prompts of queries and of documents are called, the first found holds."""

COMPARISONS = ("cosine", "dot", "euclidean", "manhattan")

SERVED = ("Transformer", "Pooling", "Normalize")
"""Modules that we know; the last changes no cosine."""


@dataclass(frozen=True, slots=True)
class SentenceModules:
    """`pooling` are the means that are joined; `prompt` is put before every text.

    `max_length` is in tokens, None where the files set no limit.
    """

    pooling: tuple[str, ...] = ("mean",)
    prompt: str = ""
    lower: bool = False
    max_length: int | None = None

    @classmethod
    def read(cls, source: Path) -> "SentenceModules":
        """Of a repository; the mean over tokens where it has no such files.

        CandidateFailed for modules that are not served.
        """
        _check_modules(_json(source / MODULES, []))
        limits = mapping(_json(source / LIMITS, {}))
        limit = limits.get("max_seq_length")
        pooling = mapping(_json(source / POOLING, {}))
        prompt = _prompt(mapping(_json(source / PROMPTS, {})))
        if prompt and pooling.get("include_prompt") is False:
            raise CandidateFailed(State.UNSUPPORTED, "its pooling skips the prompt: not served yet")
        return cls(
            _pooling(pooling),
            prompt,
            bool(limits.get("do_lower_case")),
            limit if isinstance(limit, int) and limit > 0 else None,
        )


@dataclass(frozen=True, slots=True)
class SearchModules:
    """What is put before queries and documents, and how their embeddings are compared.

    As `encode_query` and `encode_document` of sentence-transformers do.
    """

    query_prompt: str = ""
    document_prompt: str = ""
    similarity: str = "cosine"
    normalize: bool = True

    @classmethod
    def read(cls, source: Path) -> "SearchModules":
        """Of a repository; no prompts and the cosine where it has no such files.

        CandidateFailed for a comparison that is not served.
        """
        config = mapping(_json(source / PROMPTS, {}))
        prompts = mapping(config.get("prompts"))
        query, document = (_first_prompt(config, prompts, names) for names in PROMPT_NAMES)
        if (query or document) and mapping(_json(source / POOLING, {})).get("include_prompt") is False:  # noqa: E501  # fmt: skip
            raise CandidateFailed(State.UNSUPPORTED, "its pooling skips the prompt: not served yet")
        similarity = str(config.get("similarity_fn_name") or "cosine")
        if similarity not in COMPARISONS:
            raise CandidateFailed(State.UNSUPPORTED, f"it compares by {similarity}: not served yet")
        modules = _json(source / MODULES, [])
        kinds = [str(mapping(module).get("type")) for module in modules]
        normalizes = any(kind.endswith(".Normalize") for kind in kinds)
        return cls(query, document, similarity, normalizes or similarity == "cosine")


def _first_prompt(
    config: Mapping[str, Any], prompts: Mapping[str, Any], names: tuple[str, ...]
) -> str:
    """The prompt of the first of the names that has one, else the default one."""
    known = next((name for name in names if name in prompts), None)
    return _prompt(config) if known is None else str(prompts[known])


def _check_modules(modules: Any) -> None:
    for module in modules if isinstance(modules, list) else []:
        kind = str(mapping(module).get("type"))
        if not kind.startswith("sentence_transformers."):
            raise CandidateFailed(State.REMOTE_CODE, f"{MODULES} asks for its own code ({kind})")
        name, path = kind.rpartition(".")[2], str(mapping(module).get("path", ""))
        if name not in SERVED or (name == "Transformer" and path):
            reason = f"{MODULES} has {name} in {path!r}: not served yet"
            raise CandidateFailed(State.UNSUPPORTED, reason)
        if name == "Pooling" and path != POOLING.partition("/")[0]:
            raise CandidateFailed(State.UNSUPPORTED, f"{MODULES} has its pooling in {path!r}")


def _pooling(config: Mapping[str, Any]) -> tuple[str, ...]:
    told = config.get("pooling_mode")
    if told is None:
        told = [MODES[flag] for flag in MODES if config.get(PREFIX + flag)] or ["mean"]
    found = tuple(map(str, told if isinstance(told, list) else [told]))
    unknown = [mode for mode in found if mode not in MODES.values()]
    if unknown:
        raise CandidateFailed(State.UNSUPPORTED, f"its pooling is {unknown[0]}: not served yet")
    return found


def _prompt(config: Mapping[str, Any]) -> str:
    name = config.get("default_prompt_name")
    return str(mapping(config.get("prompts")).get(name, "")) if isinstance(name, str) else ""


def _json(file: Path, absent: Any) -> Any:
    if not file.is_file():
        return absent
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CandidateFailed(State.CORRUPT, f"{file.name} cannot be read: {error}") from error
