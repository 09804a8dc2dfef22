"""A candidate's answers against several conditions at once."""

from dataclasses import replace
from math import inf, log

import numpy as np
import pytest

from recommender.bar import Asked, Bar, Screening
from recommender.evidence.verdict import Verdict
from recommender.facts import Facts
from recommender.judgement import bounds_of, claims_of, judge
from recommender.query import Query
from recommender.requirement import Requirement

N, GOAL = 1_000, log(1 / 0.001)


def asked(*texts: str) -> tuple[Asked, ...]:
    query = Query.parse((), positive="yes")
    return tuple(Asked.of(Requirement.parse(text), query) for text in texts)


def bar(*texts: str) -> Bar:
    return Bar(asked(*texts), N, (N,), {})


def facts(*, seed: int = 0) -> Facts:
    draw = np.random.default_rng(seed)
    truths = tuple(draw.choice(["yes", "no"], N))
    slices = tuple({"lang": str(language)} for language in draw.choice(["de", "en"], N))
    return Facts(truths, tuple(range(N)), slices, ("no", "yes"), (1.0,) * N)


def answers(known: Facts, quality: float, *, seed: int = 1) -> list[str | None]:
    right = np.random.default_rng(seed).random(N) < quality
    other = {"yes": "no", "no": "yes"}
    return [t if ok else other[t] for t, ok in zip(known.truths, right, strict=True)]


def test_every_condition_must_be_certified() -> None:
    """A floor that is missed turns down a candidate that is accurate enough."""
    known = facts()
    given = answers(known, 0.95)
    assert judge(bar("accuracy >= 0.9"), known, given, GOAL).verdict is Verdict.SUFFICIENT
    both = bar("accuracy >= 0.9", "recall[yes] >= 0.99")
    assert judge(both, known, given, GOAL).verdict is not Verdict.SUFFICIENT


def test_bounds_lie_at_one_distance_from_their_targets() -> None:
    """The binding condition moves the bounds of the others: what is shown holds together."""
    known = facts()
    several = bar("accuracy >= 0.9", "recall[yes] >= 0.9", "accuracy[lang=de] >= 0.8")
    judged = judge(several, known, answers(known, 0.93), GOAL)
    (bounds,) = bounds_of(several, [judged], [GOAL], [{}])
    claims = claims_of(judged, bounds)
    distances = [claim.target - (claim.lower or 0.0) for claim in claims]
    assert distances == pytest.approx([distances[0]] * 3)
    alone = [bounds[one.key] for one in judged.tested]
    assert all((c.lower or 0) <= own + 1e-9 for c, own in zip(claims, alone, strict=True))
    assert any((c.lower or 0) == pytest.approx(own) for c, own in zip(claims, alone, strict=True))


def test_a_remembered_bound_decides_as_the_test_does() -> None:
    """What was worked out before gives the same verdict for any target."""
    known, given = facts(), answers(facts(), 0.95)
    judged = judge(bar("accuracy >= 0.5"), known, given, GOAL)
    (bounds,) = bounds_of(bar("accuracy >= 0.5"), [judged], [GOAL], [{}])
    for target in (0.85, 0.9, 0.92, 0.94, 0.96):
        one = bar(f"accuracy >= {target}")
        fresh = judge(one, known, given, GOAL)
        assert judge(one, known, given, GOAL, known=bounds).verdict is fresh.verdict


def test_a_missing_answer_is_a_wrong_one() -> None:
    """Errors and time-outs count against a candidate, in every condition."""
    known = facts()
    given = answers(known, 1.0)
    for condition in ("accuracy >= 0.9", "recall[yes] >= 0.9", "precision[yes] >= 0.9"):
        one = bar(condition)
        assert judge(one, known, given, GOAL).verdict is Verdict.SUFFICIENT
        failing = [None if at % 4 == 0 else answer for at, answer in enumerate(given)]
        assert judge(one, known, failing, GOAL).verdict is not Verdict.SUFFICIENT


def test_a_candidate_that_is_far_below_is_shown_to_miss() -> None:
    """The opposite bet is won: more than undecided."""
    known = facts()
    judged = judge(bar("accuracy >= 0.9"), known, answers(known, 0.7), GOAL, final=True)
    assert judged.verdict is Verdict.INSUFFICIENT


def test_nothing_is_certified_without_a_share_or_while_screening() -> None:
    """A candidate that no ledger covers, and one on the screened part, are never sufficient."""
    known, given = facts(), answers(facts(), 0.99)
    assert judge(bar("accuracy >= 0.9"), known, given, inf).verdict is Verdict.UNDECIDED
    screening = replace(bar("accuracy >= 0.9"), screening=Screening(4 * N, 0.01))
    judged = judge(screening, known, given, inf)
    assert judged.verdict is Verdict.UNDECIDED
    assert judged.chance > 0.9


def test_an_approximate_quality_has_one_look_at_the_end() -> None:
    """Macro-F1 is not tested before all units are answered."""
    known, given = facts(), answers(facts(), 0.97)
    one = bar("f1_macro >= 0.9")
    assert judge(one, known, given[: N // 2], GOAL).verdict is Verdict.UNDECIDED
    assert judge(one, known, given, GOAL).verdict is Verdict.SUFFICIENT
