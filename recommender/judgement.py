"""What a candidate's answers show: the test of each asked quality, on the rows answered so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite
from types import MappingProxyType

import numpy as np

from evaluators.quality.counts import FORMULAS, Counts
from recommender.bar import Asked, Bar
from recommender.evidence.approximate import Jackknife, jackknife
from recommender.evidence.bounds import certified_bounds, is_certified, on_grid
from recommender.evidence.predictive import chance_to_certify
from recommender.evidence.reductions import reduction
from recommender.evidence.scores import Reduction
from recommender.evidence.verdict import Verdict
from recommender.evidence.wealth import Floats
from recommender.facts import Facts
from recommender.measures import reduced
from recommender.recommendation import Claim

NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """One asked quality of one candidate: the input of its exact test, or its jackknife."""

    asked: Asked
    exact: Reduction | None
    approximate: Jackknife | None

    @property
    def estimate(self) -> float | None:
        """The quality on the rows answered."""
        if self.exact is not None:
            return self.exact.estimate
        return self.approximate.estimate if self.approximate else None

    @property
    def n(self) -> int:
        """The units that say something about it."""
        if self.exact is not None:
            return self.exact.n_informative
        return self.approximate.n if self.approximate else 0

    @property
    def key(self) -> str:
        """The condition's."""
        return self.asked.condition.key

    @property
    def target(self) -> float:
        """Where its target lies on the test's scale."""
        return self.asked.target or 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """One candidate on its first units: the tests' inputs, and what they say.

    `chance` is the predictive probability that it will be certified with all units (1 where it
    is); `mean` estimates the quality that stands in the way most, moved by as much as its target
    differs from the first one's; `informative` is the share of units that say something of it.
    All three only steer the search.
    """

    tested: tuple[Tested, ...]
    verdict: Verdict
    chance: float
    mean: float | None
    informative: float
    n_units: int

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Each asked quality with its estimate, without bounds."""
        return tuple(
            Claim(t.asked.subject, t.target, t.estimate, None, t.n, t.asked.exact)
            for t in self.tested
        )


def judge(
    bar: Bar,
    facts: Facts,
    answers: Sequence[str | None],
    goal: float,
    *,
    known: Mapping[str, float] = NOTHING,
    final: bool = False,
) -> Judgement:
    """The verdict on a candidate from its answers to the first rows.

    Sufficient where each condition is certified (intersection-union: at no further price). An
    approximate quality has one look, when all units are answered. `known` are certified bounds of
    just these answers, by condition. `final` also asks whether a condition was shown to be missed,
    which has an error share of its own.
    """
    n_units = facts.units_of(len(answers))
    plain = facts.without_scores(answers)
    tested = tuple(
        _tested(asked, facts, answers) if asked.reads_scores else _tested(asked, facts.plain, plain)
        for asked in bar.asked
    )
    complete = n_units == bar.n_units
    passed = [_passes(bar, one, goal, known, complete=complete) for one in tested]
    chances = [
        1.0 if won else _chance(bar, one, goal) for won, one in zip(passed, tested, strict=True)
    ]
    worst = min(range(len(tested)), key=chances.__getitem__, default=None)
    sufficient = bool(tested) and all(passed)
    found = Judgement(
        tested=tested,
        verdict=Verdict.SUFFICIENT if sufficient else Verdict.UNDECIDED,
        chance=min(chances, default=1.0),
        mean=None if worst is None else _moved(bar, tested[worst]),
        informative=1.0 if worst is None else tested[worst].n / max(1, n_units),
        n_units=n_units,
    )
    return finished(bar, found, goal) if final else found


def finished(bar: Bar, judgement: Judgement, goal: float) -> Judgement:
    """The same, after also asking whether a condition was shown to be missed."""
    if judgement.verdict is not Verdict.UNDECIDED:
        return judgement
    missed = any(_is_missed(bar, one, goal) for one in judgement.tested)
    return replace(judgement, verdict=Verdict.INSUFFICIENT) if missed else judgement


def bounds_of(
    bar: Bar,
    judged: Sequence[Judgement],
    goals: Sequence[float],
    known: Sequence[Mapping[str, float]],
) -> list[dict[str, float]]:
    """The certified bounds of several candidates, by condition, worked out together."""
    found = [dict(each) for each in known]
    open_ = [
        (at, one)
        for at, judgement in enumerate(judged)
        for one in judgement.tested
        if one.key not in found[at] and one.exact is not None and one.exact.n
        and isfinite(goals[at])
    ]  # fmt: skip
    values = certified_bounds(
        [one.exact for _, one in open_ if one.exact is not None],
        goals=[goals[at] for at, _ in open_],
        batch_ends=bar.batch_ends,
    )
    for (at, one), value in zip(open_, values, strict=True):
        found[at][one.key] = value
    for at, judgement in enumerate(judged):
        for one in judgement.tested:
            bound = _approximate_bound(bar, judgement, one, goals[at])
            if bound is not None:
                found[at][one.key] = bound
    return found


def claims_of(judgement: Judgement, bounds: Mapping[str, float]) -> tuple[Claim, ...]:
    """Each asked quality with its bound, all at one common distance from their targets.

    Which condition binds is a fact about the candidate and not a choice, so all bounds hold
    together at the candidate's one share of delta.
    """
    claims = judgement.claims
    known = [bounds.get(one.key) for one in judgement.tested]
    short = [c.target - b for c, b in zip(claims, known, strict=True) if b is not None]
    if not short or len(short) < len(claims):
        return claims
    distance = max(short)
    if judgement.verdict is Verdict.SUFFICIENT:
        distance = min(distance, 0.0)  # between two grid points the target itself is certified
    return tuple(replace(c, lower=round(c.target - distance, 9)) for c in claims)


def _tested(asked: Asked, facts: Facts, answers: Sequence[str | None]) -> Tested:
    if asked.condition.of_rows:
        found = reduced(asked.condition, facts, answers)
        if isinstance(found, Jackknife):
            return Tested(asked, None, found)
        return Tested(asked, found, None)
    if not asked.exact:
        return Tested(asked, None, _jackknife(asked, facts, answers))
    return Tested(
        asked,
        reduction(
            asked.condition,
            truths=facts.truths,
            answers=answers,
            slices=facts.slices,
            units=facts.unit_of_row,
            weights=facts.weights,
            baseline=facts.baseline,
            grouped=facts.grouped,
        ),
        None,
    )


def _jackknife(asked: Asked, facts: Facts, answers: Sequence[str | None]) -> Jackknife:
    """The metric's formula on counts, with each unit left out in turn."""
    n_units = facts.units_of(len(answers))
    rows = range(facts.rows_of(n_units))
    where = asked.condition.slice
    kept = [row for row in rows if not where or facts.slices[row].get(where[0]) == where[1]]
    given = [answers[row] or "" for row in kept]
    truths = [facts.truths[row] for row in kept]
    if not kept:
        return Jackknife()
    counts = Counts.of(given, truths, facts.labels, asked.condition.label)
    place = {pair: at for at, pair in enumerate(zip(counts.truth, counts.answer, strict=True))}
    index = {label: at for at, label in enumerate(facts.labels)}
    units: dict[int, Floats] = {}
    for row, truth, answer in zip(kept, truths, given, strict=True):
        unit = units.setdefault(facts.unit_of_row[row], np.zeros(len(counts.times)))
        unit[place[index[truth], index.get(answer, len(index))]] += 1
    formula = FORMULAS[asked.condition.metric]
    return jackknife(
        lambda times: formula(replace(counts, times=times)), counts.times, list(units.values())
    )


def _passes(
    bar: Bar, one: Tested, goal: float, known: Mapping[str, float], *, complete: bool
) -> bool:
    if one.key in known:
        return known[one.key] >= (on_grid(one.target) if one.asked.exact else one.target)
    if one.exact is not None:
        return isfinite(goal) and is_certified(
            one.exact, one.target, goal=goal, batch_ends=bar.batch_ends
        )
    if one.approximate is None or not complete or bar.screening is not None:
        return False
    return one.approximate.lower(exp(-goal)) >= one.target


def _chance(bar: Bar, one: Tested, goal: float) -> float:
    if bar.screening is not None:
        found = one.approximate or _of_ratio(one.exact)
        return found.chance(one.target, level=bar.screening.level, n=bar.screening.n_units)
    if one.exact is None or not isfinite(goal):
        return 0.0
    return chance_to_certify(one.exact, one.target, goal=goal, horizon=bar.n_units)


def _of_ratio(reduced: Reduction | None) -> Jackknife:
    """The jackknife of an exact quality, for the guess of its chance on fresh units."""
    if reduced is None or reduced.estimate is None:
        return Jackknife()
    both = np.stack([reduced.gain, reduced.cost], axis=1)

    def ratio(sums: Floats) -> Floats:
        safe = np.maximum(sums[:, 1], 1e-9)
        value = sums[:, 0] / safe
        return np.asarray(2 * value / (1 + value) if reduced.harmonic else value)

    return jackknife(ratio, both.sum(axis=0), list(both))


def _is_missed(bar: Bar, one: Tested, goal: float) -> bool:
    if one.exact is None or not isfinite(goal) or (one.estimate or 0.0) >= one.target:
        return False
    below = one.exact.crosses(
        np.array([one.target]), goal=goal, batch_ends=bar.batch_ends, above=False
    )
    return bool(below.any())


def _moved(bar: Bar, one: Tested) -> float | None:
    """The estimate on the scale of the search's one target."""
    if one.estimate is None:
        return None
    return min(1.0, max(0.0, bar.search_target + one.estimate - one.target))


def _approximate_bound(bar: Bar, judgement: Judgement, one: Tested, goal: float) -> float | None:
    complete = judgement.n_units == bar.n_units and bar.screening is None
    if one.approximate is None or not complete or not isfinite(goal):
        return None
    found = one.approximate.lower(exp(-goal))
    return found if isfinite(found) else None
