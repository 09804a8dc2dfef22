"""What the candidates that were run say about those that were not.

A Bayesian linear regression of the quality on the logarithm of the parameters and on published
results, with random effects of the family, the model and the recipe, and binomial noise (C. E.
Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, 2006, 2.1 and 2.7). How
widely candidates scatter about the line is not known beforehand, so a few scales are averaged by
how well they predicted what was seen.

Its forecasts may only skip and reorder. They never decide when a candidate is given up while it
runs: that forecast must know nothing of the neighbours (evidence/predictive.py).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.evidence.predictive import quantile
from recommender.search.contender import Contender, Standing

Floats = NDArray[np.float64]

SCALES = np.array([0.015, 0.04, 0.10])
"""Standard deviations of a family's distance from the line; averaged by their evidence."""

EFFECTS = {"family": 0.7, "model": 0.7, "recipe": 0.4, "own": 0.4}
"""Standard deviations of the random effects, as shares of the scale."""

INTERCEPT = (-0.05, 0.15)
"""Mean and deviation of the quality at the middle size, relative to the target."""

SLOPE = (0.02, 0.04)
"""Mean and deviation of the gain in quality for each e-fold of parameters."""

PUBLISHED = (0.8, 0.4)
"""Mean and deviation of the share of a published result's distance that is found again."""

LEAST_VARIANCE, OTHER_VARIANCE = 0.02, 0.05
"""A unit's variance: never less than the first; the second where quality is no proportion."""


class Surrogate:
    """Forecasts for every contender, brought up to date with one answered prefix at a time."""

    def __init__(self, contenders: Sequence[Contender], *, target: float, n_units: int) -> None:
        self._target, self._n_units = target, n_units
        self._z = np.array([quantile(c.goal) for c in contenders])
        self._features, weights = _features(contenders, target)
        self._weights = weights[:, 1]
        self._groups = _groups(contenders)
        k = len(contenders)
        self._mean = np.tile(target + self._features @ weights[:, 0], (len(SCALES), 1))
        linear = (self._features**2) @ self._weights**2
        effects = sum(share**2 for share in EFFECTS.values())
        self._variance = linear[None, :] + effects * SCALES[:, None] ** 2 * np.ones(k)
        self._log_evidence = np.zeros(len(SCALES))
        self._rows = np.empty((len(SCALES), 16, k))  # (scales, observations, contenders)
        self._n_rows = 0
        self._seen = np.zeros(k)
        self._total = np.zeros(k)
        self._informative = np.full(k, np.nan)

    def update(self, index: int, standing: Standing) -> None:
        """Learn from the units answered since the last time; nothing new changes nothing."""
        if standing.mean is None or standing.failed:
            return
        seen = standing.n_seen * standing.informative
        new, total = seen - self._seen[index], seen * standing.mean
        if new <= 0:
            return
        value = (total - self._total[index]) / new
        self._seen[index], self._total[index] = seen, total
        self._informative[index] = standing.informative
        self._observe(index, value, float(unit_variance((total + 1.0) / (seen + 2.0))) / new)

    def quality(self) -> tuple[Floats, Floats]:
        """The expected true quality of each contender and its standard deviation: (contenders,)."""
        weights = self._scale_weights()[:, None]
        mean = (weights * self._mean).sum(axis=0)
        spread = (weights * (self._variance + self._mean**2)).sum(axis=0) - mean**2
        return mean, np.sqrt(np.maximum(spread, 0.0))

    def chances(self) -> Floats:
        """The chance of each contender to be certified with all units: (contenders,)."""
        share = np.where(np.isnan(self._informative), self._usual_share(), self._informative)
        units = np.maximum(share * self._n_units, self._seen + 1e-9)
        left = units - self._seen
        target = self._target
        skew = (self._z**2 - 1.0) * (2.0 * target - 1.0) / 6.0 if 0.0 < target < 1.0 else 0.0
        moment = float(unit_variance(target, least=1e-6))
        needed = units * target + self._z * np.sqrt(units * moment) - skew
        expected = self._total + left * self._mean
        variance = left * unit_variance(self._mean) + left**2 * self._variance
        gaps = (expected - needed) / np.sqrt(np.maximum(variance, 1e-12))
        found = (self._scale_weights()[:, None] * _normal_cdf(gaps)).sum(axis=0)
        impossible = needed > self._total + left if 0.0 < target < 1.0 else False
        return np.where(impossible, 0.0, found)

    def _observe(self, index: int, value: float, noise: float) -> None:
        """One row of the Cholesky factor of the observations' covariance, for every scale."""
        if self._n_rows == self._rows.shape[1]:
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)], axis=1)
        old = self._rows[:, : self._n_rows]  # (scales, observations, contenders)
        covariance = self._prior_row(index) - np.einsum("gt,gtk->gk", old[:, :, index], old)
        surprise = self._variance[:, index] + noise
        gap = value - self._mean[:, index]
        row = covariance / np.sqrt(surprise)[:, None]
        self._log_evidence -= 0.5 * (gap**2 / surprise + np.log(surprise))
        self._mean += covariance * (gap / surprise)[:, None]
        self._variance = np.maximum(self._variance - row**2, 1e-12)
        self._rows[:, self._n_rows] = row
        self._n_rows += 1

    def _prior_row(self, index: int) -> Floats:
        """The prior covariance of one contender with all: (scales, contenders)."""
        linear = self._features @ (self._weights**2 * self._features[index])
        shared = np.zeros(len(linear))
        for effect, codes in self._groups.items():
            shared += EFFECTS[effect] ** 2 * (codes == codes[index])
        return np.asarray(linear[None, :] + SCALES[:, None] ** 2 * shared)

    def _scale_weights(self) -> Floats:
        weights = np.exp(self._log_evidence - self._log_evidence.max())
        return np.asarray(weights / weights.sum())

    def _usual_share(self) -> float:
        known = self._informative[~np.isnan(self._informative)]
        return float(known.mean()) if known.size else 1.0


def unit_variance(mean: float | Floats, *, least: float = LEAST_VARIANCE) -> Floats:
    """The variance of one unit about its mean: m(1 - m) for a proportion."""
    m = np.asarray(mean, dtype=np.float64)
    proportion = np.maximum(m * (1.0 - m), least)
    return np.where((m > 0.0) & (m < 1.0), proportion, OTHER_VARIANCE)


def _features(contenders: Sequence[Contender], target: float) -> tuple[Floats, Floats]:
    """(contenders, 5) features, and (5, 2) the mean and deviation of their weights.

    One pair of intercept and slope for contenders without a published result, one for those with.
    """
    logs = np.array([np.log(c.n_parameters) if c.n_parameters else np.nan for c in contenders])
    known = logs[~np.isnan(logs)]
    middle = float((known.min() + known.max()) / 2) if known.size else 0.0
    size = np.where(np.isnan(logs), 0.0, logs - middle)
    published = np.array([c.prior_quality is not None for c in contenders], dtype=np.float64)
    distance = np.array(
        [0.0 if c.prior_quality is None else c.prior_quality - target for c in contenders]
    )
    features = np.stack(
        [1 - published, size * (1 - published), published, size * published, distance], axis=1
    )
    weights = np.array([INTERCEPT, SLOPE, (0.0, 0.05), (0.0, 0.02), PUBLISHED])
    return features, weights


def _groups(contenders: Sequence[Contender]) -> dict[str, NDArray[np.int64]]:
    return {
        "family": _codes([c.family for c in contenders]),
        "model": _codes([c.model or c.name for c in contenders]),
        "recipe": _codes([c.recipe for c in contenders]),
        "own": np.arange(len(contenders)),
    }


def _codes(names: Sequence[str]) -> NDArray[np.int64]:
    number: dict[str, int] = {}
    return np.array([number.setdefault(name, len(number)) for name in names], dtype=np.int64)


def _normal_cdf(z: Floats) -> Floats:
    """The standard normal distribution function to 1.5e-7 (Abramowitz and Stegun 7.1.26)."""
    x = np.abs(z) / np.sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * x)
    poly = np.zeros_like(t)
    for weight in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        poly = t * (weight + poly)
    upper = 0.5 * poly * np.exp(-(x**2))
    return np.asarray(np.where(z > 0, 1.0 - upper, upper))
