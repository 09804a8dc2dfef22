"""Texts that go on with a prompt: answers to questions, or the likeliest of several choices."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.protocols import Answerer, Inputs
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tasks.base import WrittenText

if TYPE_CHECKING:
    from evaluators.samples import Samples

STOP, MESSAGES = "stop", "messages"


class TextGeneration(WrittenText):
    """What a causal model writes after a prompt, up to the first of the `stop` strings.

    Chat messages go through the model's own template, plain prompts as they are. Of rows with
    choices the answer is the index of the choice that the model finds likeliest. With the option
    `likelihoods` nothing is written: the answer tells how likely the given text is.
    """

    name = "text-generation"
    auto_class = "AutoModelForCausalLM"

    def settings(self) -> Task:
        """Prompts of at most 2,048 tokens, no stop strings."""
        usual = super().settings()
        return replace(usual, max_length=2048, options={**usual.options, STOP: []})

    def fitted(self, task: Task, samples: "Samples") -> Task:
        """Whether there are chat messages, which need a template."""
        from evaluators.reading.contents import parts_of

        chats = any(MESSAGES in parts_of(row.text) for row in samples.rows)
        return replace(task, options={**task.options, MESSAGES: True}) if chats else task

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's tokenizer; CandidateFailed where it has no template and needs one."""
        from evaluators.generation import ServedTokenizer
        from evaluators.measurement import CandidateFailed, State

        made = ServedTokenizer.of_decoder(source, task)
        if task.options.get(MESSAGES) and not made.tokenizer.chat_template:
            reason = "its tokenizer has no chat template, and the rows are chat messages"
            raise CandidateFailed(State.UNSUPPORTED, reason)
        return made

    def serve(
        self, folder: Path, serving: Serving, run: Any, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Prompts in, what follows out."""
        from evaluators.answerers.causal import CausalWriter

        return CausalWriter.load(folder, serving, run, dtype, weight_bytes)
