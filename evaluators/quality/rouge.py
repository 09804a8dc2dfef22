"""ROUGE: words shared with the references, as rouge-score counts them without its stemmer.

Lin 2004, ROUGE: a package for automatic evaluation of summaries. The value is the f-measure with
the reference that gives the best one. Only the letters a to z and digits are read, so texts in
other scripts are refused: use chrf for them.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from cache.errors import BadInput
from evaluators.quality.answers import text_in, texts_in
from evaluators.quality.forms import BoundedMean, by_row

WORD = re.compile(r"[a-z0-9]+")

Words = Sequence[str]


def rouge_n(n: int) -> BoundedMean:
    """The f-measure of the sequences of n words (rouge1, rouge2)."""

    def f_measure(given: Words, wanted: Words) -> float:
        mine, theirs = _sequences(given, n), _sequences(wanted, n)
        return _f_measure((mine & theirs).total(), mine.total(), theirs.total())

    return by_row(_best(f_measure))


def rouge_l() -> BoundedMean:
    """The f-measure of the longest common subsequence of words (rougeL)."""

    def f_measure(given: Words, wanted: Words) -> float:
        return _f_measure(longest_common(wanted, given), len(given), len(wanted))

    return by_row(_best(f_measure))


def longest_common(one: Words, other: Words) -> int:
    """The length of the longest common subsequence.

    Hyyrö 2004, Bit-parallel LCS-length computation revisited: one word a step, in whole integers.
    """
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    every = (1 << len(one)) - 1
    row = every
    for word in other:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & every
    return len(one) - row.bit_count()


def _best(f_measure: Callable[[Words, Words], float]) -> Callable[[str, str], float]:
    def value(answer: str, truth: str) -> float:
        references = [_words(text) for text in texts_in(truth)]
        if not any(references) and any(map(str.isalpha, "".join(texts_in(truth)))):
            raise BadInput(
                f"the reference {truth[:60]!r} has no letter from a to z and no digit, and "
                "ROUGE reads nothing else; ask for chrf."
            )
        given = _words(text_in(answer))
        return max((f_measure(given, wanted) for wanted in references), default=0.0)

    return value


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _sequences(words: Words, n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(n)), strict=False))


def _f_measure(n_shared: int, n_given: int, n_wanted: int) -> float:
    return 2 * n_shared / (n_given + n_wanted) if n_shared else 0.0
