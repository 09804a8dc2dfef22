"""Rankings: how near the top the right things stand.

The truth gives each document's relevance: a JSON list by place (text-ranking), or a JSON object by
document (retrieval), where a document that is not named is irrelevant. The answer is a JSON list of
scores by place, a JSON object of scores by document, or, for retrieval, a JSON list of documents,
best first. Documents with equal scores count as in the mean over all their orders, so that a
constant scorer gains nothing from the order of the file. Where nothing is relevant the value is 0.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import comb, log2
from operator import mul, sub

from evaluators.quality.answers import places_in, relevances_in, scores_in
from evaluators.quality.forms import BoundedMean, by_row

Relevances = Mapping[str, float]

Tiers = list[list[float]]
"""The relevances of the documents that were ranked, one list a score, best score first."""


def ndcg(k: int) -> BoundedMean:
    """The mean over queries of the normalised discounted cumulative gain of the first k.

    Järvelin and Kekäläinen 2002, with the gain equal to the relevance and the discount log2; ties
    by McSherry and Najork 2008, Computing information retrieval performance measures efficiently
    in the presence of tied scores, section 2.6.
    """
    discounts = [0.0, *accumulate(1 / log2(rank + 1) for rank in range(1, k + 1))]

    def value(answer: str, truth: str) -> float:
        relevances = relevances_in(truth)
        best = sorted((max(0.0, one) for one in relevances.values()), reverse=True)
        ideal = sum(map(mul, best, map(sub, discounts[1:], discounts)))
        return min(1.0, _gain(_tiers(answer, relevances), discounts) / ideal) if ideal else 0.0

    return by_row(value)


def reciprocal_rank() -> BoundedMean:
    """The mean over queries of 1 / rank of the first relevant document (mrr)."""

    def value(answer: str, truth: str) -> float:
        before = 0
        for tier in _tiers(answer, relevances_in(truth)):
            n_relevant = sum(relevance > 0 for relevance in tier)
            if n_relevant:
                return _first_of_ties(before, len(tier), n_relevant)
            before += len(tier)
        return 0.0

    return by_row(value)


def recall_at(k: int) -> BoundedMean:
    """The mean over queries of the share of the relevant documents that are among the first k."""

    def value(answer: str, truth: str) -> float:
        relevances = relevances_in(truth)
        n_relevant = sum(relevance > 0 for relevance in relevances.values())
        found, left = 0.0, k
        for tier in _tiers(answer, relevances):
            if left <= 0:
                break
            found += sum(relevance > 0 for relevance in tier) * min(1.0, left / len(tier))
            left -= len(tier)
        return found / n_relevant if n_relevant else 0.0

    return by_row(value)


def accuracy_at(k: int) -> BoundedMean:
    """The share of rows whose truth is among the first k of a JSON list, best first.

    The list holds words, or labels with their scores (scored.py). Equal scores have the order of
    the model's outputs, as in accuracy, so that accuracy@1 is accuracy.
    """
    return by_row(lambda answer, truth: float(truth in places_in(answer, k)), binary=True)


def _tiers(answer: str, relevances: Relevances) -> Tiers:
    """A document that is said to be worse than irrelevant gains nothing."""
    tiers: dict[float, list[float]] = {}
    for document, score in scores_in(answer).items():
        tiers.setdefault(score, []).append(max(0.0, relevances.get(document, 0.0)))
    return [tiers[score] for score in sorted(tiers, reverse=True)]


def _gain(tiers: Tiers, discounts: Sequence[float]) -> float:
    """The discounted gain, each tie at its mean; `discounts` are added up, from rank 0 to k."""
    gain, rank, k = 0.0, 0, len(discounts) - 1
    for tier in tiers:
        if rank >= k:
            break
        end = rank + len(tier)
        gain += sum(tier) / len(tier) * (discounts[min(k, end)] - discounts[rank])
        rank = end
    return gain


def _first_of_ties(before: int, n: int, n_relevant: int) -> float:
    """The mean of 1 / rank of the first of the relevant among n in random order, after `before`."""
    ways = comb(n, n_relevant)
    places = range(1, n - n_relevant + 2)
    return sum(comb(n - at, n_relevant - 1) / ways / (before + at) for at in places)
