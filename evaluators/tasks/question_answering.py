"""A part of a context that answers a question, or the finding that none does."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cache.key import JSONValue
from evaluators.protocols import Answerer, Forward
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tasks.base import TextTask

if TYPE_CHECKING:
    from evaluators.samples import Samples

UNANSWERABLE, STRIDE = "unanswerable", "stride"
NO_ANSWER = "[]"


class QuestionAnswering(TextTask):
    """Options: `stride`, the tokens that two windows have in common; `unanswerable`, whether the
    data has questions without an answer (SQuAD 2.0), so that none may be given."""

    name = "question-answering"
    auto_class = "AutoModelForQuestionAnswering"
    outputs = ("start_logits", "end_logits")

    def settings(self) -> Task:
        """Windows of 384 tokens with a stride of 128, as models are usually trained."""
        options: dict[str, JSONValue] = {"parts": ["question", "context"], STRIDE: 128}
        return Task(self.name, max_length=384, batch_size=16, options=options)

    def fitted(self, task: Task, samples: "Samples") -> Task:
        """Whether there are questions without an answer."""
        if any(row.label == NO_ANSWER for row in samples.rows):
            return replace(task, options={**task.options, UNANSWERABLE: True})
        return task

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Tokens in, spans of the context out."""
        from evaluators.answerers.spans import SpanReader
        from evaluators.tokenization import Tokenization

        return SpanReader(
            serving, Tokenization.uncut(folder, serving), run, dtype, weight_bytes,
            stride=int(serving.options[STRIDE]),
            answerable=not serving.options.get(UNANSWERABLE, False),
        )  # fmt: skip
