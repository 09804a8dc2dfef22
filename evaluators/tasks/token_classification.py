"""Named entities and other spans of words: one tag a word."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.protocols import Answerer, Forward
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tasks.base import TextTask

if TYPE_CHECKING:
    from evaluators.samples import Samples

TYPES = "types"


class TokenClassification(TextTask):
    """Each word has the tag of its first token; words behind the model's limit have none.

    The option `types` holds the types of entities that the data has: a model's other types are
    left out, as whoever deploys it would, and spelled differently they are found (PER, person).
    """

    name = "token-classification"
    auto_class = "AutoModelForTokenClassification"

    def fitted(self, task: Task, samples: "Samples") -> Task:
        """The types that the rows have."""
        return replace(task, options={**task.options, TYPES: _types_in(samples)})

    def labels(self, config: Mapping[str, Any], task: Task) -> tuple[str, ...]:
        """The names in id2label."""
        from evaluators.repository import labels_of

        return labels_of(config)

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Words in, tags out."""
        from evaluators.answerers.tags import Tagger

        return Tagger.load(folder, serving, run, dtype, weight_bytes)


def _types_in(samples: "Samples") -> list[str]:
    from evaluators.reading.contents import texts_of

    tags = {tag for row in samples.rows for tag in texts_of(row.label)}
    return sorted({tag.partition("-")[2] for tag in tags if "-" in tag})
