"""A loaded classifier of token models: what every backend hands out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import backend
from evaluators.protocols import Answerer, Classifier, Forward
from evaluators.serving import Serving
from evaluators.tokenization import Tokenization


@dataclass(frozen=True, slots=True)
class TextClassifier:
    """Texts in, logits out. `dtype` and `weight_bytes` are what the runtime really holds."""

    serving: Serving
    tokenization: Tokenization
    forward: Forward
    dtype: str
    weight_bytes: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, by output id."""
        return self.serving.labels

    def scores(self, texts: Sequence[str], *, batch_size: int | None = None) -> NDArray[np.float32]:
        """Logits, (len(texts), len(labels)), in the order of the texts."""
        encodings = self.tokenization.encode(texts)
        logits = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        lengths = [len(encoding.ids) for encoding in encodings]
        for rows in batch_plan(lengths, batch_size or self.serving.batch_size):
            output = self.forward(self.tokenization.batch([encodings[row] for row in rows]))[0]
            check_shape(output.shape, (len(rows), len(self.labels)))
            logits[rows] = output
        return logits

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the model may read."""
        return self.tokenization.n_cut(texts)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The label with the highest score, for each text."""
        return [self.labels[index] for index in self.scores(texts).argmax(axis=1)]


def check_shape(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """CandidateFailed where a model gives scores of another shape than its labels ask for."""
    if found != expected:
        reason = f"the model gives scores of shape {found}, its labels ask for {expected}"
        raise CandidateFailed(State.BAD_OUTPUT, reason)


def batch_plan(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, longest first; ties keep their order.

    The plan depends on the lengths alone, so that the same texts always meet the same padding;
    the longest first, so that what does not fit into memory fails at once.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def load_artifact(folder: Path, *, threads: int = 1) -> Classifier | Answerer:
    """A candidate as it was built into `folder`, ready to serve in this process."""
    return backend(Serving.read(folder).backend).load(folder, threads=threads)
