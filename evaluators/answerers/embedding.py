"""Embeddings at work: texts in, one vector a text out; and what two of them have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.answerers.windows import check_finite
from evaluators.classifier import batch_plan, check_shape
from evaluators.protocols import Forward
from evaluators.reading.contents import parts_of
from evaluators.serving import Serving
from evaluators.tokenization import Tokenization

Floats = NDArray[np.float32]

TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Embedder:
    """Texts to vectors, with the pooling, the prompt and the spelling that `serving` tells."""

    serving: Serving
    tokenization: Tokenization
    forward: Forward

    def vectors(self, texts: Sequence[str], *, batch_size: int) -> Floats:
        """(len(texts), width), not normalised.

        A text without a token has zeros; where no text has any, the width is 0.
        """
        encodings = self.tokenization.encode([self._spelled(text) for text in texts])
        read = [row for row, encoding in enumerate(encodings) if encoding.ids]
        vectors = np.zeros((len(texts), 0), dtype=np.float32)
        for places in batch_plan([len(encodings[row].ids) for row in read], batch_size):
            rows = [read[place] for place in places]
            batch = self.tokenization.batch([encodings[row] for row in rows])
            hidden = self.forward(batch)[0]
            mask = _mask(batch, [len(encodings[row].ids) for row in rows], self._side)
            check_shape(hidden.shape[:2], mask.shape)
            pooled = self._pooled(hidden, mask)
            if not vectors.shape[1]:
                vectors = np.zeros((len(texts), pooled.shape[1]), dtype=np.float32)
            vectors[rows] = pooled
        check_finite(vectors)
        return vectors

    def n_cut(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text is longer than may be read."""
        encodings = self.tokenization.encode([self._spelled(text) for text in texts])
        return [bool(encoding.overflowing) for encoding in encodings]

    @property
    def _side(self) -> str:
        return self.serving.padding.side

    def _spelled(self, text: str) -> str:
        options = self.serving.options
        text = (str(options.get("prompt", "")) + text).strip()
        return text.lower() if options.get("lower") else text

    def _pooled(self, hidden: Floats, mask: Floats) -> Floats:
        modes = self.serving.options.get("pooling", ["mean"])
        return np.concatenate([POOLINGS[mode](hidden, mask) for mode in modes], axis=1)


@dataclass(frozen=True, slots=True)
class SimilarityScorer:
    """Two texts in, the cosine of their embeddings out."""

    embedder: Embedder
    dtype: str
    weight_bytes: int

    @classmethod
    def load(
        cls, folder: Path, serving: Serving, forward: Forward, dtype: str, weight_bytes: int
    ) -> "SimilarityScorer":
        """The scorer of an artifact."""
        embedder = Embedder(serving, Tokenization.load(folder, serving), forward)
        return cls(embedder, dtype, weight_bytes)

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """The cosine for each request, as the text of a number; 0 for a vector of zeros."""
        pairs = [_pair(text) for text in texts]
        place = {text: at for at, text in enumerate(dict.fromkeys(t for p in pairs for t in p))}
        size = batch_size or self.embedder.serving.batch_size
        vectors = self.embedder.vectors(list(place), batch_size=size).astype(np.float64)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), TINY)
        first, second = (vectors[[place[pair[at]] for pair in pairs]] for at in (0, 1))
        return [f"{cosine:.7g}" for cosine in (first * second).sum(axis=1)]

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the requests have a text that is longer than may be read."""
        both = (self.embedder.n_cut([_pair(text)[at] for text in texts]) for at in (0, 1))
        return sum(first or second for first, second in zip(*both, strict=True))


def _pair(request: str) -> tuple[str, str]:
    parts = parts_of(request)
    return str(parts.get("text", "")), str(parts.get("text_pair", ""))


def _mask(batch: Mapping[str, Any], lengths: Sequence[int], side: str) -> Floats:
    """1 for a text's tokens, 0 for padding: (n, longest)."""
    if "attention_mask" in batch:
        return np.asarray(batch["attention_mask"], dtype=np.float32)
    longest = max(lengths)
    place = np.arange(longest)[None, :] if side == "right" else np.arange(longest)[None, ::-1]
    return (place < np.array(lengths)[:, None]).astype(np.float32)


def _mean(hidden: Floats, mask: Floats) -> Floats:
    n_tokens = np.maximum(mask.sum(axis=1, keepdims=True), TINY)
    return np.asarray(_weighted(hidden, mask) / n_tokens)


def _mean_by_root(hidden: Floats, mask: Floats) -> Floats:
    n_tokens = np.maximum(mask.sum(axis=1, keepdims=True), TINY)
    return np.asarray(_weighted(hidden, mask) / np.sqrt(n_tokens))


def _mean_by_place(hidden: Floats, mask: Floats) -> Floats:
    """Later tokens weigh more: by their number, from 1 (Muennighoff 2022, section 3.2)."""
    weights = np.asarray(mask.cumsum(axis=1) * mask, dtype=np.float32)
    return _mean(hidden, weights)


def _max(hidden: Floats, mask: Floats) -> Floats:
    return np.asarray(np.where(mask[..., None] > 0, hidden, np.float32(-1e9)).max(axis=1))


def _first(hidden: Floats, mask: Floats) -> Floats:
    return np.asarray(hidden[np.arange(len(mask)), mask.argmax(axis=1)])


def _last(hidden: Floats, mask: Floats) -> Floats:
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    return np.asarray(hidden[np.arange(len(mask)), last])


def _weighted(hidden: Floats, weights: Floats) -> Floats:
    """(n, length, width), (n, length) -> (n, width)"""
    return np.asarray(np.einsum("nlw,nl->nw", hidden, weights))


POOLINGS: Mapping[str, Callable[[Floats, Floats], Floats]] = MappingProxyType(
    {
        "cls": _first, "max": _max, "mean": _mean, "mean_sqrt_len_tokens": _mean_by_root,
        "weightedmean": _mean_by_place, "lasttoken": _last,
    }
)  # fmt: skip
"""Hidden states (n, length, width) and mask (n, length) to (n, width)."""
