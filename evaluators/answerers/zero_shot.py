"""Zero-shot classification at work: each text with the hypothesis of each label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluators.classifier import batch_plan
from evaluators.protocols import Forward
from evaluators.serving import Serving
from evaluators.tokenization import Tokenization


@dataclass(frozen=True, slots=True)
class ZeroShotClassifier:
    """Texts in, the logit of entailment for each label out."""

    serving: Serving
    tokenization: Tokenization
    forward: Forward
    entailment: int
    dtype: str
    weight_bytes: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The data's labels."""
        return self.serving.labels

    @property
    def _hypotheses(self) -> list[str]:
        return [str(text) for text in self.serving.options["hypotheses"]]

    def scores(self, texts: Sequence[str], *, batch_size: int | None = None) -> NDArray[np.float32]:
        """Logits of entailment, (len(texts), len(labels))."""
        pairs = [(text, hypothesis) for text in texts for hypothesis in self._hypotheses]
        encodings = self.tokenization.encode(pairs)
        logits = np.empty(len(pairs), dtype=np.float32)
        size = (batch_size or self.serving.batch_size) * len(self.labels)
        for rows in batch_plan([len(encoding.ids) for encoding in encodings], size):
            output = self.forward(self.tokenization.batch([encodings[row] for row in rows]))[0]
            logits[rows] = output[:, self.entailment]
        return logits.reshape(len(texts), len(self.labels))

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the model may read with the longest label."""
        longest = max(self._hypotheses, key=len)
        return self.tokenization.n_cut([(text, longest) for text in texts])
