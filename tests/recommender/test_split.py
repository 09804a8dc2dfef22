"""The open mode: what is held out stays closed, and the levels sum to delta."""

from collections.abc import Sequence
from typing import SupportsIndex, overload

import numpy as np
import pytest

from recommender.evidence.scores import Paths, Reduction
from recommender.evidence.split import HeldOut, NotPromoted, level, n_screened
from recommender.evidence.wealth import Floats

N, TARGET, DELTA = 500, 0.9, 0.05


class Guarded(Sequence[float]):
    """Outcomes that count who reads them."""

    def __init__(self, values: Floats) -> None:
        self._values = values
        self.n_read = 0

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, at: SupportsIndex) -> float: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[float]: ...
    def __getitem__(self, at: SupportsIndex | slice) -> float | Sequence[float]:
        self.n_read += 1
        return list(self._values[at]) if isinstance(at, slice) else float(self._values[at])


def test_the_levels_sum_to_delta() -> None:
    """However many candidates are promoted, together they own delta and no more."""
    shares = [level(m, DELTA) or 0.0 for m in range(1, 200)]
    assert sum(shares) == pytest.approx(DELTA)
    approximate = [level(m, DELTA, approximate=True) for m in range(1, 5)]
    assert approximate == [pytest.approx(DELTA / 3)] * 3 + [None]


def test_nothing_is_read_before_a_promotion() -> None:
    """The held-out outcomes of a candidate stay closed until it is promoted."""
    guarded = Guarded(np.ones(N))
    held_out = HeldOut[Guarded](DELTA, False, lambda: guarded)
    with pytest.raises(NotPromoted, match="not promoted"):
        held_out.open("candidate")
    assert guarded.n_read == 0
    held_out.promote("candidate")
    assert held_out.open("candidate")[0] == 1.0
    assert guarded.n_read == 1


def test_a_candidate_has_one_look_and_a_certificate_ends_the_test() -> None:
    """A second promotion, or one after the certificate, is refused."""
    held_out = HeldOut[None](DELTA, False, lambda: None)
    held_out.promote("one")
    with pytest.raises(NotPromoted, match="one look"):
        held_out.promote("one")
    held_out.close()
    with pytest.raises(NotPromoted, match="closed"):
        held_out.promote("two")


def test_screening_on_a_part_keeps_the_promise_on_the_rest() -> None:
    """The best of 30 candidates just below the target on A is rarely certified on B; on A itself,
    with the same level, it would be far too often: the test has teeth."""
    draw = np.random.default_rng(5)
    n_runs, n_a = 200, n_screened(N)
    best = []
    for _ in range(n_runs):
        right = (draw.random((30, N)) < TARGET - 1e-4).astype(np.float64)
        best.append(right[int(right[:, :n_a].mean(axis=1).argmax())])
    wrong_on_b = _n_certified([right[n_a:] for right in best])
    assert wrong_on_b <= 8  # the binomial tail at 0.01 with a false-alarm chance of 1e-4
    assert _n_certified(best) > wrong_on_b


def _n_certified(runs: Sequence[Floats]) -> int:
    """All runs at once, each with the level of a first look."""
    goal = -np.log(level(1, DELTA) or 0.0)
    paths = Paths.joined([Reduction(r, np.ones_like(r)).paths(np.array([TARGET])) for r in runs])
    wealth = paths.wealth(goal=goal, batch_ends=[len(runs[0])])
    return int((wealth.max(axis=1) >= goal).sum())
