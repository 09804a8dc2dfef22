"""Cross-encoders at work: a query with each of its documents in, scores out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluators.answerers.windows import check_finite
from evaluators.classifier import batch_plan, check_shape
from evaluators.protocols import Forward
from evaluators.reading.contents import parts_of
from evaluators.serving import Serving
from evaluators.tokenization import Tokenization


@dataclass(frozen=True, slots=True)
class PairScorer:
    """The logit of each pair; whatever activation a model was trained with keeps their order."""

    serving: Serving
    tokenization: Tokenization
    forward: Forward
    dtype: str
    weight_bytes: int

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """A JSON list of scores for each request, in the order of its documents."""
        of_row = [pairs_of(text) for text in texts]
        scores = self._scores(
            [pair for pairs in of_row for pair in pairs], batch_size or self.serving.batch_size
        )
        ends = np.cumsum([len(pairs) for pairs in of_row])[:-1]
        return [
            json.dumps([float(f"{score:.7g}") for score in line], separators=(",", ":"))
            for line in np.split(scores, ends)
        ]

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the requests have a document that is longer than may be read."""
        of_row = [pairs_of(text) for text in texts]
        return sum(bool(pairs) and self.tokenization.n_cut(pairs) > 0 for pairs in of_row)

    def _scores(self, pairs: Sequence[tuple[str, str]], batch_size: int) -> NDArray[np.float32]:
        """(len(pairs),)"""
        encodings = self.tokenization.encode(pairs)
        scores = np.empty(len(pairs), dtype=np.float32)
        for rows in batch_plan([len(encoding.ids) for encoding in encodings], batch_size):
            output = self.forward(self.tokenization.batch([encodings[row] for row in rows]))[0]
            check_shape(output.shape, (len(rows), 1))
            scores[rows] = output[:, 0]
        check_finite(scores)
        return scores


def pairs_of(request: str) -> list[tuple[str, str]]:
    """The query of a request with each of its documents."""
    parts = parts_of(request)
    documents = parts.get("documents")
    query = str(parts.get("query", ""))
    return [(query, str(one)) for one in documents] if isinstance(documents, list) else []
