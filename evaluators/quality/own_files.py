"""Metrics whose code comes from a file: it runs in a worker, without a token and a network.

A file of the user's own is named `metrics.py:function`; what stands there is a function, or a
`Metric` with what is declared of it. A path without a name is a module of `evaluate`, a file or a
folder.
"""

import hashlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any  # messages are JSON

from cache.errors import BadInput, NotFound
from cache.key import digest
from evaluators.measurement import CandidateFailed
from evaluators.quality.custom import Metric, Own, declared_own, few_groups

if TYPE_CHECKING:
    from evaluators.worker_process import Worker

__all__ = ["MetricFile", "answer", "few_groups"]

DEADLINE_S = 120.0


@dataclass(slots=True)
class MetricFile:
    """A file with a metric, and the worker that runs it, started when it is first asked.

    `name` is what it is called in requirements. `attribute` is the function's; of a module of
    `evaluate` it is the figure that counts, and `origin` says where a file of a Hub comes from.
    """

    path: Path
    attribute: str
    name: str
    origin: str = ""
    worker: "Worker | None" = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> "MetricFile":
        """`metrics.py:function`, or the path of a module. NotFound where there is no such file."""
        head, colon, attribute = text.rpartition(":")
        place = Path(head if colon and head.endswith(".py") else text).expanduser()
        if not place.exists():
            raise NotFound(
                f"there is no metric file {place}; write FILE.py:FUNCTION, or the path of a module "
                "of evaluate"
            )
        attribute = attribute if colon and head.endswith(".py") else ""
        return cls(place.absolute(), attribute, attribute or place.stem)

    def own(self) -> Own:
        """The metric as a search uses it; asks the worker what is declared."""
        declared = {**self._ask({}), "name": self.name}
        if set(declared) != {"name", "per_row", "low", "high", "higher_is_better"}:
            raise BadInput(f"the metric {self.name} does not say what it is")
        return declared_own(declared, self.digest, self.values)

    @property
    def digest(self) -> str:
        """Of all Python files that are the metric; those that it imports are not in it."""
        files = [self.path] if self.path.is_file() else sorted(self.path.glob("*.py"))
        hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        return digest([self.attribute, self.origin, *hashes])

    def values(
        self, answers: Sequence[str], truths: Sequence[str], groups: Sequence[int]
    ) -> list[float]:
        """As `custom.Values`; BadInput, with the metric's name, where its code fails."""
        found = self._ask(
            {"answers": list(answers), "truths": list(truths), "groups": list(groups)}
        ).get("values")
        if not isinstance(found, list):
            raise BadInput(f"the metric {self.name} gave no values")
        return [float("nan") if value is None else float(str(value)) for value in found]

    def close(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    def _ask(self, rows: Mapping[str, Any]) -> Mapping[str, Any]:
        from evaluators.worker_process import Worker

        if self.worker is None:
            self.worker = Worker.start(deadline_s=DEADLINE_S)
        what = {
            "file": str(self.path), "attribute": self.attribute, "name": self.name,
            "is_module": not self.attribute or bool(self.origin),
        }  # fmt: skip
        try:
            return self.worker.metric({**what, **rows})
        except CandidateFailed as failure:
            said = failure.reason.removeprefix("BadInput: ")
            lead = "" if self.name in said else f"the metric {self.name} failed: "
            raise BadInput(lead + said) from failure


def answer(message: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker does: the metric's declaration, or its values for the rows of a message."""
    asked = (message["file"], message["attribute"], message["name"])
    metric = _loaded_module(*asked) if message["is_module"] else _loaded_function(*asked)
    if "answers" not in message:
        return metric.declared
    found = metric.values(message["answers"], message["truths"], message["groups"])
    return {"values": [value if isfinite(value) else None for value in found]}


@lru_cache(maxsize=1)
def _loaded_module(file: str, figure: str, name: str) -> Metric:
    from evaluators.quality.metrics import load_module

    return Metric(load_module(Path(file)), figure or name)


@lru_cache(maxsize=1)
def _loaded_function(file: str, attribute: str, name: str) -> Metric:
    specification = importlib.util.spec_from_file_location("users_own_metric", file)
    if specification is None or specification.loader is None:
        raise BadInput(f"{file} is no Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules["users_own_metric"] = module
    sys.path.insert(0, str(Path(file).parent))
    specification.loader.exec_module(module)
    if not hasattr(module, attribute):
        raise BadInput(f"the metric {name} is not in {Path(file).name}")
    return Metric.of(getattr(module, attribute), name)
