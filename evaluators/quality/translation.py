"""Translations by sacrebleu: sentence means of chrF and BLEU, and the BLEU of all sentences.

Popović 2015 (chrF); Papineni et al. 2002 (BLEU), in the settings of Post 2018, A call for clarity
in reporting BLEU scores. Values are sacrebleu's divided by 100. Answers are JSON strings, truths
JSON lists of references, which all count for BLEU; for chrF the best does.
"""

from typing import Any

import numpy as np

from evaluators.quality.answers import Answers, Truths, text_in, texts_in
from evaluators.quality.extras import library
from evaluators.quality.forms import BoundedMean, Floats, Sums, by_row

ORDERS = 4
"""BLEU counts sequences of one to four words."""


def chrf() -> BoundedMean:
    """The mean over sentences of chrF2: characters in sequences of one to six."""
    metric = library("sacrebleu.metrics", extra="text").CHRF()
    return by_row(lambda answer, truth: _share(metric, answer, truth))


def sentence_bleu() -> BoundedMean:
    """The mean over sentences of BLEU, only of the sequences that a short sentence can have."""
    metric = library("sacrebleu.metrics", extra="text").BLEU(effective_order=True)
    return by_row(lambda answer, truth: _share(metric, answer, truth))


def corpus_bleu() -> Sums:
    """BLEU of all sentences' matches added up.

    Statistics: matches and sequences of one to four words, the answer's and the reference's words:
    (n, 10). A failed row counts as answered with as many wrong words as its reference has.
    """
    metric = library("sacrebleu.metrics", extra="text").BLEU(effective_order=True)

    def statistics(answers: Answers, truths: Truths) -> Floats:
        pairs = zip(answers, truths, strict=True)
        rows = [_counts(metric, answer, texts_in(truth)) for answer, truth in pairs]
        return np.array(rows, dtype=np.float64).reshape(-1, 2 * ORDERS + 2)

    return Sums(statistics, bleu_of_sums)


def bleu_of_sums(sums: Floats) -> Floats:
    """BLEU from added statistics, (..., 10) -> (...), smoothed as `BLEU.compute_bleu` does."""
    matches, totals = sums[..., :ORDERS], sums[..., ORDERS : 2 * ORDERS]
    n_given, n_wanted = sums[..., -2], sums[..., -1]
    n_zero = np.cumsum(matches == 0, axis=-1)  # each order without a match halves its smoothing
    smoothed = np.where(matches == 0, 0.5**n_zero, matches)
    defined = (totals > 0).all(axis=-1) & (matches > 0).any(axis=-1)
    logs = np.log(smoothed / np.maximum(totals, 1.0)).mean(axis=-1)
    short = np.minimum(0.0, 1.0 - n_wanted / np.maximum(n_given, 1.0))
    return np.asarray(np.where(defined, np.exp(short + logs), 0.0))


def _share(metric: Any, answer: str, truth: str) -> float:  # sacrebleu's metrics share no type
    score = metric.sentence_score(text_in(answer), texts_in(truth)).score
    return min(1.0, float(score) / 100.0)


def _counts(metric: Any, answer: str | None, references: list[str]) -> list[float]:
    if answer:
        found = metric.sentence_score(text_in(answer), references)
        return [*found.counts, *found.totals, found.sys_len, found.ref_len]
    n_words = min(metric.sentence_score("", [one]).ref_len for one in references)
    totals = [max(0, n_words - order) for order in range(ORDERS)]
    return [*[0] * ORDERS, *totals, n_words, n_words]
