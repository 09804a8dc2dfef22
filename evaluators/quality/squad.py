"""Answers to questions: exact match and f1 of words, as SQuAD 1.1 and 2.0 are scored.

Rajpurkar et al. 2016 and 2018, the official evaluation scripts. The best of the acceptable answers
counts. A truth of [] is a question without an answer, for which an answer of "" (as JSON: `""`)
is right and any other is wrong.
"""

import re
import string
from collections import Counter

from evaluators.quality.answers import text_in, texts_in
from evaluators.quality.forms import BoundedMean, by_row

ARTICLES = re.compile(r"\b(a|an|the)\b")
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def exact_match() -> BoundedMean:
    """The share of questions answered with an acceptable answer, after normalisation."""
    return by_row(
        lambda answer, truth: float(any(_words(text_in(answer)) == w for w in _acceptable(truth))),
        binary=True,
    )


def f1() -> BoundedMean:
    """The mean over questions of the f1 of the words shared with the nearest answer."""
    return by_row(
        lambda answer, truth: max(_f1(_words(text_in(answer)), w) for w in _acceptable(truth))
    )


def normalised(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, single spaces.

    >>> normalised("The  Beatles!")
    'beatles'
    """
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    return ARTICLES.sub(" ", text.lower().translate(WITHOUT_PUNCTUATION)).split()


def _acceptable(truth: str) -> list[list[str]]:
    """The words of each acceptable answer; no words where there is no answer."""
    return [words for words in map(_words, texts_in(truth)) if words] or [[]]


def _f1(given: list[str], wanted: list[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    n_same = sum((Counter(given) & Counter(wanted)).values())
    return 2 * n_same / (len(given) + len(wanted))
