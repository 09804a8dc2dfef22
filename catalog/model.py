"""A model as it is known without its weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from catalog.plan import choose_weights, whole_graphs

TOKENIZER_FILES = frozenset(
    {
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model",
        "tokenizer.model", "spm.model", "bpe.codes", "source.spm", "target.spm",
        "target_vocab.json", "normalizer.json", "chat_template.jinja", "chat_template.json",
        "generation_config.json", "preprocessor_config.json", "processor_config.json",
        "modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
        "config_sentence_transformers.json",
    }
)  # fmt: skip
"""The files that transformers reads besides the config and the weights, as named on the Hub: the
vocabulary and what else makes texts, images and sounds to inputs and outputs to texts.
"""

BYTES_BY_DTYPE: Mapping[str, float] = MappingProxyType(
    {
        "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2,
        "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F4": 0.5,
    }
)  # fmt: skip
"""Bytes a value, by the dtype names of the safetensors format."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a repository.

    A Hub tells the `sha256` of large files, which git does not hold, and of all others `blob_id`,
    git's id of their content.
    """

    path: str
    size_bytes: int
    sha256: str | None = None
    blob_id: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """A quality figure that the model's card claims; never evidence, only a hint."""

    dataset: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model without its weights, pinned to one commit.

    `source` is `hub`, `hub:ENDPOINT` (a mirror) or `folder:PATH`; `revision` is a commit hash of 40
    hexadecimal digits (for a folder, derived from its files' contents). `gated` means that the
    present token does not open it. `parameters` maps a safetensors dtype (`F32`) to
    the number of values. `labels` are in the order of the model's outputs; empty when unknown.
    `described` is False for a row of a listing: it has no files, mostly no labels, and where the
    listing tells no commit, the revision is empty. `tags` are those that no other field holds;
    `summary` is the card's first paragraph. `quantization` is the method that the config names.
    `security` is `safe`, the finding of the Hub's scan in words, or None where it is unknown.
    `told_parameters` is the number of weights that the Hub claims, kept only where the files hold
    another. `formats` are those of the weights: safetensors, onnx, pickle, gguf. `aliases` are
    other ids of models that answer alike (catalog/twins.py). `shards` are the files that the
    index of sharded weights names. `config_digest` is equal for configs that differ in nothing
    that decides an answer; None where the config was not read whole.
    """

    id: str
    revision: str
    source: str
    task: str | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    architecture: str | None = None
    model_type: str | None = None
    labels: tuple[str, ...] = ()
    label2id: Mapping[str, int] = field(default_factory=dict)
    n_layers: int | None = None
    embedding_parameters: int | None = None
    max_length: int | None = None
    has_remote_code: bool = False
    license: str | None = None
    languages: tuple[str, ...] = ()
    library: str | None = None
    base_models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    published: tuple[PublishedResult, ...] = ()
    downloads: int | None = None
    likes: int | None = None
    gated: bool = False
    disabled: bool = False
    last_modified: str | None = None
    described: bool = True
    author: str | None = None
    tags: tuple[str, ...] = ()
    summary: str | None = None
    created_at: str | None = None
    private: bool = False
    quantization: str | None = None
    security: str | None = None
    told_parameters: int | None = None
    formats: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    config_digest: str | None = None

    @property
    def name(self) -> str:
        """The model's id with its revision cut to 8 digits, as outputs show it."""
        return f"{self.id}@{self.revision[:8]}"

    @property
    def is_local(self) -> bool:
        """Whether its files are looked for on this machine, so that nothing is downloaded."""
        return self.source.startswith(("folder:", "snapshot:"))

    @property
    def n_parameters(self) -> int | None:
        """The number of weights; None when no safetensors header told it."""
        return sum(self.parameters.values()) or None

    @property
    def weight_bytes(self) -> int | None:
        """Bytes of the weights: of the files, else as their dtypes take; None if unknown."""
        in_files = sum(file.size_bytes for file in self.weight_files)
        stored = sum(BYTES_BY_DTYPE.get(dtype, 0) * n for dtype, n in self.parameters.items())
        return in_files or math.ceil(stored) or None

    @property
    def weight_files(self) -> tuple[File, ...]:
        """The safetensors files that are loaded, an index included: one format, no duplicates."""
        if not self.files:  # of millions of listed models
            return ()
        chosen = choose_weights((file.path for file in self.files), self.shards)
        return tuple(file for file in self.files if file.path in chosen)

    @property
    def tokenizer_files(self) -> tuple[File, ...]:
        """The tokenizer's files at the top of the repository."""
        return tuple(file for file in self.files if file.path in TOKENIZER_FILES)

    @property
    def config_files(self) -> tuple[File, ...]:
        """config.json, where there is one."""
        return tuple(file for file in self.files if file.path == "config.json")

    @property
    def onnx_files(self) -> tuple[File, ...]:
        """ONNX graphs that the repository already carries, whole in one file."""
        whole = whole_graphs(file.path for file in self.files)
        return tuple(file for file in self.files if file.path in whole)

    @property
    def download_bytes(self) -> int:
        """What a run from the safetensors weights downloads: weights, tokenizer, config."""
        needed = self.weight_files + self.tokenizer_files + self.config_files
        return sum({file.sha256 or file.path: file.size_bytes for file in needed}.values())
