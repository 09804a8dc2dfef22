"""Tagging at work: words in, one IOB2 tag a word out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.classifier import batch_plan, check_shape
from evaluators.labels import normalised
from evaluators.protocols import Forward
from evaluators.reading.contents import parts_of
from evaluators.reading.tags import OUTSIDE, to_iob2
from evaluators.serving import Serving
from evaluators.tokenization import Tokenization

if TYPE_CHECKING:
    from tokenizers import Encoding

SYNONYMS: Mapping[str, str] = {
    "per": "person", "pers": "person", "loc": "location", "org": "organization",
    "organisation": "organization", "misc": "miscellaneous", "gpe": "geopolitical",
}  # fmt: skip
"""Names that mean the same type of entity in the common corpora (CoNLL-2003, OntoNotes)."""


@dataclass(frozen=True, slots=True)
class Tagger:
    """`names` are the model's tags by output, in the data's spelling."""

    serving: Serving
    tokenization: Tokenization
    forward: Forward
    dtype: str
    weight_bytes: int
    names: tuple[str, ...]

    @classmethod
    def load(
        cls, folder: Path, serving: Serving, forward: Forward, dtype: str, weight_bytes: int
    ) -> "Tagger":
        """The tagger of an artifact."""
        names = named(serving.labels, list(serving.options.get("types", ())))
        return cls(serving, Tokenization.load(folder, serving), forward, dtype, weight_bytes, names)

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """A JSON list of tags for each request, as many as it has words."""
        words = [words_of(text) for text in texts]
        encodings = self.tokenization.encode_words(words)
        found = [""] * len(texts)
        lengths = [len(encoding.ids) for encoding in encodings]
        for rows in batch_plan(lengths, batch_size or self.serving.batch_size):
            batch = self.tokenization.batch([encodings[row] for row in rows])
            logits = self.forward(batch)[0]
            n_tokens = max(lengths[row] for row in rows)
            check_shape(logits.shape, (len(rows), n_tokens, len(self.names)))
            outputs = logits.argmax(axis=2)
            for row, line in zip(rows, outputs, strict=True):
                found[row] = self._tags(words[row], encodings[row], line, n_tokens)
        return found

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the requests have words behind the model's limit."""
        return self.tokenization.n_cut_words([words_of(text) for text in texts])

    def _tags(self, words: Sequence[str], encoding: "Encoding", line: Any, n_tokens: int) -> str:
        shift = n_tokens - len(encoding.ids) if self.serving.padding.side == "left" else 0
        tags = [OUTSIDE] * len(words)
        for at, word in reversed(list(enumerate(encoding.word_ids))):
            if word is not None:  # the first token of a word comes last, and stays
                tags[word] = self.names[int(line[at + shift])]
        return json.dumps(to_iob2(tags), ensure_ascii=False, separators=(",", ":"))


def words_of(request: str) -> list[str]:
    """The words of a request; a plain text is split at blanks."""
    parts = parts_of(request)
    tokens = parts.get("tokens")
    return [str(token) for token in tokens] if isinstance(tokens, list) else request.split()


def named(labels: Sequence[str], types: Sequence[str]) -> tuple[str, ...]:
    """A model's tags with the data's types; tags of types that the data lacks are `O`."""
    known = {_folded(kind): kind for kind in types}

    def tag(label: str) -> str:
        prefix, _, kind = label.partition("-")
        if not kind:
            prefix, kind = "", label
        found = known.get(_folded(kind))
        if label == OUTSIDE or found is None:
            return OUTSIDE
        return f"{prefix}-{found}" if prefix else found

    return tuple(map(tag, labels))


def _folded(kind: str) -> str:
    bare = normalised(kind)
    return SYNONYMS.get(bare, bare)
