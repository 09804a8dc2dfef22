"""Which models are wanted, in which order."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from cache.errors import BadInput
from catalog.slices import time_of
from catalog.words import SEARCHED_WORDS, words_in

SORTS = ("downloads", "likes", "score", "newest", "parameters", "size", "id", "relevance")
LABEL_MATCHES = ("exact", "normalised", "superset")
FORMATS = ("safetensors", "onnx", "pickle", "gguf")


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice from the catalog: a model must fit everything that is given; of several values, one.

    `languages` and `licenses` are as the Hub tags them, `authors` the part of an id before `/`.
    Sizes are bytes of weights; models of unknown size fit no bound. `labels` are those that the
    model must answer with: `exact` the very names, `normalised` whatever their case and spelling,
    `superset` normalised and perhaps more. `search` is looked for as whole words in ids, tags,
    summaries and labels, all of them. `derived_from` is the id of a base model, at any remove;
    `trained_on` and `published_on` are ids of data sets. `since` is a date: what changed after it.
    Downloads, likes and score are sorted from the largest, parameters and size from the smallest,
    relevance is by words that stand in the id, then downloads; models that do not tell come last,
    equal ones in the order in which they were first seen. Raises BadInput with what is allowed.
    """

    task: str | None = None
    sources: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    max_bytes: int | None = None
    min_parameters: int | None = None
    max_parameters: int | None = None
    labels: tuple[str, ...] = ()
    label_match: str = "normalised"
    search: str | None = None
    derived_from: str | None = None
    trained_on: str | None = None
    published_on: str | None = None
    gated: bool | None = None
    since: str | None = None
    sort: str = "downloads"
    limit: int | None = 50
    offset: int = 0

    def __post_init__(self) -> None:
        _refuse_text(self)
        _one_of("sort", self.sort, SORTS)
        _one_of("label_match", self.label_match, LABEL_MATCHES)
        for format in self.formats:
            _one_of("formats", format, FORMATS)
        for name in ("max_bytes", "min_parameters", "max_parameters", "limit", "offset"):
            _not_negative(name, getattr(self, name))
        if self.search is not None and not self.words:
            raise BadInput(f"search {self.search!a} has no word; give at least a letter or digit")
        if self.sort == "relevance" and not self.words:
            raise BadInput("sort 'relevance' needs search; give words, or sort by downloads")
        if self.since is not None:
            time_of(self.since)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of `search`, each once."""
        return tuple(dict.fromkeys(words_in(self.search or "")))[:SEARCHED_WORDS]

    @property
    def changed_after(self) -> str | None:
        """`since` as catalogs write times."""
        return None if self.since is None else time_of(self.since)


def _refuse_text(selection: Selection) -> None:
    """A text in place of a tuple would be taken for its letters."""
    for field in fields(selection):
        if field.default == () and isinstance(getattr(selection, field.name), str):
            value = getattr(selection, field.name)
            raise BadInput(f"{field.name} is a tuple of names, not {value!a}; write ({value!a},)")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise BadInput(f"{name} {value!a} is not known; choose one of {', '.join(allowed)}")


def _not_negative(name: str, value: object) -> None:
    if value is not None and (type(value) is not int or not 0 <= value < 2**63):
        raise BadInput(f"{name} {value!a} is no whole number from 0 up to 2**63 - 1")
