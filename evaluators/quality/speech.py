"""Transcripts: word and character error rates, by jiwer; answers and truths are JSON strings.

Case and punctuation count; nothing but outer and repeated spaces is mended. A row's rate is capped
at 1, so that it has an exact test: without a cap one row of repeated words would outweigh many. So
the metric is the mean over rows, not errors per word of all rows.
"""

from typing import Any

from evaluators.quality.answers import text_in
from evaluators.quality.extras import library
from evaluators.quality.forms import BoundedMean, by_row


def word_error_rate() -> BoundedMean:
    """The mean over rows of the words to change, add or drop, per word of the truth, at most 1."""
    jiwer = library("jiwer", extra="audio")
    return _rate(lambda truth, answer: jiwer.process_words(truth, answer).wer)


def character_error_rate() -> BoundedMean:
    """The same of characters."""
    jiwer = library("jiwer", extra="audio")
    return _rate(lambda truth, answer: jiwer.process_characters(truth, answer).cer)


def _rate(error: Any) -> BoundedMean:  # jiwer's functions, loaded by name, have no type
    def value(answer: str, truth: str) -> float:
        return 1.0 - min(1.0, float(error(text_in(truth), text_in(answer))))

    return by_row(value, higher_is_better=False)
