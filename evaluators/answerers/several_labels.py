"""Multi-label classification at work: every label whose probability is above one half."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.classifier import TextClassifier
from evaluators.labels import normalised
from evaluators.measurement import CandidateFailed, State
from evaluators.quality.scored import judged_apart


@dataclass(frozen=True, slots=True)
class SeveralLabels:
    """A classifier whose outputs are judged one by one; `names` are the data's labels by output.

    A logit above 0 is a probability above one half, as heads trained with a sigmoid mean it.
    Outputs that the data lacks are left out. `scored` asks for the logits of all labels.
    """

    classifier: TextClassifier
    names: tuple[str | None, ...]
    scored: bool = False

    @classmethod
    def of(
        cls, classifier: TextClassifier, wanted: Sequence[str], *, scored: bool = False
    ) -> "SeveralLabels":
        """CandidateFailed where no output is called as one of the data's labels."""
        known = {normalised(label): label for label in wanted}
        names = tuple(known.get(normalised(name)) for name in classifier.labels)
        if not any(names):
            reason = f"the model has {', '.join(classifier.labels[:8])}, the data has " + ", ".join(
                wanted[:8]
            )
            raise CandidateFailed(State.LABEL_MISMATCH, reason)
        return cls(classifier, names, scored)

    @property
    def dtype(self) -> str:
        """The type that the weights have in memory."""
        return self.classifier.dtype

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights in memory."""
        return self.classifier.weight_bytes

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """A sorted JSON list of labels for each text; with their scores as in quality/scored.py."""
        scores = self.classifier.scores(texts, batch_size=batch_size)
        if self.scored:
            return judged_apart(self.names, scores)
        return [self._named([at for at, score in enumerate(row) if score > 0]) for row in scores]

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the model may read."""
        return self.classifier.n_cut(texts)

    def _named(self, outputs: Sequence[int]) -> str:
        found = sorted({name for at in outputs if (name := self.names[at]) is not None})
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
