"""How good are these predictions? One figure with its 95 % interval."""

import math
from collections.abc import Sequence

from cache.errors import BadInput
from evaluators.measurement import Measurement
from evaluators.quality.specs import METRICS, MISSING, check_metric, metric_entry_point

__all__ = ["METRICS", "quality", "wilson"]

Interval = tuple[float, float]

NORMAL_QUANTILE_95 = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution, for two-sided 95 % intervals."""


def quality(
    metric: str,
    predictions: Sequence[str | None],
    references: Sequence[str],
    *,
    labels: Sequence[str],
    positive: str | None = None,
) -> Measurement:
    """A metric of predictions with its 95 % interval; a prediction of None counts as wrong.

    `labels` are all labels of the data, in a fixed order. Accuracy is counted here; every other
    value comes from its `evaluate.Metric`, whose import takes seconds. Raises BadInput or
    NotFound for a metric that does not fit.
    """
    check_metric(metric, labels, positive)
    _check_rows(predictions, references)
    answers = [MISSING if answer is None else answer for answer in predictions]
    if metric == "accuracy":
        value, interval, how = _counted(answers, references)
    else:
        value = _computed(metric, answers, references, labels, positive)
        interval, how = _interval(metric, answers, references, labels, positive)
    low, high = interval or (None, None)
    note = "; ".join(part for part in (how, _missing_note(predictions)) if part)
    return Measurement(metric, value, "ratio", len(answers), low, high, note)


def wilson(n_correct: int, n: int) -> Interval:
    """The 95 % score interval of a proportion.

    Wilson 1927, Probable Inference, JASA 22; recommended for all n by Brown, Cai and DasGupta
    2001, Interval Estimation for a Binomial Proportion, Statistical Science 16(2), equation 4.
    """
    z2 = NORMAL_QUANTILE_95**2
    share = n_correct / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    spread = math.sqrt(z2 * share * (1 - share) / n + z2 * z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, min(share, middle - spread)), min(1.0, max(share, middle + spread))


def _check_rows(predictions: Sequence[str | None], references: Sequence[str]) -> None:
    if len(predictions) != len(references):
        raise BadInput(f"{len(predictions):,} predictions for {len(references):,} rows.")
    if not references:
        raise BadInput("no rows: quality needs at least one labelled row.")


def _counted(
    answers: Sequence[str], references: Sequence[str]
) -> tuple[float, Interval | None, str]:
    n_correct, n = sum(map(str.__eq__, answers, references)), len(answers)
    return n_correct / n, wilson(n_correct, n), "Wilson interval"


def _computed(
    metric: str,
    answers: Sequence[str],
    references: Sequence[str],
    labels: Sequence[str],
    positive: str | None,
) -> float:
    judge = metric_entry_point(metric).load()(keep_in_memory=True)
    found = judge.compute(
        predictions=answers, references=list(references), labels=list(labels), positive=positive
    )
    return float(found[metric])


def _interval(
    metric: str,
    answers: Sequence[str],
    references: Sequence[str],
    labels: Sequence[str],
    positive: str | None,
) -> tuple[Interval | None, str]:
    # Imported here: a plan reads METRICS, and accuracy is counted, without numpy.
    from evaluators.quality.bootstrap import bootstrap_interval
    from evaluators.quality.counts import FORMULAS, Counts

    if metric not in FORMULAS:
        return None, "no interval is known for this metric"
    counts = Counts.of(answers, references, labels, positive)
    return bootstrap_interval(FORMULAS[metric], counts), "bootstrap interval"


def _missing_note(predictions: Sequence[str | None]) -> str:
    n_missing = sum(answer is None for answer in predictions)
    return f"{n_missing:,} answers missing, counted as wrong" if n_missing else ""
