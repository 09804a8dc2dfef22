"""Short texts for long ones, by models that read a text whole and write another."""

from pathlib import Path

from evaluators.protocols import Inputs
from evaluators.task import Task
from evaluators.tasks.base import RewrittenText


class Summarization(RewrittenText):
    """What the model writes; T5's kind is told what to do by a prefix, as config.json says.

    The option `source_language` is needed by models of many languages alone.
    """

    name = "summarization"

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's tokenizer."""
        from evaluators.answerers.languages import for_summaries

        return for_summaries(source, task)
