"""What can be said when nothing was shown to be sufficient, and what would help."""

from collections.abc import Mapping, Sequence
from math import isfinite

from recommender.bench import Bench
from recommender.evidence.verdict import Verdict
from recommender.planning import Declared
from recommender.query import Query
from recommender.recommendation import Claim, Outcome
from recommender.reports.figures import at_least, on_units, quality, rounded_down
from recommender.requirement import STATIC_COSTS, Requirement

SHOWN = 3

GOES_ON = "more time: the search did not come to its end; the same command goes on where it stopped"

MOST_TOLERANCE = 0.2
"""A tolerance beyond this is no help."""


def without_answer(
    benches: Mapping[str, Bench],
    declared: Declared,
    outcomes: Sequence[Outcome],
    *,
    complete: bool = True,
) -> list[str]:
    """The best certified bounds, the tolerance that would pass, and how many more labels.

    Of a search that did not come to its end: that it goes on. `benches` are those that the
    candidates were judged on, by name. A candidate over a limit is offered for nothing: no
    tolerance and no labels bring its costs down.
    """
    judged = [outcome for outcome in outcomes if outcome.claims and outcome.n_units]
    scored = [outcome for outcome in judged if not outcome.misses]
    notes = _over_limits(judged)
    if scored:
        notes += _best_bounds(declared, scored)
        notes += _labels(benches, declared, scored) if complete else []
    return notes if complete else [*notes, GOES_ON]


def _over_limits(judged: Sequence[Outcome]) -> list[str]:
    """Those that pass on quality: only their costs stand in the way."""
    over = [o for o in judged if o.misses and o.verdict is Verdict.SUFFICIENT]
    if not over:
        return []
    said = "; ".join(f"{o.name} ({', '.join(o.misses)})" for o in over[:SHOWN])
    more = f"; and {len(over) - SHOWN} more" if len(over) > SHOWN else ""
    return [f"sufficient in quality, turned down for their costs alone: {said}{more}"]


def _best_bounds(declared: Declared, scored: Sequence[Outcome]) -> list[str]:
    """The candidates nearest to their bar by certified bounds, which hold all at once."""
    known = [(o.shortfall, o) for o in scored if o.shortfall is not None]
    nearest = sorted(known, key=lambda pair: (pair[0], pair[1].predicted_size_mb))[:SHOWN]
    if not nearest:
        return _closest(scored)
    said = "; ".join(f"{o.name} {_bounds(o)}" for _, o in nearest)
    notes = [f"certified all the same, for all of them at once: {said}"]
    short, best = nearest[0]
    lowered = lowered_to_pass(best, declared.query.quality)
    if declared.plan.mode == "pool" and 0 < short <= MOST_TOLERANCE and lowered:
        notes.append(
            f"with a tolerance of {-rounded_down(-short):.3f} there is an answer, on these labels "
            f"and at no price{_if_cheap(declared.query)}: {' and '.join(lowered)}"
        )
    return notes


def _closest(scored: Sequence[Outcome]) -> list[str]:
    known = [(o.claims[0].estimate, o) for o in scored if o.claims[0].estimate is not None]
    if not known:
        return []
    estimate, best = max(known, key=lambda pair: pair[0])
    claim = best.claims[0]
    return [f"the closest was {best.name} with {claim.subject} {quality(estimate)} "
            f"{on_units(best, claim.n)}; nothing is certified about it"]  # fmt: skip


def _bounds(outcome: Outcome) -> str:
    known = [(claim.subject, claim.lower) for claim in outcome.claims]
    return ", ".join(f"{subject} {at_least(low)}" for subject, low in known if low is not None)


def lowered_to_pass(outcome: Outcome, asked: Sequence[Requirement]) -> list[str]:
    """The asked qualities as an outcome's certified bounds meet them, as `find` reads them.

    None of them where one cannot be said so: no share of the baseline is as low as its bound.
    """
    pairs = zip(outcome.claims, asked, strict=True)
    found = [_lowered(claim, requirement) for claim, requirement in pairs]
    return [text for text in found if text is not None] if None not in found else []


def _lowered(claim: Claim, asked: Requirement) -> str | None:
    """`accuracy >= 0.935 * baseline` from what was certified; None where it has no such form.

    The claim may be on the scale of the request (a ratio, a difference) or on that of the quality,
    where the baseline's certified upper bound made the target.
    """
    if claim.lower is None:
        return None
    if asked.relative == "times":
        factor = rounded_down(asked.bound * claim.lower / claim.target) if claim.target > 0 else 0
        return f"{asked.subject} >= {factor:.3f} * baseline" if factor > 0 else None
    if asked.relative == "minus":
        margin = -rounded_down(claim.lower - claim.target - asked.bound)
        return f"{asked.subject} >= baseline - {min(1.0, max(0.0, margin)):.3f}"
    return f"{asked.subject} >= {max(0.0, rounded_down(claim.lower)):.3f}"


def _if_cheap(query: Query) -> str:
    """Costs are measured in full only for candidates that pass on quality."""
    is_open = any(limit.measure not in STATIC_COSTS for limit in query.limits)
    return ", if its costs pass" if is_open else ""


def _labels(
    benches: Mapping[str, Bench], declared: Declared, scored: Sequence[Outcome]
) -> list[str]:
    """How many more labels would certify the most promising candidates, if that can be said."""
    from recommender.evidence.planner import (
        PoolPrior,
        Shortfall,
        jointly,
        labels_needed,
        most_promising,
    )

    if declared.plan.mode == "open":
        return ["more labels: in the open mode they must be a new sample, as each answers one "
                "question"]  # fmt: skip
    candidates = {candidate.name: candidate for candidate in declared.pool.candidates}
    short: dict[str, list[Shortfall]] = {}
    for outcome in scored:
        bench = benches[outcome.name]
        judged, goal = bench.judged.get(outcome.name), bench.goal(candidates[outcome.name])
        if judged is None or not isfinite(goal):
            continue
        found = [
            Shortfall.of(
                one.exact, one.target, goal=goal, batch_ends=bench.bar.batch_ends,
                name=outcome.name,
            )
            for one in judged.tested
            if one.exact is not None and one.exact.n_informative
        ]  # fmt: skip
        if len(found) == len(judged.tested):
            short[outcome.name] = found
    if not short:
        return []
    priors = [PoolPrior.of(list(each)) for each in zip(*short.values(), strict=True)]
    sizes = {o.name: o.value("size_mb") or o.predicted_size_mb for o in scored}
    needs = [
        (name, sizes[name], jointly(map(labels_needed, found, priors)))
        for name, found in short.items()
    ]
    named = most_promising(needs, most=SHOWN)
    if not named:
        return ["more labels: no amount that we can promise would certify one of these"]
    passing = _if_cheap(declared.query)
    return [
        f"more labels: {name} ({size:.3g} MB): {need.sentence()}{passing}"
        for name, size, need in named
    ]
