"""One label for each text, or for each pair of texts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.protocols import Answerer, Classifier, Forward
from evaluators.reading.shapes import Kind
from evaluators.serving import Serving
from evaluators.task import ANSWERS, SCORES, SEVERAL, TEXT_CLASSIFICATION, Task
from evaluators.tasks.base import LabelledText

if TYPE_CHECKING:
    from evaluators.samples import Samples

PAIR = "text_pair"
"""The option that makes two texts one input."""

LABELS = "labels"
"""The option with the data's labels, where a row may have several."""


class TextClassification(LabelledText):
    """Sentiment, topic, spam, entailment: the output with the highest score is the label."""

    name = TEXT_CLASSIFICATION.name
    auto_class = "AutoModelForSequenceClassification"

    def settings(self) -> Task:
        """At most 512 tokens, 32 rows a batch."""
        return TEXT_CLASSIFICATION

    def fitted(self, task: Task, samples: "Samples") -> Task:
        """Whether rows are pairs, and which labels there are where a row may have several."""
        options = dict(task.options)
        if PAIR in dict(samples.columns):
            options[PAIR] = True
        if samples.truth in (Kind.LABELS, Kind.FLAGS):
            options |= {SEVERAL: True, LABELS: list(samples.labels)}
        return replace(task, options=options) if options else task

    def labels(self, config: Mapping[str, Any], task: Task) -> tuple[str, ...]:
        """The names in id2label."""
        from evaluators.repository import labels_of

        return labels_of(config, several=bool(task.options.get(SEVERAL)))

    def known_labels(self, outputs: tuple[str, ...], task: Task) -> tuple[str, ...]:
        """The names that metadata tells; none to align where a row may have several."""
        return () if task.options.get(SEVERAL) else outputs

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Classifier | Answerer:
        """Tokens in; scores out, or lists of labels."""
        from evaluators.classifier import TextClassifier
        from evaluators.tokenization import Tokenization

        tokenization = Tokenization.load(folder, serving)
        classifier = TextClassifier(serving, tokenization, run, dtype, weight_bytes)
        if not serving.options.get(SEVERAL):
            return classifier
        from evaluators.answerers.several_labels import SeveralLabels

        scored = serving.options.get(ANSWERS) == SCORES
        return SeveralLabels.of(classifier, serving.options[LABELS], scored=scored)
