"""A repository's tokenizer as one tokenizer.json, so that serving needs no transformers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from evaluators.measurement import CandidateFailed, State
from evaluators.protocols import Arrays
from evaluators.repository import check_vocabulary, max_positions, read_config
from evaluators.serving import TOKENIZER_FILE, Padding, Serving
from evaluators.task import Task
from evaluators.tokenization import Tokenization, paired

SANE_LENGTH = 10**6
"""Tokenizers without a limit state 10^30."""

CHECKED_NAMES = ("input_ids", "attention_mask", "token_type_ids")


PROBES = ("good", "It was neither as bad nor as good as they had told us before we went there.")
"""Texts of different length on which exports are checked, besides the user's own."""


@dataclass(frozen=True, slots=True)
class RepositoryTokenizer:
    """The tokenizer as transformers makes it from a repository.

    `options` are the task's; `told` is what else serving must know of the repository, as JSON.
    """

    tokenizer: Any  # a transformers tokenizer: no type information
    max_length: int
    options: Mapping[str, Any]
    told: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, source: Path, task: Task) -> "RepositoryTokenizer":
        """CandidateFailed (no tokenizer, unsupported) where it cannot be had."""
        check_vocabulary(source)
        tokenizer = load_tokenizer(source)
        _check(tokenizer, vocabulary_size=read_config(source).get("vocab_size"))
        limits = (task.max_length, tokenizer.model_max_length, max_positions(read_config(source)))
        sane = [limit for limit in limits if limit is not None and limit < SANE_LENGTH]
        return cls(tokenizer, min(sane, default=task.max_length), task.options)

    @property
    def padding(self) -> Padding:
        """How it pads a batch."""
        tokenizer = self.tokenizer
        return Padding(tokenizer.pad_token_id, tokenizer.pad_token_type_id, tokenizer.padding_side)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The arrays that it makes of a text."""
        return tuple(name for name in self.tokenizer.model_input_names if name in CHECKED_NAMES)

    def settings(self) -> dict[str, Any]:
        """The fields of `Serving` that a tokenizer decides."""
        return {
            "input_names": self.input_names,
            "max_length": self.max_length,
            "truncation_side": self.tokenizer.truncation_side,
            "padding": self.padding,
            "options": dict(self.told),
        }

    def batches(self, texts: Sequence[str]) -> list[Arrays]:
        """Token arrays of several shapes, with padding and without."""
        return [dict(self.encode(batch)) for batch in (PROBES, *probe_batches(texts))]

    def axes(self, name: str) -> Mapping[int, str]:
        """Batch and length."""
        return {0: "batch", 1: "length"}

    def encode(self, texts: Sequence[str]) -> Any:
        """transformers' own encoding, padded, as numpy arrays."""
        both = paired(texts, self.options)
        seconds = [text[1] for text in both if isinstance(text, tuple)] or None
        return self.tokenizer(
            [text[0] if isinstance(text, tuple) else text for text in both],
            seconds,
            truncation=True,
            max_length=self.max_length,
            padding=True,
            return_tensors="np",
            return_token_type_ids=True,
        )

    def export(self, folder: Path) -> None:
        """Write tokenizer.json, laid out as on the Hub."""
        self.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER_FILE))

    def check_export(self, folder: Path, serving: Serving, texts: Sequence[str]) -> None:
        """CandidateFailed where the written tokenizer reads the texts in another way."""
        probes = [*PROBES, *texts]
        expected = self.encode(probes)
        exported = Tokenization.load(folder, serving)
        found = exported.batch(exported.encode(probes))
        for name in serving.input_names:
            if expected[name].shape != found[name].shape or (expected[name] != found[name]).any():
                reason = f"the exported tokenizer differs from transformers' own in {name}"
                raise CandidateFailed(State.EXPORT_DISAGREES, reason)


def load_tokenizer(source: Path) -> Any:
    """transformers' tokenizer of a repository; CandidateFailed where it cannot be had."""
    try:
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        reason = f"the tokenizer cannot be loaded: {error}"
        raise CandidateFailed(State.NO_TOKENIZER, reason) from error


def probe_batches(texts: Sequence[str]) -> list[list[str]]:
    """Batches of several shapes, with padding and without, from the shortest to the longest."""
    ordered = sorted(dict.fromkeys([*PROBES, *texts]), key=len)
    middle = ordered[len(ordered) // 2]
    return [[ordered[0]], [middle], [ordered[0], middle, ordered[-1]], ordered[-2:]]


def _check(tokenizer: Any, *, vocabulary_size: int | None) -> None:
    if not isinstance(getattr(tokenizer, "backend_tokenizer", None), Tokenizer):
        reason = f"its tokenizer ({type(tokenizer).__name__}) has no fast form to serve from"
        raise CandidateFailed(State.UNSUPPORTED, reason)
    if tokenizer.pad_token_id is None:
        reason = "its tokenizer has no padding token: texts cannot be batched"
        raise CandidateFailed(State.UNSUPPORTED, reason)
    n_tokens = len(tokenizer)
    if n_tokens <= len(tokenizer.all_special_tokens) + 1:
        raise CandidateFailed(State.NO_TOKENIZER, "the tokenizer's vocabulary is empty")
    if vocabulary_size is not None and n_tokens > vocabulary_size:
        reason = f"the tokenizer has {n_tokens} tokens, the model only {vocabulary_size}"
        raise CandidateFailed(State.CORRUPT, reason)
