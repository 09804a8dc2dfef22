"""What was understood of some samples: counts, lengths, repeats, contradictions, languages."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cache.key import JSONValue
from evaluators.noise import noise_ceiling
from evaluators.reading.contents import parts_of
from evaluators.reading.shapes import Kind, shape_of

if TYPE_CHECKING:
    from evaluators.samples import Row, Samples

PERCENTILES = (5, 50, 95, 100)
LANGUAGE_TEXTS = 200
LEAST_CHARACTERS = 20


@dataclass(frozen=True, slots=True)
class Profile:
    """What the rows of a data set are like.

    `classes` are the labels with the rows that have them, the most frequent first; of tags and
    boxes it counts the entities and boxes. `lengths` are percentiles, `unit` what they count:
    characters of all texts of a row, or bytes of its file. `n_distinct` counts inputs, `n_torn`
    those that carry two or more labels, and `ceiling` is the accuracy that no model can exceed
    for that reason (1 without one, None where answers are no single labels). `languages` are
    shares of the `n_language_texts` texts that were looked at.
    """

    n_rows: int
    n_distinct: int
    classes: tuple[tuple[str, int], ...]
    unit: str
    lengths: tuple[tuple[int, int], ...]
    n_torn: int
    ceiling: float | None
    languages: tuple[tuple[str, float], ...]
    n_language_texts: int

    def to_dict(self) -> dict[str, JSONValue]:
        """The form that is printed as JSON."""
        return {
            "n_rows": self.n_rows,
            "n_distinct": self.n_distinct,
            "classes": dict(self.classes),
            "lengths": {
                "unit": self.unit,
                **{f"p{percent}": length for percent, length in self.lengths},
            },
            "contradictions": {"n": self.n_torn, "accuracy_ceiling": self.ceiling},
            "languages": dict(self.languages),
            "n_language_texts": self.n_language_texts,
        }


def profile_of(samples: "Samples", *, seed: int = 0) -> Profile:
    """The profile of samples; languages are those of at most 200 texts, drawn with `seed`.

    Languages are empty where py3langid is not installed.
    """
    has_files = any(row.file for row in samples.rows)
    plain = shape_of(samples.task).plain
    texts = [] if has_files else [text_in(row.text, plain=plain) for row in samples.rows]
    counted = _file_bytes(samples.rows) if has_files else list(map(len, texts))
    is_label = samples.truth is Kind.LABEL
    ceiling = noise_ceiling(samples.rows) if is_label else None
    languages, n_texts = _languages(texts, seed)
    return Profile(
        n_rows=samples.n,
        n_distinct=len({row.text for row in samples.rows}),
        classes=_classes(samples),
        unit="bytes" if has_files else "characters",
        lengths=percentiles(counted),
        n_torn=ceiling.n_texts if ceiling else 0,
        ceiling=ceiling.ceiling if ceiling else None,
        languages=languages,
        n_language_texts=n_texts,
    )


def text_in(content: str, *, plain: bool) -> str:
    """All texts of a content, words and parts separated by blanks."""
    parts = {"text": content} if plain and not content.startswith("{") else parts_of(content)
    return " ".join(_texts(parts.values()))


def percentiles(values: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The 5th, 50th, 95th percentile and the largest value, each one of the values (nearest rank).

    The nearest rank is ceil(percent * n / 100).
    """
    ranked = sorted(values)
    return tuple((at, ranked[max(0, -(-at * len(ranked) // 100) - 1)]) for at in PERCENTILES)


def _texts(values: Iterable[JSONValue]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _texts([value["content"]] if "content" in value else value.values())
        elif isinstance(value, list):
            yield from _texts(value)


def _file_bytes(rows: Sequence["Row"]) -> list[int]:
    return [Path(row.file).stat().st_size for row in rows if row.file]


def _classes(samples: "Samples") -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for row in samples.rows:
        counts.update(_labels(samples.truth, row.label))
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _labels(truth: Kind, label: str) -> list[str]:
    """The classes of one truth; of tags each entity's type, once an entity."""
    if truth is Kind.LABEL:
        return [label]
    if truth in (Kind.LABELS, Kind.FLAGS):
        return list(json.loads(label))
    if truth is Kind.TAGS:
        return [tag[2:] for tag in json.loads(label) if tag.startswith("B-")]
    if truth is Kind.BOXES:
        return [box["label"] for box in json.loads(label)]
    return []


def _languages(texts: Sequence[str], seed: int) -> tuple[tuple[tuple[str, float], ...], int]:
    """The languages of some of the longer texts with their shares, the most frequent first."""
    long = [text for text in texts if len(text) >= LEAST_CHARACTERS]
    if not long or find_spec("py3langid") is None:
        return (), 0
    from py3langid import classify  # 1 s, only where languages are asked for

    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    looked_at = draw.sample(long, min(LANGUAGE_TEXTS, len(long)))
    counts = Counter(classify(text)[0] for text in looked_at)
    shares = tuple((code, n / len(looked_at)) for code, n in counts.most_common())
    return shares, len(looked_at)
