"""What tasks that write texts share: a tokenizer served by transformers, and how to decode."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from catalog.model import TOKENIZER_FILES
from evaluators.classifier import batch_plan
from evaluators.measurement import CandidateFailed, State
from evaluators.protocols import Arrays
from evaluators.repository import Config, check_vocabulary, max_positions, read_config
from evaluators.serving import Padding, Serving
from evaluators.task import Task
from evaluators.tokenizer_export import SANE_LENGTH, load_tokenizer

GENERATION_FILE = "generation_config.json"

FORCED = "forced"
"""The option that holds what a build found out: fields of transformers' GenerationConfig."""

TARGET_POSITIONS = ("max_target_positions", "max_decoder_position_embeddings",
                    "max_position_embeddings")  # fmt: skip
"""Names in config.json for the longest text that a decoder can write, the surest first."""

READ_PADDING = {
    "repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1.0,
    "encoder_no_repeat_ngram_size": 0,
}  # fmt: skip
"""Generation settings that take a prompt's padding for text, with the values that do nothing."""


MOST_TIMES = 8
"""A batch of short rows has so many times as many as one of long rows."""


@dataclass(frozen=True, slots=True)
class ServedTokenizer:
    """A repository's tokenizer, served by transformers itself, as decoding needs it too.

    `told` are options that the build found out.
    """

    tokenizer: Any  # of transformers: no type information
    source: Path
    max_length: int
    side: str = "right"
    told: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_encoder(cls, source: Path, task: Task) -> "ServedTokenizer":
        """For models that read a text whole and then write another; long texts lose their end."""
        tokenizer = checked_tokenizer(source)
        limits = [task.max_length, *_limits(tokenizer, read_config(source))]
        return cls(tokenizer, source, min(limits))

    @classmethod
    def of_decoder(cls, source: Path, task: Task) -> "ServedTokenizer":
        """For models that go on with a prompt; long prompts lose their beginning.

        CandidateFailed where the model has no room for the prompt and what it is to write.
        """
        tokenizer = checked_tokenizer(source)
        n_new = _whole_number(task.options, "max_new_tokens")
        room = [limit - n_new for limit in _limits(tokenizer, read_config(source))]
        length = min([task.max_length, *room])
        if length < 1:
            reason = f"it reads and writes {length + n_new} tokens in all; {n_new} are to be new"
            raise CandidateFailed(State.UNSUPPORTED, reason)
        return cls(tokenizer, source, length, side="left")

    @property
    def input_names(self) -> tuple[str, ...]:
        """The arrays that it makes."""
        return ("input_ids", "attention_mask")

    def settings(self) -> dict[str, Any]:
        """The fields of `Serving` that a tokenizer decides."""
        return {
            "input_names": self.input_names,
            "max_length": self.max_length,
            "truncation_side": self.side,
            "padding": Padding(self.tokenizer.pad_token_id or 0, 0, self.side),
            "options": dict(self.told),
        }

    def batches(self, texts: Sequence[str]) -> list[Arrays]:
        """None: CandidateFailed, there is no graph of a model that writes."""
        raise CandidateFailed(State.UNSUPPORTED, "models that write texts run in torch alone")

    def axes(self, name: str) -> Mapping[int, str]:
        """Batch and length."""
        return {0: "batch", 1: "length"}

    def export(self, folder: Path) -> None:
        """Links to the tokenizer's files and to the settings of generation."""
        link_files(self.source, folder)

    def check_export(self, folder: Path, serving: Serving, texts: Sequence[str]) -> None:
        """Nothing: it is served by the same code."""


def link_files(source: Path, folder: Path) -> None:
    """Links to all that transformers reads besides the config and the weights."""
    for name in sorted(TOKENIZER_FILES):
        if (source / name).is_file() and not (folder / name).exists():
            (folder / name).symlink_to((source / name).resolve())


def checked_tokenizer(source: Path) -> Any:
    """The tokenizer, fast or not; CandidateFailed (no tokenizer) where it cannot be had."""
    check_vocabulary(source)
    tokenizer = load_tokenizer(source)
    if len(tokenizer) <= len(tokenizer.all_special_tokens) + 1:
        raise CandidateFailed(State.NO_TOKENIZER, "the tokenizer's vocabulary is empty")
    return tokenizer


def decoding_of(folder: Path, model: Any, serving: Serving, tokenizer: Any) -> GenerationConfig:
    """How an artifact's model writes: as its authors set, but greedily, or with beams if asked.

    Sampling and their number of beams are theirs no more; `max_new_tokens` is ours. It becomes the
    model's own, so that nothing else is read from elsewhere.
    """
    config = _stored(folder, model)
    n_new = _whole_number(serving.options, "max_new_tokens")
    n_new = min(n_new, *(_target_positions(read_config(folder)) or [n_new]))
    config.update(
        do_sample=False, temperature=None, top_k=None, top_p=None,
        num_beams=_whole_number(serving.options, "num_beams"), num_beam_groups=None,
        num_return_sequences=1, return_dict_in_generate=False,
        max_new_tokens=n_new, max_length=None, min_length=min(config.min_length or 0, n_new),
        pad_token_id=_pad(config, tokenizer, model), **serving.options.get(FORCED, {}),
    )  # fmt: skip
    if config.eos_token_id is None:
        config.eos_token_id = tokenizer.eos_token_id
    model.generation_config = config
    return config


def ends_of(config: GenerationConfig) -> frozenset[int]:
    """The tokens that end a text."""
    ends = config.eos_token_id
    return frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])


def plan_batches(
    lengths: Sequence[int], size: int, *, dtype: str, alike: bool = False, longest: int = 0
) -> Iterator[list[int]]:
    """Row numbers in batches in which a row's answer does not depend on the others'.

    int8 scales activations by the largest of the whole batch, and bfloat16 rounds sums by the
    batch's shape, so coarsely that texts part: there each row is a batch of its own. `alike` rows
    have one length, for models that padding would change. Where `size` rows of the `longest`
    length would fit into memory, so do more that are shorter: then up to 8 times as many share a
    batch, for writing costs hardly more for many rows than for few.
    """
    for rows in _batches(lengths, size if dtype == "float32" else 1, longest):
        if not alike:
            yield rows
            continue
        for _, same in groupby(rows, key=lambda row: lengths[row]):
            yield list(same)


def _batches(lengths: Sequence[int], size: int, longest: int) -> Iterator[list[int]]:
    """As `batch_plan` gives them, or larger where rows are short."""
    if size == 1 or not longest:
        yield from batch_plan(lengths, size)
        return
    (order,) = batch_plan(lengths, max(1, len(lengths))) if lengths else ([],)
    while order:
        n = max(size, min(MOST_TIMES * size, size * longest // lengths[order[0]]))
        yield order[:n]
        order = order[n:]


def padded(rows: Sequence[Sequence[int]], fill: int, *, side: str) -> dict[str, torch.Tensor]:
    """input_ids and attention_mask of rows of token ids, (n, longest) each."""
    from torch.nn.utils.rnn import pad_sequence

    ids = [torch.tensor(row) for row in rows]
    ones = [torch.ones(len(row), dtype=torch.int64) for row in rows]
    return {
        "input_ids": pad_sequence(ids, True, fill, side),
        "attention_mask": pad_sequence(ones, True, 0, side),
    }


def _stored(folder: Path, model: Any) -> GenerationConfig:
    if (folder / GENERATION_FILE).is_file():
        return GenerationConfig.from_pretrained(folder, local_files_only=True)
    return GenerationConfig.from_model_config(model.config)


def _limits(tokenizer: Any, config: Config) -> list[int]:
    inner = config.get("text_config")
    found = (tokenizer.model_max_length, max_positions(config),
             max_positions(inner) if isinstance(inner, dict) else None)  # fmt: skip
    return [limit for limit in found if limit is not None and limit < SANE_LENGTH]


def _target_positions(config: Config) -> list[int]:
    """The longest text that the decoder can write, less what it begins with."""
    told = (config.get(name) for name in TARGET_POSITIONS)
    return [n - BEGINNING for n in told if isinstance(n, int) and n > BEGINNING][:1]


BEGINNING = 4
"""Whisper's four tokens of language and task are the longest beginning."""


def _pad(config: GenerationConfig, tokenizer: Any, model: Any) -> int:
    """A token for padding, which is masked: any will do that the model has."""
    n_known = model.get_input_embeddings().num_embeddings
    for token in (tokenizer.pad_token_id, config.pad_token_id):
        if token is not None and token < n_known:
            return int(token)
    return min(ends_of(config), default=0)


def _whole_number(options: Mapping[str, Any], name: str) -> int:
    value = options.get(name)
    if not isinstance(value, int) or value < 1:
        reason = f"the task's option {name} is {value!r}; it must be a whole number from 1"
        raise CandidateFailed(State.UNSUPPORTED, reason)
    return value
