"""Past searches, as they were answered."""

from cache.errors import NotFound
from cache.measurements import Measurements
from recommender.recommendation import Claim, Outcome, Recommendation
from recommender.reports.figures import certified, on_units

ID_DIGITS = 8


def explain_run(store: Measurements, model: str, *, run: str | None = None) -> str:
    """What became of each candidate of a model in the newest search that had it."""
    n_runs = 0
    for stored in store.runs(prefix=run or ""):
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
    where = f"a run {run}" if run else f"{n_runs} {'search' if n_runs == 1 else 'searches'}"
    raise NotFound(
        f"'{model}' is in none of {where}; run 'recommender find' with it, or name a part of its "
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
