"""Rows whose answer depends on the batch that they were in: counted, stored, told."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cache.measurements import Measurements
from evaluators.measurement import Measurement
from evaluators.task import Task

if TYPE_CHECKING:
    from evaluators.worker_process import Singles

DRIFT = "rows_drifted"
"""How many of n rows are answered otherwise at batch 1."""


def drifted(
    store: Measurements, key: str, row_keys: Sequence[str], served: "Singles", task: Task
) -> Measurement:
    """Compares what rows were answered in batches, as it is stored, with single requests.

    The rows are the first of the bench's order, which is a draw with the search's seed.
    """
    from evaluators.drift import answer_changed, output_changed

    if served.scores is not None:
        outputs = store.outputs(key)
        alone = dict(zip(row_keys, served.scores, strict=True))
        changed = [output_changed(outputs[at], alone[at]) for at in alone if at in outputs]
    else:
        answers, texts = store.texts(key), dict(zip(row_keys, served.texts, strict=True))
        changed = [
            answer_changed(answers[at], texts[at], task=task.name) for at in texts if at in answers
        ]
    return Measurement(DRIFT, sum(changed), "rows", len(changed))


def drift_told(measurements: Mapping[str, Measurement]) -> str:
    """In words; empty where no row drifted, or nobody looked."""
    found = measurements.get(DRIFT)
    if found is None or not found.value:
        return ""
    return f"{found.value:.0f} of {found.n} rows change with the batch size"
