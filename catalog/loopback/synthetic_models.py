"""Millions of made-up models by closed form: each is computed from its number alone.

Numbers count by age. A number's *stem* (number modulo `N_STEMS`) settles what is slow to write:
task, family, base, size, files, the fixed part of each JSON field. What is left is hashed from
the number, for whole pages at once. Models of one stem form lineages: some are made from an older
one of their stem.
"""

import json
import math
import random
import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from catalog.loopback.synthetic_tables import (
    BASES,
    DECODERS,
    GATED,
    LABELS,
    LANGUAGES,
    LIBRARIES,
    LICENSES,
    OTHER_PARAMETER_RANGE,
    OWNERS,
    PARAMETER_RANGES,
    PREFIXES,
    TASKS,
    WORDS,
    Base,
    Shares,
    TaskKind,
)

N_STEMS = 32_768
FIRST_MS = 1_646_179_200_000  # 2022-03-02
LAST_MS = 1_767_225_600_000  # 2026-01-01; what is touched later is newer
TOUCH_MS = 3_600_000
ZIPF_SCALE, ZIPF_EXPONENT = 1.5e8, 1.2
N_PER_OWNER = 7
NAME_END = re.compile(r".*-([0-9a-f]+)")

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def hashed(numbers: Integers, salt: int) -> NDArray[np.uint64]:
    """64 even bits for each number (SplitMix64: Steele, Lea and Flood 2014, figure 17)."""
    x = numbers.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), dtype=np.uint64)


def uniform(numbers: Integers, salt: int) -> Floats:
    """A value from 0 up to 1 for each number."""
    return np.asarray((hashed(numbers, salt) >> np.uint64(11)) * 2.0**-53)


def chosen(shares: Shares, where: Floats) -> Integers:
    """Positions in a table by its shares, from values between 0 and 1."""
    edges = np.cumsum([share for _, share in shares])
    return np.asarray(np.minimum(np.searchsorted(edges, where, "right"), len(shares) - 1))


@dataclass(frozen=True, slots=True)
class Stem:
    """What all models of one stem have in common, with their JSON written once."""

    kind: TaskKind
    base: Base | None
    family: str
    dataset: str | None
    n_parameters: int
    word: str
    weights: str
    """The format of the weights: `safetensors`, `pickle` or `gguf`."""
    has_labels: bool

    @property
    def library(self) -> str:
        """The library tag."""
        return "gguf" if self.weights == "gguf" else LIBRARIES.get(self.family, self.kind.library)

    @property
    def dtype(self) -> str:
        """How safetensors files store the weights."""
        return "BF16" if self.family in DECODERS else "F32"

    @property
    def name(self) -> str:
        """The part of the ids that the stem settles."""
        made_from = self.base.id.partition("/")[2] if self.base else self.family
        if self.dataset is None:
            return f"{made_from}-{self.word}"
        return f"{made_from}-finetuned-{self.dataset.rpartition('/')[2]}"

    @property
    def tags(self) -> list[str]:
        """Tags without language, licence and base."""
        formats = {"safetensors": ["safetensors"], "gguf": ["gguf"], "pickle": ["pytorch"]}
        found = [self.library, *formats[self.weights]]
        found += [self.family] if self.family in PREFIXES else []
        found += [self.kind.task] if self.kind.task else []
        found += ["generated_from_trainer", f"dataset:{self.dataset}"] if self.dataset else []
        return [*found, "endpoints_compatible", "region:us"]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes; `LABEL_0` where the author left them."""
        known = LABELS.get(self.dataset or "", ())
        return known if self.has_labels else tuple(f"LABEL_{n}" for n in range(len(known)))

    @property
    def config(self) -> dict[str, object]:
        """The Hub's excerpt of config.json."""
        prefix = PREFIXES.get(self.family)
        if prefix is None or self.weights == "gguf":
            return {}
        return {"architectures": [prefix + self.kind.head], "model_type": self.family}


def make_stem(number: int, seed: int) -> Stem:
    """The stem of this number; the first are the well-known bases themselves."""
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  # no secret is made of it
    if number < len(BASES):
        return _root(BASES[number])
    kind = TASKS[min(bisect(TASK_EDGES, draw.random()), len(TASKS) - 1)]
    family = draw.choice(kind.families)
    bases = [base for base in BASES if base.family == family]
    base = draw.choice(bases) if bases and draw.random() < 0.8 else None
    low, high = PARAMETER_RANGES.get(family, OTHER_PARAMETER_RANGE)
    spread = int(math.exp(draw.uniform(math.log(low), math.log(high))))
    return Stem(
        kind=kind,
        base=base,
        family=family,
        dataset=draw.choice(kind.datasets) if kind.datasets and draw.random() < 0.6 else None,
        n_parameters=base.n_parameters + 1538 if base else spread,
        word=draw.choice(WORDS),
        weights=_weights(kind, draw.random()),
        has_labels=draw.random() < 0.6,
    )


TASK_EDGES = tuple(accumulate(kind.share for kind in TASKS))


def _root(base: Base) -> Stem:
    kind = next(kind for kind in TASKS if kind.task == base.task)
    return Stem(kind, base, base.family, None, base.n_parameters, "copy", "safetensors", False)


def _weights(kind: TaskKind, where: float) -> str:
    if kind.head == "ForCausalLM" and where < 0.15:
        return "gguf"
    return "safetensors" if where < 0.8 else "pickle"


@dataclass(frozen=True, slots=True)
class Touch:
    """A change of about this share of all models, in the half hour after a time."""

    share: float
    time_ms: int


class Population:
    """`n_models` made-up models; the same seed gives the same models."""

    def __init__(self, n_models: int, seed: int = 0) -> None:
        self.n = n_models
        self.seed = seed
        self.touches: tuple[Touch, ...] = ()
        self.n_stems = min(n_models, N_STEMS)
        self.n_owners = max(len(OWNERS), n_models // N_PER_OWNER)
        self._stride = _coprime_near(0.618, self.n_spread)

    @property
    def n_spread(self) -> int:
        """Models that are no base: their popularity has nothing to do with their age."""
        return max(1, self.n - len(BASES))

    @cached_property
    def stems(self) -> tuple[Stem, ...]:
        """All stems, by number."""
        return tuple(make_stem(number, self.seed) for number in range(self.n_stems))

    def touch(self, share: float) -> Touch:
        """Gives about this share of the models another commit, one hour after the last change."""
        made = Touch(share, LAST_MS + TOUCH_MS * (len(self.touches) + 1))
        self.touches = (*self.touches, made)
        return made

    def is_touched(self, numbers: Integers, nth: int) -> NDArray[np.bool_]:
        """Which of the models the n-th touch (from 0) changed."""
        share = self.touches[nth].share
        return np.asarray(uniform(numbers, self._salt(100 + nth)) < share)

    def n_touched(self) -> int:
        """How many models the last touch changed."""
        return int(self.is_touched(np.arange(self.n), len(self.touches) - 1).sum())

    def is_root(self, numbers: Integers) -> NDArray[np.bool_]:
        """Which of the models are the well-known bases."""
        return np.asarray(numbers < len(BASES))

    def roots_of(self, owner: str, n: int) -> NDArray[np.bool_]:
        """Which of the models from 0 up to n are bases of this owner."""
        found = np.zeros(n, dtype=np.bool_)
        places = [ROOTS[base.id] for base in BASES if base.id.partition("/")[0] == owner]
        found[[place for place in places if place < n]] = True
        return found

    def created_ms(self, numbers: Integers) -> Integers:
        """Times of creation; ever more models a day, as on the Hub."""
        age = np.sqrt((numbers + 0.5) / self.n)
        return np.asarray(FIRST_MS + (LAST_MS - FIRST_MS) * age, dtype=np.int64)

    def modified_ms(self, numbers: Integers) -> Integers:
        """Times of the last change: mostly soon after the creation, else any time until now."""
        created, where = self.created_ms(numbers), uniform(numbers, self._salt(1))
        soon = created + (600_000 * where).astype(np.int64)
        late = created + ((LAST_MS - created) * uniform(numbers, self._salt(2))).astype(np.int64)
        found = np.minimum(np.where(where < 0.7, soon, late), LAST_MS)
        for nth, touch in enumerate(self.touches):
            changed = touch.time_ms + (TOUCH_MS * where / 2).astype(np.int64)
            found = np.where(self.is_touched(numbers, nth), changed, found)
        return found

    def n_touches(self, numbers: Integers) -> Integers:
        """How often each model changed since the beginning."""
        found = np.zeros(len(numbers), dtype=np.int64)
        for nth in range(len(self.touches)):
            found += self.is_touched(numbers, nth)
        return found

    def ranks(self, numbers: Integers) -> Integers:
        """Places by popularity from 0, all different; the bases come first."""
        n_first = self.n - self.n_spread
        spread = n_first + (numbers - n_first) * self._stride % self.n_spread
        return np.where(numbers < n_first, numbers, spread)

    def downloads(self, numbers: Integers) -> Integers:
        """Zipf's law over the ranks."""
        return (ZIPF_SCALE / (self.ranks(numbers) + 2.0) ** ZIPF_EXPONENT).astype(np.int64)

    def likes(self, numbers: Integers) -> Integers:
        """Grow with the downloads, more slowly."""
        return np.asarray(self.downloads(numbers) ** 0.6 / 4, dtype=np.int64)

    def owners(self, numbers: Integers) -> Integers:
        """Numbers of the owners; a few own thousands."""
        return (self.n_owners * uniform(numbers, self._salt(3)) ** 3).astype(np.int64)

    def languages(self, numbers: Integers) -> Integers:
        """Positions in LANGUAGES; models of no text have none."""
        found = chosen(LANGUAGES, uniform(numbers, self._salt(4)))
        return np.where(self._stem_has_language[numbers % self.n_stems], found, NO_LANGUAGE)

    def licenses(self, numbers: Integers) -> Integers:
        """Positions in LICENSES."""
        return chosen(LICENSES, uniform(numbers, self._salt(5)))

    def gates(self, numbers: Integers) -> Integers:
        """Positions in GATED; the bases are open."""
        found = chosen(GATED, uniform(numbers, self._salt(6)))
        return np.where(numbers < self.n - self.n_spread, 0, found)

    def bases(self, numbers: Integers) -> Integers:
        """The numbers of the models that these were made from; -1 for none."""
        levels, where = numbers // self.n_stems, uniform(numbers, self._salt(7))
        offsets = hashed(numbers, self._salt(8)) % np.maximum(levels, 1).astype(np.uint64)
        older = numbers % self.n_stems + self.n_stems * offsets.astype(np.int64)
        found = np.where(
            (levels > 0) & (where < 0.25), older, self._stem_roots[numbers % self.n_stems]
        )
        return np.where((where < 0.8) & (numbers >= len(BASES)), found, -1)

    def copied_from(self, number: int) -> int:
        """The model whose weights this one holds: for 2 in 100 an older one, else itself."""
        older = number % self.n_stems
        is_copy = uniform(np.array([number]), self._salt(9))[0] < 0.02
        return older if is_copy and older != number and older >= len(BASES) else number

    def ids(self, numbers: Integers) -> list[str]:
        """`owner/name` of each model; the name ends with the number in hexadecimal digits."""
        names, n_stems = self._stem_names, self.n_stems
        pairs = zip(numbers.tolist(), self.owners(numbers).tolist(), strict=True)
        return [
            f"{owner_name(owner)}/{names[number % n_stems]}-{number:x}"
            if number >= len(BASES)
            else BASES[number].id
            for number, owner in pairs
        ]

    def number(self, id: str) -> int | None:
        """The number of the model with this id; None when there is none."""
        if id in ROOTS:
            return ROOTS[id] if ROOTS[id] < self.n else None
        end = NAME_END.fullmatch(id)
        number = int(end[1], 16) if end and len(end[1]) < 12 else self.n
        return number if number < self.n and self.ids(np.array([number])) == [id] else None

    def commits(self, numbers: Integers) -> list[str]:
        """40 hexadecimal digits, others after each touch."""
        states = numbers + (self.n_touches(numbers) << 40)
        return _digits(states, self._salt(10), length=40)

    def weights_sha256(self, number: int, part: int) -> str:
        """The SHA-256 of a file of weights, as it is told: the file does not exist."""
        origin = np.array([self.copied_from(number) + (part << 40)])
        return _digits(origin, self._salt(11), length=64)[0]

    def _salt(self, use: int) -> int:
        return 1000 * self.seed + use

    @cached_property
    def _stem_roots(self) -> Integers:
        return np.array([ROOTS[stem.base.id] if stem.base else -1 for stem in self.stems])

    @cached_property
    def _stem_has_language(self) -> NDArray[np.bool_]:
        return np.array([stem.kind.has_language for stem in self.stems])

    @cached_property
    def _stem_names(self) -> list[str]:
        return [stem.name for stem in self.stems]


ROOTS = {base.id: number for number, base in enumerate(BASES)}
NO_LANGUAGE = next(place for place, (name, _) in enumerate(LANGUAGES) if not name)


def owner_name(owner: int) -> str:
    """The name of an owner by number."""
    return f"{OWNERS[owner % len(OWNERS)]}{owner // len(OWNERS)}"


def owner_number(name: str) -> int | None:
    """The number of an owner by name; None for a name that no owner has."""
    match = re.fullmatch(r"(\D+)(\d{1,9})", name)
    if match is None or match[1] not in OWNERS:
        return None
    return int(match[2]) * len(OWNERS) + OWNERS.index(match[1])


def times_text(times_ms: Integers) -> list[str]:
    """As the Hub writes times: ISO 8601 in UTC with milliseconds."""
    return [f"{text}Z" for text in np.datetime_as_string(times_ms.astype("M8[ms]")).tolist()]


def texts_of(shares: Shares, pattern: str) -> list[str]:
    """The pattern with each value of a table in the place of `%s`; empty for the empty value."""
    return [pattern.replace("%s", value) if value else "" for value, _ in shares]


def to_json(value: object) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"))


def joined(columns: Sequence[Sequence[str]]) -> list[str]:
    """The rows of columns of text."""
    return ["".join(parts) for parts in zip(*columns, strict=True)]


def _digits(numbers: Integers, salt: int, *, length: int) -> list[str]:
    n_words = -(-length // 16)
    mixed = hashed(numbers, salt).view(np.int64)
    words = np.stack([hashed(mixed, word) for word in range(n_words)], axis=1)
    text = np.ascontiguousarray(words.astype(">u8")).tobytes().hex()
    return [text[start : start + length] for start in range(0, len(text), 16 * n_words)]


def _coprime_near(share: float, n: int) -> int:
    """A number near this share of n whose multiples meet every remainder modulo n."""
    return next(k for k in range(max(1, int(share * n)), n + 2) if math.gcd(k, n) == 1)
