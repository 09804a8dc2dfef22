"""Intervals for metrics that are no plain proportions."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from evaluators.quality.counts import Counts, Floats

N_RESAMPLES = 1_000
SEED = 0


def bootstrap_interval(
    formula: Callable[[Counts], Floats], counts: Counts, *, seed: int = SEED
) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a formula; the same for the same counts.

    Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3. Drawing n rows
    with replacement is drawing their counts from a multinomial distribution, so no row is copied.
    It is approximate: too narrow for few rows, and a class that was never wrong stays so. Two
    classes take 5 ms, 77 classes with 400 kinds of errors 100 ms.
    """
    n = int(counts.times.sum())
    generator = np.random.default_rng(seed)
    times = generator.multinomial(n, counts.times / n, size=N_RESAMPLES)  # (resamples, pairs)
    values = formula(replace(counts, times=times.astype(np.float64)))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
