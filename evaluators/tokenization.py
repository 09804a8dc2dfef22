"""Texts to token ids at serving time, by the `tokenizers` library alone (no transformers)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from evaluators.serving import TOKENIZER_FILE, Serving

TokenArrays = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Tokenization:
    """A tokenizer with the cut and the padding that an artifact is served with."""

    tokenizer: Any  # tokenizers.Tokenizer: a Rust class without type information
    serving: Serving

    @classmethod
    def load(cls, folder: Path, serving: Serving) -> "Tokenization":
        """The tokenizer of an artifact's folder."""
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        tokenizer.no_padding()
        tokenizer.enable_truncation(serving.max_length, direction=serving.truncation_side)
        return cls(tokenizer, serving)

    def encode(self, texts: Sequence[str]) -> "list[Encoding]":
        """One encoding a text, cut to the longest length allowed, not padded."""
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        encodings: list[Encoding] = self.tokenizer.encode_batch_fast(clean)
        return encodings

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the longest length allowed."""
        return sum(bool(encoding.overflowing) for encoding in self.encode(texts))

    def batch(self, encodings: "Sequence[Encoding]") -> TokenArrays:
        """The model's inputs, (n, longest of them) each."""
        padding = self.serving.padding
        columns = {
            "input_ids": ([encoding.ids for encoding in encodings], padding.token_id),
            "attention_mask": ([encoding.attention_mask for encoding in encodings], 0),
            "token_type_ids": ([encoding.type_ids for encoding in encodings], padding.type_id),
        }
        return {
            name: _padded(*columns[name], side=padding.side) for name in self.serving.input_names
        }


def _padded(rows: Sequence[Sequence[int]], fill: int, *, side: str) -> NDArray[np.int64]:
    length = max(len(row) for row in rows)
    array = np.full((len(rows), length), fill, dtype=np.int64)
    for index, row in enumerate(rows):
        start = length - len(row) if side == "left" else 0
        array[index, start : start + len(row)] = row
    return array
