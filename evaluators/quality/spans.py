"""Entities: spans of tags in IOB2, right only with the same first and last token and type.

The semantics are those of seqeval (strict mode, scheme IOB2), which are CoNLL's for valid tags: an
I- tag that continues nothing begins nothing. Answers and truths are JSON lists of tags.
"""

from collections.abc import Sequence

import numpy as np

from cache.errors import BadInput
from evaluators.quality.answers import Answers, Truths, texts_in
from evaluators.quality.forms import Floats, Sums
from evaluators.quality.hits import ratio_of_hits

Span = tuple[str, int, int]
"""Type, first token, and the token after the last."""


MOST_SPANS = 32
"""Entities that a row may have, and that are read from an answer: the bound that an exact test of
sums needs, chosen before any data is seen. Twice as many wrong ones cost a row at most."""


def entity_metric(name: str, *, kind: str | None = None, most_spans: int = MOST_SPANS) -> Sums:
    """f1, precision or recall of the entities of all rows, or of one type.

    A row that has more entities than `most_spans` is refused (BadInput); those answered beyond
    that many are dropped. A failed row counts as answered with as many wrong ones
    as it has tokens, up to that many.
    """

    def statistics(answers: Answers, truths: Truths) -> Floats:
        pairs = zip(answers, truths, strict=True)
        rows = [_hits(answer, texts_in(truth), kind, most_spans) for answer, truth in pairs]
        return np.array(rows, dtype=np.float64).reshape(-1, 3)

    # Of g true and p answered entities, t right, t + (g - t + p - t) / 2 = (g + p) / 2 <= most.
    most_wrong = most_spans * (2.0 if name == "f1" else 1.0)
    return ratio_of_hits(name, statistics, most_true=float(most_spans), most_wrong=most_wrong)


def spans(tags: Sequence[str]) -> list[Span]:
    """The entities of a row, in order.

    >>> spans(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [('PER', 0, 2), ('LOC', 4, 5)]
    """
    found: list[Span] = []
    kind, start = "", -1
    for at, tag in enumerate([*tags, "O"]):
        mine = tag[1:].strip("-") or "_"
        if start >= 0 and not (tag.startswith("I") and mine == kind):
            found.append((kind, start, at))
            start = -1
        if tag.startswith("B"):
            kind, start = mine, at
    return found


def entity_types(truths: Truths) -> tuple[str, ...]:
    """The types of the entities in the truths, by alphabet."""
    every = (span[0] for truth in truths for span in spans(texts_in(truth)))
    return tuple(sorted(set(every)))


def _hits(
    answer: str | None, truth: Sequence[str], kind: str | None, most: int
) -> tuple[int, int, int]:
    """True, false and missed entities of one row."""
    wanted = _of_kind(truth, kind)
    if len(wanted) > most:
        raise BadInput(
            f"a row has {len(wanted)} entities, and at most {most} are read; split it by sentences."
        )
    tags = texts_in(answer) if answer else []
    if len(tags) != len(truth):
        return 0, min(len(truth), most), len(wanted)
    given = _of_kind(tags, kind)[:most]
    true = len(set(given) & set(wanted))
    return true, len(given) - true, len(wanted) - true


def _of_kind(tags: Sequence[str], kind: str | None) -> list[Span]:
    return [span for span in spans(tags) if kind is None or span[0] == kind]
