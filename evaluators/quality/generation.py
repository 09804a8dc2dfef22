"""Generated texts: matches with acceptable answers, and how likely the given texts are."""

import re
from functools import lru_cache
from math import log

import numpy as np

from cache.errors import BadInput
from evaluators.quality.answers import Answers, Truths, numbers_in, text_in, texts_in
from evaluators.quality.forms import BoundedMean, Floats, Sums, by_row

STATISTICS = 3


def exact_match() -> BoundedMean:
    """The share of answers that are an acceptable one, outer white space aside."""

    def value(answer: str, truth: str) -> float:
        given = text_in(answer).strip()
        return float(any(given == text.strip() for text in texts_in(truth)))

    return by_row(value, binary=True)


def regex_match() -> BoundedMean:
    """The share of answers in which one of the truth's regular expressions is found."""

    def value(answer: str, truth: str) -> float:
        given = text_in(answer)
        return float(any(_pattern(text).search(given) for text in texts_in(truth)))

    return by_row(value, binary=True)


def equal() -> BoundedMean:
    """The share of answers that are the truth: a label, or the index of a choice."""
    return by_row(lambda answer, truth: float(answer == truth), binary=True)


def perplexity() -> Sums:
    """exp of the mean negative log-likelihood of a token, from 1 up; lower is better.

    Answers are JSON lists of three numbers: the text's log-likelihood (natural logarithm), its
    tokens that were predicted, its bytes in UTF-8. Tokens are the model's own, so models with
    other tokenizers do not compare: `bits_per_byte` does. A failed row has no likelihood: the
    value is then infinite.
    """
    return Sums(_likelihoods, lambda sums: np.exp(_per(sums, 1)))


def bits_per_byte() -> Sums:
    """The mean negative binary logarithm of the likelihood of a byte; lower is better."""
    return Sums(_likelihoods, lambda sums: _per(sums, 2) / log(2))


def _per(sums: Floats, column: int) -> Floats:
    """The negative log-likelihood per token or byte; infinite where a row failed."""
    units = sums[..., column]
    surprise = np.where(np.isfinite(sums[..., 0]), sums[..., 0], np.inf)
    without = np.full(surprise.shape, np.inf)
    return np.asarray(np.divide(surprise, units, out=without, where=units > 0))


def _likelihoods(answers: Answers, truths: Truths) -> Floats:
    """Negative log-likelihood, tokens, bytes: (n, 3)."""
    rows = [_likelihood(answer) if answer else [np.inf, 1.0, 1.0] for answer in answers]
    return np.array(rows, dtype=np.float64).reshape(-1, STATISTICS)


def _likelihood(answer: str) -> list[float]:
    found = numbers_in(answer)
    if len(found) != STATISTICS:
        raise BadInput(
            f"an answer for perplexity is {answer[:60]!r}, and must be "
            "[log-likelihood, tokens, bytes]."
        )
    return [-found[0], found[1], found[2]]


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise BadInput(f"the truth {text!r} is no regular expression: {error}.") from None
