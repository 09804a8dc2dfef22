"""Texts to token ids at serving time, by the `tokenizers` library alone (no transformers)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from evaluators.reading.contents import parts_of
from evaluators.serving import TOKENIZER_FILE, Serving

TokenArrays = Mapping[str, NDArray[np.int64]]

Text = str | tuple[str, str]
"""A text, or two that are one input."""


class Tokens(Protocol):
    """One input of a model: an Encoding of tokenizers, or a part of one."""

    @property
    def ids(self) -> list[int]:
        """The tokens' numbers."""
        ...

    @property
    def attention_mask(self) -> list[int]:
        """1 for each token that is no padding."""
        ...

    @property
    def type_ids(self) -> list[int]:
        """Of which text each token is."""
        ...


@dataclass(frozen=True, slots=True)
class Tokenization:
    """A tokenizer with the cut and the padding that an artifact is served with.

    `cut` holds the texts that were encoded last and how many of them were cut, so that counting
    them does not encode them again.
    """

    tokenizer: Any  # tokenizers.Tokenizer: a Rust class without type information
    serving: Serving
    cut: dict[tuple[Any, ...], int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(cls, folder: Path, serving: Serving) -> "Tokenization":
        """The tokenizer of an artifact's folder."""
        loaded = cls.uncut(folder, serving)
        loaded.tokenizer.enable_truncation(serving.max_length, direction=serving.truncation_side)
        return loaded

    @classmethod
    def uncut(cls, folder: Path, serving: Serving) -> "Tokenization":
        """The same tokenizer without a limit, for answerers that cut in their own way."""
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(tokenizer, serving)

    def encode(self, texts: Sequence[Text]) -> "list[Encoding]":
        """One encoding a text or pair, cut to the longest length allowed, not padded."""
        encodings: list[Encoding] = self.tokenizer.encode_batch_fast(
            [clean(text) for text in paired(texts, self.serving.options)]
        )
        self._count_cut(tuple(texts), encodings)
        return encodings

    def encode_words(self, rows: Sequence[Sequence[str]]) -> "list[Encoding]":
        """One encoding a row of words, which `word_ids` tells apart, cut but not padded."""
        cleaned = [[str(clean(word)) for word in words] for words in rows]
        if self.keeps_spaces:  # such tokenizers tell a word's beginning by the blank before it
            cleaned = [[word if not at else f" {word}" for at, word in enumerate(words)]
                       for words in cleaned]  # fmt: skip
        encodings: list[Encoding] = self.tokenizer.encode_batch(cleaned, is_pretokenized=True)
        self._count_cut(tuple(map(tuple, rows)), encodings)
        return encodings

    @property
    def keeps_spaces(self) -> bool:
        """Whether blanks are parts of tokens, as in byte-level BPE (GPT-2, RoBERTa)."""
        return "ByteLevel" in str(self.tokenizer.pre_tokenizer)

    def n_cut(self, texts: Sequence[Text]) -> int:
        """How many of the texts are longer than the longest length allowed."""
        asked = tuple(texts)
        if asked not in self.cut:
            self.encode(texts)
        return self.cut[asked]

    def n_cut_words(self, rows: Sequence[Sequence[str]]) -> int:
        """How many rows of words are longer than the longest length allowed."""
        asked = tuple(map(tuple, rows))
        if asked not in self.cut:
            self.encode_words(rows)
        return self.cut[asked]

    def _count_cut(self, asked: tuple[Any, ...], encodings: "Sequence[Encoding]") -> None:
        self.cut.clear()
        self.cut[asked] = sum(bool(encoding.overflowing) for encoding in encodings)

    def batch(self, encodings: "Sequence[Tokens]") -> TokenArrays:
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


PARTS = "parts"
"""The option that names the one or two parts of a row's content that the model reads."""


def paired(texts: Sequence[Text], options: Mapping[str, Any]) -> list[Text]:
    """The texts; where the task's rows have parts, those."""
    names = ["text", "text_pair"] if options.get("text_pair") else options.get(PARTS)
    if not names:
        return list(texts)
    return [_parts(text, names) if isinstance(text, str) else text for text in texts]


def _parts(content: str, names: Sequence[str]) -> Text:
    """The first part, or two; of a part that is a list, its first item."""
    parts = parts_of(content)
    values = [parts.get(names[0], parts.get("text", "")), *(parts.get(n, "") for n in names[1:])]
    found = [str(next(iter(one), "") if isinstance(one, list) else one) for one in values]
    return found[0] if len(found) == 1 else (found[0], found[1])


def clean(text: Text) -> Text:
    """The text without half surrogates, which no tokenizer takes."""
    if isinstance(text, tuple):
        return text[0].encode("utf-8", "replace").decode(), text[1].encode(
            "utf-8", "replace"
        ).decode()
    return text.encode("utf-8", "replace").decode("utf-8")


def _padded(rows: Sequence[Sequence[int]], fill: int, *, side: str) -> NDArray[np.int64]:
    length = max(len(row) for row in rows)
    array = np.full((len(rows), length), fill, dtype=np.int64)
    for index, row in enumerate(rows):
        start = length - len(row) if side == "left" else 0
        array[index, start : start + len(row)] = row
    return array
