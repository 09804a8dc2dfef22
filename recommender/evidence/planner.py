"""What a number of labels can show, before a search; how many more would do, after one.

The test is wealth.py's bet. Its power is that of one exact binomial look at all the labels (see
`binomial.py`) with two corrections, fitted by simulation:

- the look is at 0.65 of the level: the boldest bettor owns 0.6 of the wealth, the others add a
  little; what sequential looks cost and what an early crossing gains all but cancel out;
- half an error less is allowed: wealth passes its goal by up to one row's worth.

The true quality with a power of 0.8 then differs from the simulated one by at most 0.003, nearly
always to the cautious side, for 200 to 5,000 labels, levels 0.05 to 0.0001 and targets 0.6 to
0.98; benchmarks/planner.py measures it.

New labels are a new batch: the wealth already won is hedged again and bet for what is still to
win, goal - log wealth. That is a fresh test at the level exp(-still to win), so one power function
serves both questions. No number here can affect the guarantee.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, log, log10, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from recommender.evidence.binomial import errors_at, lower_bound

if TYPE_CHECKING:
    from recommender.evidence.scores import Reduction

POWER = 0.8
"""The chance of a certificate that every figure here is computed for."""

LEVEL_SHARE = 0.75
LOST_ERRORS = 0.5

REALISTIC_SDS = 0.5
"""How far below its shrunken mean a candidate's quality is put for the realistic number.

Chosen so that the promise is kept about 2 times in 3 over the mix of worlds of
benchmarks/planner.py; the share differs much between them. A whole SD is kept about 4 times in 5,
but asks for half as many labels again and promises less often.
"""

MOST_TIMES = 100
"""No number of labels above this many times those at hand is promised."""

LEAST_POOL = 5
"""A pool of fewer candidates says nothing about another one."""


def resolution(
    n: int, *, target: float, level: float, power: float = POWER, harmonic: bool = False
) -> float | None:
    """The smallest true quality that n units certify with the given power.

    n: independent units that say something about the quality; level: alpha of the candidate.
    harmonic: the quality is f1. None where not even a faultless candidate can be certified.
    """
    threshold = _threshold(target, harmonic)
    if not _faultless_suffices(n, threshold, level):
        return None
    found = lower_bound(n - (_allowed_errors(n, threshold, level) or 0.0), n, power)
    return 2 * found / (1 + found) if harmonic else found


def faultless_needed(target: float, level: float, *, harmonic: bool = False) -> int | None:
    """The fewest units with which a faultless candidate is certified; None for a target of 1."""
    threshold = _threshold(target, harmonic)
    if threshold >= 1:
        return None
    if threshold <= 0:
        return 1
    n, goal = max(1, ceil(log(level) / log(threshold))), -log(level)
    while (won := _faultless_wealth(n, threshold, level)) < goal:
        n += max(1, int((goal - won) / -log(threshold)))  # a right answer wins at most this much
    return n


def resolvable_tolerance(n: int, *, target: float, level: float) -> float:
    """The tolerance below the target that n units can tell, for a candidate at the target.

    From n ~ (z + 0.84)^2 target (1 - target) / tolerance^2, the normal sample size.
    """
    z = NormalDist().inv_cdf
    return (z(1 - level) + z(POWER)) * sqrt(target * (1 - target) / n)


def resolution_sentence(
    n: int, n_candidates: int, *, target: float, level: float, harmonic: bool = False,
    units: str = "rows", quality: str = "",
) -> str:  # fmt: skip
    """What these labels can prove, in one sentence without its full stop."""
    pool = "1 candidate" if n_candidates == 1 else f"{n_candidates:,} candidates"
    given = f"with {n:,} {units} and {pool}, "
    claim = f"above {f'{quality} ' if quality else ''}{target:.2f}"
    if abs(target * 100 - round(target * 100)) > 1e-9:
        claim = f"above {f'{quality} ' if quality else ''}{target:.3f}"
    reach = resolution(n, target=target, level=level, harmonic=harmonic)
    if reach is not None:
        return f"{given}a model must truly reach about {reach:.3f} to be proven {claim}"
    needed = faultless_needed(target, level, harmonic=harmonic)
    least = f": that takes {needed:,} {units}" if needed else ""
    return f"{given}not even a faultless model can be proven {claim}{least}"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One candidate that a search left without a certificate, in its binding condition.

    threshold, estimate: of the two-point score that the bet is made for; for accuracy the target
        and the share of right answers. Only what lies between them matters.
    n: units answered; n_informative: those that say something; n_unused: labelled, unanswered.
    still_to_win: goal - log wealth at the end of the data.
    """

    name: str
    threshold: float
    estimate: float
    n: int
    n_informative: int
    still_to_win: float
    n_unused: int = 0

    @classmethod
    def of(
        cls, reduction: "Reduction", target: float, *,
        goal: float, batch_ends: Sequence[int], name: str = "",
    ) -> "Shortfall":  # fmt: skip
        """From the answers themselves; at least one of them must be informative.

        A score that is not Bernoulli is planned as one of two points at -sqrt(v) and sqrt(v), v its
        second moment, with its mean: that is the normal sample size.
        """
        import numpy as np

        if not reduction.n_informative:
            raise ValueError(f"{name or 'this candidate'} has no informative answer")
        paths = reduction.paths(np.array([target]))
        if reduction.bernoulli:
            n_informative, width = reduction.n_informative, 1.0
            threshold = float(paths.bound[0])
        else:
            n_informative, width = reduction.n, 2 * sqrt(float(paths.moment[0, -1]))
            threshold = 0.5
        margin = float(paths.scores.sum()) / n_informative / width
        wealth = paths.wealth(goal=goal, batch_ends=batch_ends)
        return cls(
            name=name,
            threshold=threshold,
            estimate=threshold + margin,
            n=reduction.n,
            n_informative=n_informative,
            still_to_win=goal - float(wealth[0, -1]),
            n_unused=batch_ends[-1] - reduction.n,
        )

    @property
    def margin(self) -> float:
        """How far the estimate lies above the threshold."""
        return self.estimate - self.threshold

    @property
    def variance(self) -> float:
        """Of the estimate; the share of right answers is smoothed by 0.9 right and 0.1 wrong."""
        share = (self.estimate * self.n_informative + 0.9) / (self.n_informative + 1)
        share = min(share, 1 - 0.1 / (self.n_informative + 1))
        return max(share * (1 - share), 1e-6) / self.n_informative


@dataclass(frozen=True, slots=True)
class PoolPrior:
    """What a pool's candidates say about one more: how far above the threshold they lie.

    mean, sd: of the margin over candidates; mean_sd: the standard error of the mean.
    """

    mean: float
    sd: float
    mean_sd: float

    @classmethod
    def of(cls, pool: Sequence[Shortfall]) -> "PoolPrior | None":
        """From the candidates that ran; None for too few of them.

        The random-effects moments of R. DerSimonian and N. Laird, "Meta-analysis in clinical
        trials", Controlled Clinical Trials 7 (1986): candidates with few answers count for less.
        """
        if len(pool) < LEAST_POOL:
            return None
        weights = [1 / one.variance for one in pool]
        total = sum(weights)
        centre = sum(w * one.margin for w, one in zip(weights, pool, strict=True)) / total
        spread = sum(w * (one.margin - centre) ** 2 for w, one in zip(weights, pool, strict=True))
        scale = total - sum(w * w for w in weights) / total
        between = max(0.0, (spread - (len(pool) - 1)) / scale)
        weights = [1 / (one.variance + between) for one in pool]
        total = sum(weights)
        mean = sum(w * one.margin for w, one in zip(weights, pool, strict=True)) / total
        return cls(mean, sqrt(between), sqrt(1 / total))

    def shrunken(self, one: Shortfall) -> tuple[float, float]:
        """The mean and SD of this candidate's margin, given its answers and the pool."""
        keep = self.sd**2 / (self.sd**2 + one.variance)
        mean = self.mean + keep * (one.margin - self.mean)
        return mean, sqrt(keep * one.variance + ((1 - keep) * self.mean_sd) ** 2)


@dataclass(frozen=True, slots=True)
class LabelsNeeded:
    """How many more labels would certify a candidate; None: no amount that can be promised.

    optimistic: as if its estimate were its true quality. realistic: as if it were half an
    SD below its shrunken mean.
    """

    optimistic: int | None
    realistic: int | None

    def sentence(self) -> str:
        """The two numbers and what they are worth, without a full stop."""
        if self.optimistic is None:
            return "no amount of further labels can be promised to suffice"
        hopeful = f"{_rounded_up(self.optimistic):,} more labels if its estimate is right"
        if self.realistic is None:
            return f"{hopeful} (optimistic); no amount that we can promise"
        return (
            f"realistically {_rounded_up(self.realistic):,} more labels (kept about 2 times in 3); "
            f"{hopeful} (optimistic)"
        )


def labels_needed(one: Shortfall, prior: PoolPrior | None = None) -> LabelsNeeded:
    """How many labels to add, as one new batch, for a power of 0.8.

    Without a prior the estimate is not shrunken.
    """
    mean, sd = prior.shrunken(one) if prior else (one.margin, sqrt(one.variance))
    return LabelsNeeded(
        optimistic=_labels(one, one.margin),
        realistic=_labels(one, min(one.margin, mean - REALISTIC_SDS * sd)),
    )


def jointly(conditions: Iterable[LabelsNeeded]) -> LabelsNeeded:
    """The same for a candidate with several conditions: each must be met."""
    needed = list(conditions)
    return LabelsNeeded(
        optimistic=_most(one.optimistic for one in needed),
        realistic=_most(one.realistic for one in needed),
    )


def most_promising(
    needs: Sequence[tuple[str, float, LabelsNeeded]], *, most: int = 3
) -> list[tuple[str, float, LabelsNeeded]]:
    """The few candidates to name: (name, cost, labels), cheapest first.

    The cheapest one with a number, then each dearer one that needs fewer realistic labels; where
    more than `most` remain, those that need the fewest. Without any realistic number, the one
    with the fewest optimistic labels; none without any number.
    """
    front: list[tuple[str, float, LabelsNeeded]] = []
    for one in sorted(needs, key=lambda need: (need[1], need[2].realistic or inf)):
        realistic = one[2].realistic
        fewest = front[-1][2].realistic if front else None
        if realistic is not None and (fewest is None or realistic < fewest):
            front.append(one)
    if front:
        return front[-most:]
    hopeful = [one for one in needs if one[2].optimistic is not None]
    return sorted(hopeful, key=lambda one: (one[2].optimistic, one[1]))[:1]


def _labels(one: Shortfall, margin: float) -> int | None:
    """The labels beyond those at hand with which a candidate of this margin is certified."""
    quality = min(one.threshold + margin, 1 - 1e-9)
    if quality <= one.threshold:
        return None
    level = LEVEL_SHARE * exp(-max(one.still_to_win, 0.0))
    faultless = log(level) / log(one.threshold)
    needed = max(1.0, faultless, _sample_size(one.threshold, quality, level))
    new = max(0, ceil(needed * one.n / one.n_informative) - one.n_unused)
    return new if new <= MOST_TIMES * (one.n + one.n_unused) else None


def _sample_size(threshold: float, quality: float, level: float) -> float:
    """The n at which the errors that the look allows are those of `quality` with the power.

    Both are binomial quantiles by Cornish and Fisher's expansion to the skewness, n (1 - p) +
    z sqrt(n p (1 - p)) + (2 p - 1)(z^2 - 1)/6 - 1/2; their equality is quadratic in sqrt(n).
    """
    low, high = NormalDist().inv_cdf(level), NormalDist().inv_cdf(POWER)
    spreads = high * sqrt(quality * (1 - quality)) - low * sqrt(threshold * (1 - threshold))
    skews = (2 * quality - 1) * (high**2 - 1) / 6 - (2 * threshold - 1) * (low**2 - 1) / 6
    gap = quality - threshold
    inner = spreads**2 + 4 * gap * (LOST_ERRORS + skews)
    return ((spreads + sqrt(max(inner, 0.0))) / (2 * gap)) ** 2


def _allowed_errors(n: int, threshold: float, level: float) -> float | None:
    """The errors among n units with which the bet is won, as a smooth number."""
    errors = errors_at(n, threshold, LEVEL_SHARE * level)
    return None if errors is None else max(0.0, errors - LOST_ERRORS)


def _faultless_suffices(n: int, threshold: float, level: float) -> bool:
    """Whether n right answers in a row win the bet; its own path only where it is close."""
    if threshold <= 0:
        return n > 0
    if threshold >= 1 or n * log(threshold) > log(level):
        return False  # not even the exact binomial test would do
    if n * log(threshold) < 1.2 * log(0.5 * level):
        return True  # far more than the bet needs
    return _faultless_wealth(n, threshold, level) >= -log(level)


def _faultless_wealth(n: int, threshold: float, level: float) -> float:
    """The most log wealth on the way through n right answers."""
    import numpy as np

    from recommender.evidence.wealth import log_wealth

    path = log_wealth(
        np.full((1, n), 1 - threshold),
        bound=threshold,
        goal=-log(level),
        batch_ends=[n],
        second_moment=threshold * (1 - threshold),
    )
    return float(path.max())


def _threshold(target: float, harmonic: bool) -> float:
    """The Bernoulli threshold of a target; f1's as in scores.py."""
    return target / (2 - target) if harmonic else target


def _most(numbers: Iterable[int | None]) -> int | None:
    """The greatest; None where one of them is None."""
    found = list(numbers)
    known = [n for n in found if n is not None]
    return max(known) if len(known) == len(found) else None


def _rounded_up(n: int) -> int:
    """To two significant digits: a plan is no more precise."""
    if n < 100:
        return n
    step = int(10 ** (int(log10(n)) - 1))
    return -(-n // step) * step
