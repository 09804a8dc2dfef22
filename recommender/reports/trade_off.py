"""What would be given up or gained beside the choice: its neighbours on the frontier."""

from recommender.recommendation import Outcome, Recommendation
from recommender.reports.figures import certified, on_units, quality
from recommender.reports.table import estimate_of, figure, metric_of, rises, state_cell

WORDS = {
    "latency_p50_ms": ("faster", "slower"),
    "latency_p95_ms": ("faster", "slower"),
}
"""How less and more of a cost are called; smaller and larger where it is not named."""


def trade_off(result: Recommendation) -> tuple[tuple[str, str], ...]:
    """The next cheaper candidate and the next better one, where they are known, in words.

    Cost is what was minimized. Nothing is said where more of it is wanted, as of throughput.
    """
    choice, cost = result.choice, result.plan.minimize
    if choice is None or not choice.value(cost) or cost == "throughput_per_s":
        return ()
    less, more = WORDS.get(cost, ("smaller", "larger"))
    found = ((f"next {less}", _cheaper(result, choice)), ("next better", _better(result, choice)))
    return tuple(
        (name, _told(result, other, (less, more))) for name, other in found if other is not None
    )


def _cheaper(result: Recommendation, choice: Outcome) -> Outcome | None:
    """The dearest of the frontier that costs less than the choice."""
    cost, most = result.plan.minimize, choice.value(result.plan.minimize) or 0.0
    less = [o for o in result.frontier if 0 < (o.value(cost) or 0.0) < most]
    return max(less, key=lambda o: o.value(cost) or 0.0, default=None)


def _better(result: Recommendation, choice: Outcome) -> Outcome | None:
    """The cheapest that costs more, and whose estimate is better."""
    cost, metric = result.plan.minimize, metric_of(result)
    least, mine = choice.value(cost) or 0.0, estimate_of(choice, metric)
    if mine is None:
        return None
    others = [*result.frontier, *([result.baseline] if result.baseline else [])]
    dearer = [(o, estimate_of(o, metric)) for o in others if (o.value(cost) or 0.0) > least]
    sign = 1 if rises(result) else -1
    more = [o for o, estimate in dearer if estimate is not None and sign * (estimate - mine) > 0]
    return min(more, key=lambda o: o.value(cost) or 0.0, default=None)


def _told(result: Recommendation, other: Outcome, words: tuple[str, str]) -> str:
    """`team/nano onnxruntime-int8: 0.1 MB (1.8x smaller), accuracy 0.893 on ..., undecided`."""
    metric, cost = metric_of(result), other.measurements[result.plan.minimize]
    choice = result.choice.value(result.plan.minimize) if result.choice else None
    estimate, claim = estimate_of(other, metric), next(iter(other.claims), None)
    ratio = (choice or cost.value) / cost.value
    factor = f"{figure(max(ratio, 1 / ratio))}x {words[0] if ratio > 1 else words[1]}"
    n = claim.n if claim else other.n_units
    said = [
        f"{figure(cost.value)} {cost.unit or result.plan.minimize} ({factor})",
        "" if estimate is None else f"{metric} {quality(estimate)} {on_units(other, n)}",
        certified(claim) if claim else "",
        state_cell(other),
    ]
    told = f"{other.model} {other.recipe.name}: {', '.join(part for part in said if part)}"
    return told.replace(">= ", ">=\u00a0")
