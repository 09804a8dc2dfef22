"""Texts in another language, by models that read a text whole and write another."""

from dataclasses import replace
from pathlib import Path

from evaluators.protocols import Inputs
from evaluators.task import Task
from evaluators.tasks.base import RewrittenText


class Translation(RewrittenText):
    """What the model writes in the other language.

    Models of several languages need the options `source_language` and `target_language`, as `en`
    and `de`, or in a model's own code, as `eng_Latn`; models of one direction ignore them.
    """

    name = "translation"

    def settings(self) -> Task:
        """At most 512 tokens."""
        return replace(super().settings(), max_length=512)

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's tokenizer; CandidateFailed where it needs to know the languages."""
        from evaluators.answerers.languages import for_translation

        return for_translation(source, task)
