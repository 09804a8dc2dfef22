"""Which column is the text, which the label? By name, else by what the columns hold."""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cache.errors import BadInput, NotFound
from evaluators.reading.table import in_words

TEXT_NAMES = (
    ("text", "texts"),
    ("sentence", "content", "review", "tweet", "message", "question", "utterance", "query",
     "document", "comment", "body", "input", "sms", "review_text", "full_text", "premise"),
    ("description", "abstract", "summary"),
    ("title", "headline", "subject"),
)  # fmt: skip
LABEL_NAMES = (
    ("label", "labels"),
    ("class", "category", "sentiment", "target", "intent", "topic", "emotion", "class index",
     "coarse_label", "label_text", "gold_label", "output", "rating", "stars", "genre", "type"),
    ("y",),
)  # fmt: skip
"""Usual names, in tiers: a column of an earlier tier is taken before one of a later tier."""

CLEARLY_LONGER = 1.5
"""A text is guessed by length where its mean is this many times that of the next column."""

AMBIGUOUS = -1


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that the user named; text and label may be left to a guess.

    `roles` are the columns of further roles, and of a text or label that takes several.
    """

    text: str | None = None
    label: str | None = None
    group: str | None = None
    slices: tuple[str, ...] = ()
    roles: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def of(
        cls, text: str | None, label: str | None, group: str | None, slices: Sequence[str],
        columns: Mapping[str, str | Sequence[str]],
    ) -> "Columns":  # fmt: skip
        """`columns` names any role's; BadInput where a role is named twice."""
        named = {role: (at,) if isinstance(at, str) else tuple(at) for role, at in columns.items()}
        for role, given in (("text", text), ("label", label)):
            if given is not None and named.get(role, (given,)) != (given,):
                raise BadInput(f"the {role} is {given!r} and {in_words(named[role])}; name it once")
            named |= {} if given is None else {role: (given,)}
        return cls(
            text=_only(named.get("text")),
            label=_only(named.get("label")),
            group=group,
            slices=tuple(dict.fromkeys(slices)),
            roles=tuple(named.items()),
        )

    @property
    def named(self) -> tuple[str, ...]:
        """All names that were given."""
        in_roles = [name for _, names in self.roles for name in names]
        one_each = (self.text, self.label, self.group)
        given = (*(name for name in one_each if name is not None), *self.slices, *in_roles)
        return tuple(dict.fromkeys(given))


def _only(names: tuple[str, ...] | None) -> str | None:
    return names[0] if names is not None and len(names) == 1 else None


@dataclass(frozen=True, slots=True)
class Guess:
    """Positions of the columns, and how text and label were found."""

    text: int
    label: int
    how: str
    group: int | None = None
    slices: tuple[int, ...] = ()


def choose_columns(
    columns: Sequence[str], rows: Sequence[Sequence[object]], asked: Columns, source: str
) -> Guess:
    """The named columns, where named, and a guess for the rest.

    Raises NotFound for a name that is not there and BadInput where no guess stands out, or where
    one column would have to be two things.
    """
    if len(columns) < 2:
        raise BadInput(
            f"{source} has one column only, {in_words(columns)}; a text and a label are needed. "
            "Separate them by a comma, semicolon, tab or bar."
        )
    taken_text = position_of(columns, asked.text, "--text", source)
    taken_label = position_of(columns, asked.label, "--label", source)
    group = position_of(columns, asked.group, "--group", source)
    slices = tuple(slice_positions(columns, asked.slices, source))
    others = frozenset(slices if group is None else (group, *slices))
    guess = guess_columns(columns, rows, text=taken_text, label=taken_label, others=others)
    if AMBIGUOUS in (guess.text, guess.label) or guess.text == guess.label:
        raise BadInput(
            f"{source}: cannot tell which column is the text and which the label. "
            f"Choose with --text and --label among {in_words(columns)}."
        )
    _refuse_two_roles(columns, guess, others, source)
    return replace(guess, group=group, slices=slices)


def slice_positions(columns: Sequence[str], slices: Sequence[str], source: str) -> Iterator[int]:
    """Where the columns of slices are, in their order."""
    for name in slices:
        at = position_of(columns, name, "the slice", source)
        if at is not None:
            yield at


def _refuse_two_roles(
    columns: Sequence[str], guess: Guess, others: Collection[int], source: str
) -> None:
    for at, word in ((guess.text, "text"), (guess.label, "label")):
        if at in others:
            hint = "; for one class write recall[LABEL]" if word == "label" else ""
            raise BadInput(
                f"{source}: column {columns[at]!r} is the {word}, and no group or slice{hint}. "
                f"If another column is the {word}, name it with --{word}."
            )


def guess_columns(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    text: int | None = None,
    label: int | None = None,
    others: Collection[int] = (),
) -> Guess:
    """Where text and label are; AMBIGUOUS where nothing stands out.

    `others` are columns with another role: they are no guess by content, and of two usual names
    the one without a role is taken.
    """
    if text is not None and label is not None:
        return Guess(text, label, "as given")
    named_text = _by_name(columns, TEXT_NAMES, label, others) if text is None else text
    named_label = _by_name(columns, LABEL_NAMES, text, others) if label is None else label
    if named_text is not None and named_label is not None:
        return Guess(named_text, named_label, "guessed by name")
    by_text = longest(rows, {named_label, *others}) if named_text is None else named_text
    by_label = fewest(rows, {by_text, *others}) if named_label is None else named_label
    return Guess(by_text, by_label, "guessed by content")


def few_distinct(values: Sequence[object]) -> bool:
    """Whether values repeat as labels do: each at least twice in the mean."""
    return bool(values) and 2 * len({str(value) for value in values}) <= len(values)


def position_of(columns: Sequence[str], name: str | None, option: str, source: str) -> int | None:
    """Where a named column is; NotFound with the nearest name and the list."""
    if name is None:
        return None
    if name in columns:
        return columns.index(name)
    near = difflib.get_close_matches(name.casefold(), [c.casefold() for c in columns], 1, 0.5)
    meant = next((c for c in columns if near and c.casefold() == near[0]), None)
    hint = f" Did you mean {option} {meant!r}?" if meant else ""
    raise NotFound(f"{source} has no column {name!r}; it has {in_words(columns)}.{hint}")


def _by_name(
    columns: Sequence[str],
    tiers: Sequence[Sequence[str]],
    without: int | None,
    others: Collection[int],
) -> int | None:
    folded = [column.strip().casefold() for column in columns]
    for tier in tiers:
        found = [at for at, name in enumerate(folded) if name in tier and at != without]
        free = [at for at in found if at not in others] or found
        if free:
            return free[0] if len(free) == 1 else AMBIGUOUS
    return None


def longest(rows: Sequence[Sequence[object]], without: Collection[int | None]) -> int:
    """The column of clearly the longest strings, among those that do not repeat as labels do."""
    columns = _columns(rows, without)
    distinct = {at: column for at, column in columns.items() if not few_distinct(column)}
    lengths: dict[int, float] = {
        at: sum(len(value) for value in column if isinstance(value, str)) / len(column)
        for at, column in (distinct or columns).items()
    }
    ranked = sorted(lengths, key=lambda at: lengths[at], reverse=True)
    if not ranked or lengths[ranked[0]] == 0:
        return AMBIGUOUS
    if len(ranked) > 1 and lengths[ranked[0]] < CLEARLY_LONGER * lengths[ranked[1]]:
        return AMBIGUOUS
    return ranked[0]


def fewest(rows: Sequence[Sequence[object]], without: Collection[int | None]) -> int:
    """The only other column, or else the only one whose values repeat as labels do."""
    columns = _columns(rows, without)
    if len(columns) == 1:
        return next(iter(columns))
    few = [at for at, column in columns.items() if few_distinct(column) and not _constant(column)]
    return few[0] if len(few) == 1 else AMBIGUOUS


def _columns(
    rows: Sequence[Sequence[object]], without: Collection[int | None]
) -> dict[int, tuple[object, ...]]:
    every: dict[int, tuple[object, ...]] = dict(enumerate(zip(*rows, strict=False)))
    return {at: column for at, column in every.items() if at not in without}


def _constant(column: Sequence[object]) -> bool:
    return len({str(value) for value in column}) == 1
