"""What must be done, and the settings that decide scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cache.key import JSONValue

SEVERAL = "several_labels"
"""The option that says that a row may have any number of labels."""

ANSWERS, SCORES = "answers", "scores"
"""The option, and its value, that asks for every label's score where a row may have several."""

LIKELIHOODS = "likelihoods"
"""The option that asks how likely the given texts are, instead of for texts."""

TOP_K = "top_k"
"""The option that says how many documents of a corpus an answer holds."""

NO_OPTIONS: Mapping[str, JSONValue] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Task:
    """A Hub pipeline tag with the preprocessing that predictions depend on.

    `max_length` is in tokens; the least of it, the tokenizer's and the model's limit holds.
    `batch_size` is in rows; batches are planned by length. `options` are the task's own settings,
    which its file in evaluators/tasks/ names.
    """

    name: str
    max_length: int = 512
    batch_size: int = 32
    options: Mapping[str, JSONValue] = field(default_factory=lambda: NO_OPTIONS)

    def to_json(self) -> dict[str, JSONValue]:
        """The form that crosses processes and enters keys."""
        settings: dict[str, JSONValue] = {
            "name": self.name, "max_length": self.max_length, "batch_size": self.batch_size,
        }  # fmt: skip
        return settings | ({"options": dict(self.options)} if self.options else {})


TEXT_CLASSIFICATION = Task("text-classification")
