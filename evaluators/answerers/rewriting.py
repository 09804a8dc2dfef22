"""Encoder-decoder models at work: a text in, another text out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from evaluators.generation import checked_tokenizer, decoding_of, padded, plan_batches
from evaluators.reading.contents import parts_of
from evaluators.serving import Serving
from evaluators.tokenization import clean

PREFIX, SOURCE_CODE = "prefix", "source_code"
"""Options that a build found out: what stands before each text, and the language it is in."""


@dataclass(frozen=True, slots=True)
class Rewriter:
    """`decoding` is transformers' GenerationConfig. `lengths` are those of the texts that were
    answered last, cut: what is shorter than the limit was not cut, and is not encoded again."""

    serving: Serving
    tokenizer: Any  # of transformers: no type information
    model: Any
    decoding: Any
    dtype: str
    weight_bytes: int
    lengths: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(
        cls, folder: Path, serving: Serving, model: Any, dtype: str, weight_bytes: int
    ) -> "Rewriter":
        """The writer of an artifact."""
        tokenizer = checked_tokenizer(folder)
        if SOURCE_CODE in serving.options:
            tokenizer.src_lang = serving.options[SOURCE_CODE]
        decoding = decoding_of(folder, model, serving, tokenizer)
        return cls(serving, tokenizer, model, decoding, dtype, weight_bytes)

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """What the model writes for each text, as JSON strings."""
        rows_ids = [self._encode(text, cut=True) for text in texts]
        self.lengths.clear()
        self.lengths.update(zip(texts, map(len, rows_ids), strict=True))
        n_new = int(self.decoding.max_new_tokens)
        lengths = [len(ids) + n_new for ids in rows_ids]
        found = [""] * len(texts)
        for rows in plan_batches(
            lengths, batch_size or self.serving.batch_size, dtype=self.dtype,
            alike=self.reads_padding, longest=self.serving.max_length + n_new,
        ):  # fmt: skip
            ids = [rows_ids[row] for row in rows]
            batch = padded(ids, self.decoding.pad_token_id, side="right")
            with torch.inference_mode():
                written = self.model.generate(**batch, generation_config=self.decoding)
            for row, line in zip(rows, written.tolist(), strict=True):
                text = str(self.tokenizer.decode(line, skip_special_tokens=True))
                found[row] = json.dumps(text.strip(), ensure_ascii=False)
        return found

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the model may read."""
        limit = self.serving.max_length
        long = [text for text in texts if self.lengths.get(text, limit) >= limit]
        return sum(len(self._encode(text, cut=False)) > limit for text in long)

    @property
    def reads_padding(self) -> bool:
        """Whether the settings of its authors look at the tokens that were read."""
        penalty = getattr(self.decoding, "encoder_repetition_penalty", None)
        repeats = getattr(self.decoding, "encoder_no_repeat_ngram_size", None)
        return penalty not in (None, 1.0) or bool(repeats)

    def _encode(self, text: str, *, cut: bool) -> list[int]:
        whole = str(self.serving.options.get(PREFIX, "")) + str(parts_of(text).get("text", ""))
        limit = self.serving.max_length if cut else None
        ids: list[int] = self.tokenizer(str(clean(whole)), truncation=cut, max_length=limit)[
            "input_ids"
        ]
        return ids or [self.decoding.pad_token_id]
