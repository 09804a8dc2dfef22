"""What a cell of a role means: parsed into JSON, or refused with the reason."""

import ast
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cache.key import JSONValue
from evaluators.reading.shapes import Kind
from evaluators.reading.tags import to_iob2
from evaluators.reading.values import MOST_DIGITS, fault_of, is_missing

SHOWN_CHARACTERS = 40

MASK = "[MASK]"
"""Where the word is asked for; `<mask>` is read as this too."""


class Fault(ValueError):
    """Why a cell cannot be read: a sentence without the place."""


def listed(value: object) -> list[object] | None:
    """A list cell as a list: a list, a tuple, an array, or the text of a JSON or Python list."""
    if isinstance(value, str):
        return _written_list(value)
    if isinstance(value, Mapping | bytes) or not isinstance(value, Sequence):
        tolist = getattr(value, "tolist", None)  # numpy's and pyarrow's arrays
        found = tolist() if callable(tolist) else None
        return found if isinstance(found, list) else None
    return list(value)


def _written_list(text: str) -> list[object] | None:
    bare = text.strip()
    if not (bare.startswith("[") and bare.endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(bare)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list) else None
    return None


def is_absent(kind: Kind, value: object) -> bool:
    """Whether a required cell is empty. An empty list of answers or labels is a statement."""
    if isinstance(value, (list, tuple)) and not value:
        return kind not in (Kind.ANSWERS, Kind.LABELS, Kind.BOXES)
    return is_missing(value)


def read_cell(kind: Kind, value: object, names: Sequence[str] = ()) -> JSONValue:
    """The JSON of a cell. `names` are the class names behind integers. Raises Fault."""
    if kind is Kind.TAGS or kind is Kind.LABELS:
        return _READERS[kind](_named(value, names))
    if kind is Kind.BOXES and names:
        return [_with_name(box, names) for box in _boxes(value)]
    return _READERS[kind](value)


def text_of(value: object) -> str:
    """A text, a number as its text; Fault for all else."""
    if isinstance(value, bool) or fault_of(value) is None:
        return str(value)
    raise Fault(str(fault_of(value)))


def _masked(value: object) -> str:
    text = text_of(value).replace("<mask>", MASK)
    if text.count(MASK) != 1:
        raise Fault(f"{MASK} stands {text.count(MASK)} times where once is expected.")
    return text


def _named(value: object, names: Sequence[str]) -> object:
    items = listed(value)
    if not names or items is None:
        return value
    return [
        names[item] if isinstance(item, int) and 0 <= item < len(names) else item for item in items
    ]


def _list_of(value: object, what: str) -> list[object]:
    items = listed(value)
    if items is None:
        raise Fault(f"{_shown(value)} where a list of {what} is expected. Write a JSON list.")
    return items


def _texts(value: object) -> list[str]:
    """A list of texts; one text is a list of one."""
    if isinstance(value, str) and listed(value) is None:
        return [text_of(value)]
    if isinstance(value, int | float):
        return [text_of(value)]
    items = _list_of(value, "texts")
    if not items:
        raise Fault("an empty list where one text at least is expected.")
    return [text_of(item) for item in items]


def _tokens(value: object) -> list[str]:
    """Words as they stand in a list; a text is split at blanks."""
    if isinstance(value, str) and listed(value) is None:
        return text_of(value).split()
    return [text_of(item) for item in _list_of(value, "words")]


def _tags(value: object) -> list[str]:
    if isinstance(value, str) and listed(value) is None:
        return to_iob2(value.split())
    items = _list_of(value, "tags")
    if any(isinstance(item, int) for item in items):
        raise Fault("tags are numbers without names. Write them as in B-person, I-person, O.")
    return to_iob2([text_of(item).strip() for item in items])


def _labels(value: object) -> list[str]:
    return sorted({text_of(item).strip() for item in _list_of(value, "labels")})


def number_of(value: object) -> float:
    """A finite number; Fault for all else."""
    try:
        number = float(str(value).strip()) if not isinstance(value, int | float) else float(value)
    except ValueError:
        raise Fault(f"{_shown(value)} where a number is expected.") from None
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise Fault(f"{_shown(value)} where a finite number is expected.")
    return number


def _numbers(value: object) -> list[float]:
    found = [number_of(item) for item in _list_of(value, "numbers")]
    if not found:
        raise Fault("an empty list where one number at least is expected.")
    return found


def _answers(value: object) -> list[str]:
    """Acceptable answers; `{"text": [...]}` as SQuAD has it, a text, or a list; [] is none."""
    inner = value.get("text") if isinstance(value, Mapping) else value
    if isinstance(inner, str) and listed(inner) is None:
        return [text_of(inner)]
    items = _list_of(inner, "answers")
    texts = [item.get("text") if isinstance(item, Mapping) else item for item in items]
    return list(dict.fromkeys(text_of(text) for text in texts))


def _prompt(value: object) -> JSONValue:
    items = None if isinstance(value, str) else listed(value)
    if items is None:
        return text_of(value)
    return [_message(item) for item in items]


def _message(item: object) -> dict[str, JSONValue]:
    if isinstance(item, Mapping):
        role, text = item.get("role", item.get("from")), item.get("content", item.get("value"))
        if isinstance(role, str) and isinstance(text, str):
            return {"role": role, "content": text_of(text)}
    raise Fault('a message is no object with "role" and "content".')


def _choices(value: object) -> list[str]:
    found = _texts(value.get("text") if isinstance(value, Mapping) else value)
    if len(found) < 2:
        raise Fault("one choice only; give two at least.")
    return found


def _relevances(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping) or not value:
        raise Fault(f"{_shown(value)} where an object of document ids with relevance is expected.")
    return {str(name): number_of(score) for name, score in value.items()}


BOX_LABELS = ("category", "categories", "label", "labels")
"""What the labels of the boxes of an image are called, where they are one list."""


def _boxes(value: object) -> list[JSONValue]:
    """Boxes [x0, y0, x1, y1] in pixels with labels; `datasets`' objects are [x, y, w, h]."""
    if isinstance(value, Mapping):
        return _columnar_boxes(value)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise Fault(f"{_shown(value)} where a list of boxes is expected.") from None
    items = _list_of(value, "boxes")
    return [_box(item) for item in items]


def _columnar_boxes(value: Mapping[str, Any]) -> list[JSONValue]:
    corners = value.get("bbox", value.get("boxes"))
    labels = next((value[name] for name in BOX_LABELS if value.get(name) is not None), None)
    if corners is None or labels is None or len(corners) != len(labels):
        raise Fault('objects need "bbox" and "categories" of the same length.')
    return [_box({"bbox": box, "label": label}) for box, label in zip(corners, labels, strict=True)]


def _with_name(box: JSONValue, names: Sequence[str]) -> JSONValue:
    """The box with the class name behind its number."""
    if not isinstance(box, Mapping):
        return box
    number = str(box["label"])
    known = number.isdecimal() and len(number) <= MOST_DIGITS and int(number) < len(names)
    return {**box, "label": names[int(number)] if known else number}


def _box(item: object) -> JSONValue:
    if not isinstance(item, Mapping) or not ({"box", "bbox"} & set(item)):
        raise Fault('a box is no object with "box": [x0, y0, x1, y1] and "label".')
    label = item.get("label", item.get("category"))
    if is_missing(label):
        raise Fault("a box without a label.")
    sides = [number_of(side) for side in _list_of(item.get("box", item.get("bbox")), "numbers")]
    if len(sides) != 4:
        raise Fault(f"a box of {len(sides)} numbers where 4 are expected.")
    x, y, right, low = sides
    if "box" not in item:
        right, low = x + right, y + low
    if right <= x or low <= y:
        raise Fault("a box without an area; write [x0, y0, x1, y1] with x0 < x1 and y0 < y1.")
    return {"box": [x, y, right, low], "label": text_of(label).strip()}


def _transcript(value: object) -> str:
    return " ".join(text_of(value).split())


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}..."


_READERS: Mapping[Kind, Callable[[object], JSONValue]] = {
    Kind.TEXT: text_of,
    Kind.PROMPT: _prompt,
    Kind.MASKED: _masked,
    Kind.LABELS: _labels,
    Kind.NUMBER: number_of,
    Kind.NUMBERS: _numbers,
    Kind.TOKENS: _tokens,
    Kind.TAGS: _tags,
    Kind.TEXTS: _texts,
    Kind.ANSWERS: _answers,
    Kind.CHOICES: _choices,
    Kind.RELEVANCES: _relevances,
    Kind.TRANSCRIPT: _transcript,
    Kind.BOXES: _boxes,
}


def index_of(value: object, choices: Sequence[str]) -> int:
    """Which choice a cell means: its index from 0, its letter from A, or its text."""
    text = text_of(value).strip()
    if text in choices:
        return choices.index(text)
    if len(text) == 1 and text.isalpha() and 0 <= ord(text.upper()) - ord("A") < len(choices):
        return ord(text.upper()) - ord("A")
    try:
        number = int(number_of(text))
    except Fault:
        raise Fault(f"{_shown(value)} is none of the {len(choices)} choices.") from None
    if not 0 <= number < len(choices):
        raise Fault(f"choice {number} of {len(choices)}; they are counted from 0.")
    return number
