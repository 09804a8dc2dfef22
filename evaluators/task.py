"""What must be done, and the settings that decide scores."""

from dataclasses import dataclass

from cache.key import JSONValue


@dataclass(frozen=True, slots=True)
class Task:
    """A Hub pipeline tag with the preprocessing that predictions depend on.

    `max_length` is in tokens; the least of it, the tokenizer's and the model's limit holds.
    `batch_size` is in rows; batches are planned by length.
    """

    name: str
    max_length: int = 512
    batch_size: int = 32

    def to_json(self) -> dict[str, JSONValue]:
        """The form that crosses processes and enters keys."""
        return {"name": self.name, "max_length": self.max_length, "batch_size": self.batch_size}


TEXT_CLASSIFICATION = Task("text-classification")
