"""Retrieval at work: queries in, the ids of the nearest documents of one corpus out."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from evaluators.answerers.embedding import TINY, Embedder
from evaluators.corpus import CORPUS, Documents, corpus_file
from evaluators.protocols import Forward
from evaluators.reading.contents import parts_of
from evaluators.serving import Serving
from evaluators.task import TOP_K
from evaluators.tasks.feature_extraction import DOCUMENT_PROMPT, QUERY_PROMPT
from evaluators.tokenization import Tokenization

Floats = NDArray[np.float32]
Scores = NDArray[np.float64]

BATCHES_AT_ONCE = 2
"""Batches of documents that are embedded before the clock is looked at."""

DECIMALS = 6
"""Scores that differ by less are rounding's, and count as equal."""


@dataclass(slots=True)
class Index:
    """The vectors of a corpus's texts, made by and by: (texts, width). `done` texts have one."""

    documents: Documents
    order: tuple[int, ...]
    vectors: Floats
    done: int = 0

    @classmethod
    def empty(cls, documents: Documents) -> "Index":
        """Without vectors; the longest texts come first: what does not fit fails at once."""
        texts = documents.texts
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        return cls(documents, tuple(order), np.zeros((len(texts), 0), dtype=np.float32))

    @property
    def is_whole(self) -> bool:
        """Whether every text has its vector."""
        return self.done == len(self.order)

    def add(self, vectors: Floats) -> None:
        """The vectors of the next texts in the order; texts without tokens have zeros."""
        if vectors.shape[1] and not self.vectors.shape[1]:
            self.vectors = np.zeros((len(self.order), vectors.shape[1]), dtype=np.float32)
        at = list(self.order[self.done : self.done + len(vectors)])
        if vectors.shape[1]:
            self.vectors[at] = vectors
        self.done += len(vectors)


@dataclass(slots=True)
class Retriever:
    """The corpus is embedded once: the vectors are kept beside the artifact for the next worker."""

    folder: Path
    serving: Serving
    queries: Embedder
    documents: Embedder
    dtype: str
    weight_bytes: int
    index: Index | None = None

    @classmethod
    def load(
        cls, folder: Path, serving: Serving, forward: Forward, dtype: str, weight_bytes: int
    ) -> "Retriever":
        """The retriever of an artifact; its corpus is read when it is first asked."""
        tokenization = Tokenization.load(folder, serving)
        prompted = (_with_prompt(serving, name) for name in (QUERY_PROMPT, DOCUMENT_PROMPT))
        queries, documents = (
            Embedder(told, replace(tokenization, serving=told), forward) for told in prompted
        )
        return cls(folder, serving, queries, documents, dtype, weight_bytes)

    def prepare(self, seconds: float) -> bool:
        """Embed documents for about so long; whether every one is embedded."""
        end = time.monotonic() + seconds
        index = self.index = self.index or self._opened()
        while not index.is_whole and time.monotonic() < end:
            n = BATCHES_AT_ONCE * self.serving.batch_size
            texts = [index.documents.texts[at] for at in index.order[index.done : index.done + n]]
            index.add(self._vectors(self.documents, texts, self.serving.batch_size))
            if index.is_whole:
                _save(self._file, index.vectors)
        return index.is_whole

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """For each request a JSON list of the ids of the nearest documents, best first."""
        self.prepare(inf)
        assert self.index is not None
        asked = [_query(text) for text in texts]
        vectors = self._vectors(self.queries, asked, batch_size or self.serving.batch_size)
        return [self._nearest(self.index, vector) for vector in vectors]

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the queries are longer than may be read."""
        return sum(self.queries.n_cut([_query(text) for text in texts]))

    def _vectors(self, embedder: Embedder, texts: Sequence[str], batch_size: int) -> Floats:
        found = embedder.vectors(texts, batch_size=batch_size)
        if not self.serving.options.get("normalize"):
            return found
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), TINY))

    def _nearest(self, index: Index, query: Floats) -> str:
        """Of one query, so that no other changes a rounding; equal texts have equal scores."""
        compare = SIMILARITIES[str(self.serving.options.get("similarity", "cosine"))]
        same_width = query.size == index.vectors.shape[1]  # else one of both has no tokens
        scores: Scores = np.zeros(len(index.order), dtype=np.float64)
        if same_width:
            scores += compare(index.vectors, query)
        of_documents = np.asarray(scores.round(DECIMALS)[index.documents.places])
        best = _largest(of_documents, int(self.serving.options[TOP_K]))
        ids = [index.documents.ids[at] for at in best]
        return json.dumps(ids, ensure_ascii=False, separators=(",", ":"))

    def _opened(self) -> Index:
        """The index with the vectors that an earlier worker left, if it did."""
        found = str(self.serving.options.get(CORPUS))
        index = Index.empty(Documents.read(corpus_file(self.folder.parent, found)))
        try:
            vectors = np.load(self._file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return index
        n = len(index.order)
        if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != n:
            return index
        return replace(index, vectors=vectors, done=n)

    @property
    def _file(self) -> Path:
        """Not in the artifact's folder, whose size is what deploying the model takes."""
        return self.folder.with_name(f"{self.folder.name}.vectors.npy")


def _with_prompt(serving: Serving, name: str) -> Serving:
    prompt = serving.options.get(name, "")
    return replace(serving, options={**serving.options, "prompt": prompt})


def _query(request: str) -> str:
    return str(parts_of(request).get("query", ""))


def _largest(scores: Scores, k: int) -> NDArray[np.int64]:
    """The places of the k largest, largest first, equal ones in their order."""
    if k >= len(scores):
        return np.argsort(-scores, kind="stable")
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    near = np.flatnonzero(scores >= least)
    return np.asarray(near[np.argsort(-scores[near], kind="stable")][:k])


def _save(file: Path, vectors: Floats) -> None:
    """For the next worker; where nothing can be written, it embeds the corpus again."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as opened:
            np.save(opened, vectors, allow_pickle=False)
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)


def _dot(vectors: Floats, query: Floats) -> Floats:
    return np.asarray(vectors @ query)


def _euclidean(vectors: Floats, query: Floats) -> Floats:
    return np.asarray(-np.linalg.norm(vectors - query, axis=1))


def _manhattan(vectors: Floats, query: Floats) -> Floats:
    return np.asarray(-np.abs(vectors - query).sum(axis=1))


SIMILARITIES: Mapping[str, Callable[[Floats, Floats], Floats]] = MappingProxyType(
    {"cosine": _dot, "dot": _dot, "euclidean": _euclidean, "manhattan": _manhattan}
)
"""Vectors (n, width) and a query (width,) to scores (n,); for the cosine both are normalised."""
