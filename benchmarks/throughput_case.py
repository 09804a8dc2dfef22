"""What the cases of benchmarks/throughput.py share: a case, a loop by hand, comparisons."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluators.plugins import task_method
from evaluators.task import Task


@dataclass(frozen=True, slots=True)
class Case:
    """`loop` and `pipeline` give an answer for each row; `request` is a row as ours gets it."""

    source: Path
    rows: Sequence[Any]
    task: Task
    request: Callable[[Any], str]
    loop: Callable[[Sequence[Any]], Any]
    compare: Callable[[Any, Any], str]
    pipeline: Callable[[Sequence[Any], int], Any] | None = None

    @property
    def batch_size(self) -> int:
        """Rows a batch, as the task sets it."""
        return self.task.batch_size


def settings(name: str, **options: Any) -> Task:
    """A task's own settings, and further options."""
    task: Task = task_method(name).settings()
    return replace(task, options={**task.options, **options}) if options else task


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


# ---------------------------------------------------------------------- the loop
def by_length(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Row numbers in batches, the longest rows first."""
    order = sorted(range(len(lengths)), key=lambda at: -lengths[at])
    for start in range(0, len(order), size):
        yield order[start : start + size]


def tokens_loop(
    model: Any, tokenizer: Any, size: int, take: Callable[[Any, list[int], Any], list[Any]],
    **how: Any,
) -> Callable[..., list[Any]]:  # fmt: skip
    """What anyone would write: tokenize, sort by length, pad, run, and take the answers."""

    def run(*columns: Sequence[Any]) -> list[Any]:
        made = tokenizer(*map(list, columns), truncation=True, max_length=512, **how)
        names = [name for name in made if name in ("input_ids", "attention_mask", "token_type_ids")]
        found: list[Any] = [None] * len(made["input_ids"])
        for rows in by_length([len(ids) for ids in made["input_ids"]], size):
            part = {name: [made[name][row] for row in rows] for name in names}
            batch = tokenizer.pad(part, return_tensors="pt")
            for row, answer in zip(rows, take(model(**batch), rows, (made, batch)), strict=True):
                found[row] = answer
        return found

    return run


def best_output(out: Any, _rows: list[int], _made: Any) -> list[int]:
    found: list[int] = out.logits.argmax(dim=1).tolist()
    return found


def share_equal(ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    n = sum(one == other for one, other in zip(ours, theirs, strict=True))
    return f"{n} of {len(theirs)} equal"


def greatest_difference(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return f"at most {max(abs(a - b) for a, b in zip(ours, theirs, strict=True)):.1e} apart"


def argmax_equal(ours: Any, theirs: Sequence[int]) -> str:
    return share_equal(ours.argmax(axis=1).tolist(), theirs)
