"""The string form of answers and truths, read. An answer of None or "" is a failure."""

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

from cache.errors import BadInput

Answers = Sequence[str | None]
"""One answer a row in the form of the task's truths; None or "" where the candidate failed."""

Truths = Sequence[str]
"""One truth a row: a label, a number, or JSON."""

SHOWN = 60


def texts_in(truth: str) -> list[str]:
    """The texts of a JSON list; an empty list has none."""
    return [str(text) for text in _read(truth, list, "list of texts")]


def text_in(answer: str) -> str:
    """The text of a JSON string."""
    return str(_read(answer, str, "string"))


def labels_in(text: str) -> frozenset[str]:
    """The labels of a JSON list, without repeats."""
    return frozenset(map(str, _read(text, list, "list of labels")))


def pairs_in(answer: str) -> list[tuple[str | None, float]]:
    """The labels and scores of a JSON list, best first (quality/scored.py)."""
    return [_pair(one, answer) for one in _read(answer, list, LIST_OF_PAIRS)]


def places_in(answer: str, k: int) -> list[str | None]:
    """What has the first k places of a JSON list, best first: texts, or labels with scores."""
    first = _read(answer, list, "list")[:k]
    return [_pair(one, answer)[0] if isinstance(one, list) else str(one) for one in first]


LIST_OF_PAIRS = "list of pairs [label, score]"


def _pair(one: Any, text: str) -> tuple[str | None, float]:
    match one:
        case [str() | None as label, score]:
            return label, _finite(score, text)
    raise _unfit(text, f"a JSON {LIST_OF_PAIRS}")


def numbers_in(text: str) -> list[float]:
    """The finite numbers of a JSON list."""
    return [_finite(number, text) for number in _read(text, list, "list of numbers")]


def relevances_in(truth: str) -> dict[str, float]:
    """Each document's relevance, from a JSON object or, by place, from a JSON list of numbers."""
    return _by_document(_loaded(truth, BY_DOCUMENT), truth)


def scores_in(answer: str) -> dict[str, float]:
    """Each document's score, in the same forms, or from a JSON list of documents, best first.

    The last have the place from the end as their score.
    """
    found = _loaded(answer, BY_DOCUMENT)
    if isinstance(found, list) and found and all(isinstance(one, str) for one in found):
        return {document: float(-at) for at, document in enumerate(dict.fromkeys(found))}
    return _by_document(found, answer)


BY_DOCUMENT = "a JSON object or a JSON list of finite numbers"


def _by_document(found: object, text: str) -> dict[str, float]:
    if isinstance(found, list):
        numbers = {str(at): number for at, number in enumerate(found)}
    elif isinstance(found, dict):
        numbers = found
    else:
        raise _unfit(text, BY_DOCUMENT)
    return {document: _finite(number, text) for document, number in numbers.items()}


def objects_in(text: str) -> list[dict[str, Any]]:
    """The JSON objects of a list."""
    found: list[dict[str, Any]] = _read(text, list, "list of objects")
    if not all(isinstance(one, dict) for one in found):
        raise _unfit(text, "a list of objects")
    return found


def number_in(text: str) -> float | None:
    """The number that a text is; None where it is none, or not finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _read(text: str, kind: type, name: str) -> Any:
    found = _loaded(text, f"a JSON {name}")
    if not isinstance(found, kind):
        raise _unfit(text, f"a JSON {name}")
    return found


def _loaded(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise _unfit(text, name) from None


def _finite(number: Any, text: str) -> float:
    if type(number) not in (int, float) or not isfinite(number):
        raise _unfit(text, "made of finite numbers")
    return float(number)


def _unfit(text: str, name: str) -> BadInput:
    shown = text if len(text) <= SHOWN else text[:SHOWN] + "..."
    return BadInput(f"an answer or a truth is {shown!r}, and must be {name}.")
