"""Loaded classifiers of images and sounds: what every backend hands out for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.classifier import batch_plan, check_shape
from evaluators.protocols import Arrays, Forward
from evaluators.serving import Serving


@dataclass(frozen=True, slots=True)
class MediaClassifier:
    """Requests in, logits out. `read` gets a request's image or sound, `arrays` the model's inputs.

    A batch is read when its turn comes: not all images are in memory at once. `length` orders
    requests, so that a batch needs little padding; where padding would change the scores
    (`together` is False), each request is a batch of its own.
    """

    serving: Serving
    read: Callable[[str], Any]
    arrays: Callable[[Sequence[Any]], Arrays]
    forward: Forward
    dtype: str
    weight_bytes: int
    length: Callable[[str], int] = lambda _request: 0
    together: bool = True

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, by output id."""
        return self.serving.labels

    def scores(self, texts: Sequence[str], *, batch_size: int | None = None) -> NDArray[np.float32]:
        """Logits, (len(texts), len(labels)), in the order of the requests."""
        logits = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        size = (batch_size or self.serving.batch_size) if self.together else 1
        for rows in batch_plan([self.length(text) for text in texts], size):
            output = self.forward(self.arrays([self.read(texts[row]) for row in rows]))[0]
            check_shape(output.shape, (len(rows), len(self.labels)))
            logits[rows] = output
        return logits

    def n_cut(self, texts: Sequence[str]) -> int:
        """None: nothing is cut."""
        return 0
