"""One label for each text, by models that were never trained on the labels: NLI heads.

Each label becomes a hypothesis ("This text is about sports."), and the label whose hypothesis the
text entails most is the answer (Yin, Hay and Roth 2019, Benchmarking Zero-shot Text
Classification). One text costs as many requests as there are labels.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.protocols import Classifier, Forward
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tasks.base import LabelledText

if TYPE_CHECKING:
    from evaluators.samples import Samples

TEMPLATE = "This example is {}."
"""As transformers' own zero-shot pipeline."""

LABELS, HYPOTHESES, ENTAILMENT = "labels", "hypotheses", "entailment"


class ZeroShotClassification(LabelledText):
    """The outputs are the data's labels; options: `labels`, and `hypotheses` in the same order."""

    name = "zero-shot-classification"
    auto_class = "AutoModelForSequenceClassification"

    @property
    def tags(self) -> tuple[str, ...]:
        """NLI heads are listed under both."""
        return (self.name, "text-classification")

    def settings(self) -> Task:
        """At most 512 tokens, 8 texts a batch, each with every label."""
        return Task(self.name, batch_size=8)

    def fitted(self, task: Task, samples: "Samples") -> Task:
        """The rows' labels, and a hypothesis for each that has none yet."""
        told = task.options.get(HYPOTHESES)
        known = told if isinstance(told, Mapping) else {}
        hypotheses = [str(known.get(label, TEMPLATE.format(label))) for label in samples.labels]
        return replace(task, options={LABELS: list(samples.labels), HYPOTHESES: hypotheses})

    def labels(self, config: Mapping[str, Any], task: Task) -> tuple[str, ...]:
        """The data's labels, for a model that tells entailment."""
        entailment_of(config)
        return self.known_labels((), task)

    def known_labels(self, outputs: tuple[str, ...], task: Task) -> tuple[str, ...]:
        """The data's labels, whatever the model calls its own outputs."""
        told = task.options.get(LABELS)
        return tuple(map(str, told)) if isinstance(told, list | tuple) else ()

    def details(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Which output tells entailment."""
        return {ENTAILMENT: entailment_of(config)}

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Classifier:
        """Pairs of tokens in, the entailment of each label out."""
        from evaluators.answerers.zero_shot import ZeroShotClassifier
        from evaluators.tokenization import Tokenization

        tokenization = Tokenization.load(folder, serving)
        entailment = serving.options[ENTAILMENT]
        return ZeroShotClassifier(serving, tokenization, run, entailment, dtype, weight_bytes)


def entailment_of(config: Mapping[str, Any]) -> int:
    """The output that tells entailment; CandidateFailed where none is called so."""
    from evaluators.measurement import CandidateFailed, State
    from evaluators.repository import labels_of

    names = labels_of(config)
    found = [at for at, name in enumerate(names) if name.lower().startswith("entail")]
    if len(found) != 1:
        reason = f"none of its outputs ({', '.join(names)}) is called entailment"
        raise CandidateFailed(State.LABEL_MISMATCH, reason)
    return found[0]
