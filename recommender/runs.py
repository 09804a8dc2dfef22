"""Past searches, as they were answered."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from cache.errors import BadInput, NotFound
from cache.measurements import Measurements
from cache.runs import RunPart
from recommender.recommendation import Claim, Outcome, Plan, Recommendation
from recommender.reports.figures import certified, on_units
from recommender.reports.table import clean, headline
from recommender.requirement import Requirement

ID_DIGITS = 8
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One search as it was answered; `id` has 64 hexadecimal digits, the time is UTC."""

    id: str
    result: Recommendation
    answered_at: str

    @property
    def sentence(self) -> str:
        """`run 595f1a29 of 2026-11-22 18:04: reviews.csv, accuracy >= 0.90`."""
        asked = " and ".join(self.result.plan.requirements) or "nothing asked"
        at = self.answered_at.replace("T", " ")[:16]
        return clean(f"run {self.id[:ID_DIGITS]} of {at}: {self.result.data['name']}, {asked}")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a list of searches shows of one; `answer` is its first sentence.

    `choice` and `size_mb` are None where nothing was shown to be sufficient, or nothing was asked.
    `baseline` is the candidate that the requirement is relative to, empty where it is to none.
    """

    id: str
    answered_at: str
    task: str
    data: str
    fingerprint: str
    requirement: str
    n_rows: int
    answer: str
    choice: str | None
    size_mb: float | None
    minimize: str = "size_mb"
    delta: float = 0.05
    baseline: str = ""


def stored_run(store: Measurements, prefix: str = "", *, chosen: bool = False) -> StoredRun:
    """The search whose id starts with `prefix`, or the newest; NotFound for none and for several.

    The newest, `latest` too, is the one that was asked last, also where its answer came from
    memory; with `chosen`, the newest that has a choice, if any has.
    """
    key = _id_of(store, prefix, chosen=chosen)
    run = next(store.runs(prefix=key), None)
    if run is None:  # forgotten between the two reads
        raise NotFound(_no_run(key))
    return StoredRun(run.key, Recommendation.from_json(run.answer), run.answered_at)


def _id_of(store: Measurements, prefix: str, *, chosen: bool = False) -> str:
    asked = "" if prefix == LATEST else prefix.lower()
    if chosen and not asked:
        parts = store.past.parts({"model": "$.choice.model"})
        asked = next((part.key for part in parts if part.values["model"]), "")
    found = store.past.ids(prefix=asked, limit=2)
    if not found:
        raise NotFound(_no_run(prefix))
    if asked and len(found) > 1:
        raise NotFound(
            f"several runs start with '{prefix}': {found[0]} and {found[1]} are two; "
            "give more digits"
        )
    return found[0]


def _no_run(prefix: str) -> str:
    if prefix in ("", LATEST):
        return "no search is stored yet; run 'recommender find' or 'recommender demo' first"
    is_id = re.fullmatch("[0-9a-f]{1,64}", prefix.lower())
    what = "no stored run starts with" if is_id else "a run's id has hexadecimal digits only, not"
    return f"{what} '{prefix}'; list the runs with: recommender report --list"


def all_runs(store: Measurements, *, known: Collection[str] = ()) -> Iterator[RunSummary]:
    """Every search in short, the newest first, without those of `known` ids.

    One that is not as any version wrote it is passed over, and one that is forgotten meanwhile.
    """
    for part in store.past.parts(_PARTS, known=known):
        if any(part.values[name] is None for name in _NEEDED):
            continue
        try:
            found = _summary(store, part)
        except NotFound:
            continue
        yield found


_OF_PLAN = ("n_rows", "n_units", "n_candidates", "n_models", "delta", "seed", "minimize", "exact")
_PARTS = {
    **{name: f"$.plan.{name}" for name in _OF_PLAN},
    "requirements": "$.plan.requirements",
    "choice": "$.choice",
    "baseline": "$.baseline",
    "task": "$.data.task.name",
    "data": "$.data.name",
    "fingerprint": "$.data.fingerprint",
    "ended": "$.ended",
}
_NEEDED = (*_OF_PLAN, "requirements", "task", "data", "fingerprint", "ended")
"""What a summary needs of an answer: its candidates, nearly all of its text, are left unread."""


def _summary(store: Measurements, part: RunPart) -> RunSummary:
    found = part.values
    requirements = tuple(json.loads(found["requirements"]))
    choice, baseline = _outcome(found["choice"]), _outcome(found["baseline"])
    is_relative = any(map(_is_of_baseline, requirements))
    short = _in_short(found, requirements, choice)
    return RunSummary(
        id=part.key,
        answered_at=part.answered_at,
        task=str(found["task"]),
        data=str(found["data"]),
        fingerprint=str(found["fingerprint"]),
        requirement=" and ".join(requirements),
        n_rows=int(found["n_rows"]),
        answer=headline(short if requirements else stored_run(store, part.key).result),
        choice=choice.name if choice else None,
        size_mb=choice.value("size_mb") if choice else None,
        minimize=str(found["minimize"]),
        delta=float(found["delta"]),
        baseline=baseline.name if baseline and is_relative else "",
    )


def _is_of_baseline(requirement: str) -> bool:
    try:
        return Requirement.again(requirement).of_baseline
    except BadInput:  # of another version's form
        return False


def _outcome(told: str | None) -> Outcome | None:
    return Outcome.from_json(json.loads(told)) if told else None


def _in_short(found: Any, requirements: tuple[str, ...], choice: Outcome | None) -> Recommendation:
    """As much of a result as its first sentence tells of."""
    plan = {name: found[name] for name in _OF_PLAN} | {"exact": bool(found["exact"])}
    return Recommendation(
        plan=Plan(**plan, requirements=requirements, estimand=""),
        choice=choice,
        candidates=(choice,) if choice else (),
        guarantee="",
        ended=str(found["ended"]),
        data={},
        environment={},
    )


def explain_run(store: Measurements, model: str, *, run: str | None = None) -> str:
    """What became of each candidate of a model in the newest search that had it, or in `run`."""
    n_runs = 0
    for stored in store.runs(prefix=_id_of(store, run) if run else ""):
        found = Recommendation.from_json(stored.answer)
        if not found.plan.requirements:  # plain measuring judges nobody
            continue
        n_runs += 1
        lines = _about(found, model)
        if lines:
            asked = " and ".join(found.plan.requirements)
            head = (
                f"Run {stored.key[:ID_DIGITS]}, {stored.answered_at}: {found.data['name']}, "
                f"{found.plan.n_rows:,} rows, asked {asked}"
            )
            return "\n".join([head, *lines])
    searches = "1 search" if n_runs == 1 else f"{n_runs} searches"
    where = f"not in run {run}" if run else f"in none of {searches}"
    raise NotFound(
        f"'{model}' is {where}; run 'recommender find' with it, or name a part of its "
        "id as a report shows it"
    )


def _about(found: Recommendation, model: str) -> list[str]:
    wanted = model.lower()
    lines = [line for o in found.candidates if wanted in o.name.lower() for line in _told(found, o)]
    left_out = [
        f"{name}: left out before the search: {state}: {why}"
        for name, state, why in found.plan.left_out
        if wanted in name.lower()
    ]
    return lines + left_out


def _told(found: Recommendation, outcome: Outcome) -> list[str]:
    chosen = " (the choice)" if found.choice is outcome else ""
    verdict = f"{outcome.verdict}" if outcome.n_rows else f"{outcome.state}"
    head = f"{outcome.name}{chosen}: {verdict}"
    if not outcome.n_rows:
        return [f"{head}: {outcome.reason}"]
    rows = f"  after {outcome.n_rows:,} of {found.plan.n_rows:,} rows ({outcome.state})"
    return [head, rows, *(f"  {_bound(claim, outcome)}" for claim in outcome.claims),
            f"  {outcome.reason}"]  # fmt: skip


def _bound(claim: Claim, outcome: Outcome) -> str:
    estimate = "-"
    if claim.estimate is not None:
        estimate = f"{claim.estimate:.4f} {on_units(outcome, claim.n)}"
    bound = certified(claim) or "no certified bound"
    kind = "" if claim.exact else " (approximate)"
    return f"{claim.subject}: asked >= {claim.target:g}, estimate {estimate}, {bound}{kind}"
