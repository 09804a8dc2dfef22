"""Which synthetic models a query lists, and in which order: arrays over the whole population."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from catalog.loopback.listing import bounds_of
from catalog.loopback.synthetic_models import Integers, Population, Stem, owner_number
from catalog.loopback.synthetic_tables import LANGUAGES, LICENSES, Shares

Mask = NDArray[np.bool_]
NUMBER_BITS = 24
"""Numbers below 2**24 fit below a time in seconds in one integer that can be sorted."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Numbers of models in the order of a listing, with the keys that gave it, greatest first."""

    numbers: Integers
    keys: Integers

    def key(self, position: int) -> int:
        """What a cursor after this row remembers."""
        return int(self.keys[position])

    def position_after(self, key: object) -> int:
        """Where the rows after a cursor begin. Raises ValueError for what is no key."""
        if not isinstance(key, int):
            raise ValueError("no such cursor")
        return int(np.searchsorted(-self.keys, -key, side="right"))


def list_models(population: Population, query: Mapping[str, Sequence[str]], sort: str) -> Listing:
    """The models that pass all filters, by this sort. Raises ValueError for a bad filter."""
    numbers = np.flatnonzero(_mask(population, query)).astype(np.int64)
    keys = KEYS[sort](population, numbers)
    order = np.argsort(-keys)
    return Listing(numbers[order], keys[order])


def _by_modification(population: Population, numbers: Integers) -> Integers:
    seconds = population.modified_ms(numbers) // 1000
    return np.asarray((seconds << NUMBER_BITS) + numbers)


def _by_popularity(population: Population, numbers: Integers) -> Integers:
    return -population.ranks(numbers)


KEYS: Mapping[str, Callable[[Population, Integers], Integers]] = MappingProxyType(
    {
        "createdAt": lambda _population, numbers: numbers,
        "downloads": _by_popularity,
        "lastModified": _by_modification,
        "likes": _by_popularity,
    }
)
"""Integers without equals, the greater the earlier."""


def _mask(population: Population, query: Mapping[str, Sequence[str]]) -> Mask:
    everything = np.arange(population.n, dtype=np.int64)
    found = np.ones(population.n, dtype=np.bool_)
    for name, values in query.items():
        for value in values:
            found &= _passes(population, everything, name, value)
    return found


def _passes(population: Population, numbers: Integers, name: str, value: str) -> Mask:
    if name == "author":
        return _authored(population, numbers, value)
    if name == "filter":
        return _tagged(population, numbers, value)
    if name == "gated":
        wanted = value.lower() in ("1", "true")
        return np.asarray((population.gates(numbers) > 0) == wanted)
    test = _stem_test(name, value)
    if test is None:
        raise ValueError(f"no filter is named {name!r}")
    return _of_stems(population, test)[numbers % population.n_stems]


def _stem_test(name: str, value: str) -> Callable[[Stem], bool] | None:
    if name == "pipeline_tag":
        return lambda stem: stem.kind.task == value
    if name == "search":
        wanted = value.casefold()
        return lambda stem: wanted in stem.name.casefold()
    if name == "num_parameters":
        lower, upper = bounds_of(value)
        return lambda stem: stem.weights == "safetensors" and lower <= stem.n_parameters <= upper
    return None


def _authored(population: Population, numbers: Integers, name: str) -> Mask:
    found = population.roots_of(name, len(numbers))
    owner = owner_number(name)
    if owner is not None:
        found |= (population.owners(numbers) == owner) & ~population.is_root(numbers)
    return found


def _tagged(population: Population, numbers: Integers, tag: str) -> Mask:
    """Also tags that are not the stem's: language, licence and base."""
    kind, _, value = tag.partition(":")
    if kind == "license":
        return np.asarray(population.licenses(numbers) == _place(LICENSES, value))
    if kind == "base_model":
        base = population.number(value.removeprefix("finetune:"))
        return np.asarray(population.bases(numbers) == (-2 if base is None else base))
    language = _place(LANGUAGES, tag)
    if language >= 0:
        return np.asarray(population.languages(numbers) == language)
    return _of_stems(population, lambda stem: tag in stem.tags)[numbers % population.n_stems]


def _of_stems(population: Population, test: Callable[[Stem], bool]) -> Mask:
    return np.array([test(stem) for stem in population.stems], dtype=np.bool_)


def _place(shares: Shares, value: str) -> int:
    names = [name for name, _ in shares]
    return names.index(value) if value and value in names else -1
