"""What serving an artifact needs to know, written beside its weights as serving.json."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluators.measurement import CandidateFailed, State

SERVING_FILE = "serving.json"
TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Padding:
    """How rows of one batch are brought to one length."""

    token_id: int
    type_id: int
    side: str  # "right" or "left"


@dataclass(frozen=True, slots=True)
class Serving:
    """How rows become answers. `labels` are by output id; `max_length` is in tokens.

    `settings` are what the recipe wants its backend to know, `n_parameters` the model's weights
    before any compression. `task` names the task whose file in evaluators/tasks/ serves, `options`
    are its settings.
    """

    backend: str
    precision: str
    labels: tuple[str, ...]
    input_names: tuple[str, ...]
    max_length: int
    truncation_side: str
    padding: Padding
    batch_size: int
    n_parameters: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    task: str = "text-classification"
    options: Mapping[str, Any] = field(default_factory=dict)  # JSON

    def write(self, folder: Path) -> None:
        """Store it in an artifact's folder."""
        fields = {**asdict(replace(self, options={})), "options": dict(self.options)}
        text = json.dumps(fields, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / SERVING_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Serving":
        """What `write` stored; CandidateFailed (corrupt) where it cannot be read."""
        try:
            value = json.loads((folder / SERVING_FILE).read_text(encoding="utf-8"))
            value["padding"] = Padding(**value["padding"])
            value["labels"] = tuple(value["labels"])
            value["input_names"] = tuple(value["input_names"])
            return cls(**value)
        except (OSError, ValueError, TypeError, KeyError) as error:
            reason = f"{folder / SERVING_FILE} cannot be read: {error}"
            raise CandidateFailed(State.CORRUPT, reason) from error
