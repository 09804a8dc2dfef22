"""What is one independent draw: a distinct text, a row as it comes, or a group of rows.

A guarantee is about the average over draws from the distribution behind the sample. Rows that
hang together are fewer draws than they seem: five sentences of one document, counted as five,
turn a test at 5 % into one at 10 to 17 %.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cache.errors import BadInput, NotFound
from evaluators.noise import noise_ceiling
from evaluators.reading.shapes import Kind, shape_of
from evaluators.reading.table import in_words
from evaluators.samples import KEY_DIGITS, Row, Samples, digest_of

Duplicates = Literal["drop", "keep"]


@dataclass(frozen=True, slots=True)
class Units:
    """The units of samples whose rows stand in the same order.

    `of_row` is the unit of each row, from 0. `weights` is each row's part of its unit's score:
    they add up to 1 in each unit, and the score is the weighted sum over the unit's rows. `keys`
    are the units' own keys, `row_keys` those of the rows (`Samples.row_keys`). `estimand` says what
    is averaged over.
    """

    of_row: tuple[int, ...]
    weights: tuple[float, ...]
    keys: tuple[str, ...]
    row_keys: tuple[str, ...]
    duplicates: Duplicates
    estimand: str
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """The number of units."""
        return len(self.keys)

    @property
    def members(self) -> tuple[tuple[str, ...], ...]:
        """The keys of each unit's rows."""
        found: list[list[str]] = [[] for _ in self.keys]
        for unit, key in zip(self.of_row, self.row_keys, strict=True):
            found[unit].append(key)
        return tuple(map(tuple, found))


def units_of(samples: Samples, duplicates: Duplicates = "drop") -> Units:
    """The units of samples, in the order in which they first occur.

    Without a group column: `drop` makes each distinct text a unit, `keep` each row. A text that
    carries several labels scores the mean over its ROWS (three positive and one negative row:
    3/4 and 1/4), as its labels are drawn in the traffic; a text whose rows agree scores as one
    row does. With a group column (`Samples.group_column`) each of its values is a unit, which
    scores the mean over its distinct texts (`drop`) or over its rows (`keep`).

    Raises BadInput for other words than drop and keep, and for a single group.
    """
    if duplicates not in ("drop", "keep"):
        raise BadInput(f"--duplicates {duplicates!r} is neither drop nor keep")
    row_keys = samples.row_keys
    keys = _keys(samples, row_keys, duplicates)
    if samples.group_column is not None and len(set(keys)) == 1:
        raise BadInput(
            f"all {samples.n:,} rows have one value of {samples.group_column!r}: one group is one "
            "independent draw, which shows nothing. Group by a column with many values."
        )
    return _units(samples, keys, row_keys, duplicates)


def ordered_units(samples: Samples, units: Units, seed: int) -> tuple[Samples, Units]:
    """Both in the one fixed random order: units by the SHA-256 of seed and key.

    The rows of a unit are adjacent. The order does not depend on the file's, and units that are
    added later leave the order of the others as it was.
    """
    unit_places = [digest_of(str(seed), key) for key in units.keys]
    places = [
        (unit_places[unit], digest_of(str(seed), row_key))
        for unit, row_key in zip(units.of_row, units.row_keys, strict=True)
    ]
    order = sorted(range(samples.n), key=places.__getitem__)
    return arranged_units(samples, units, [units.row_keys[row] for row in order])


def arranged_units(
    samples: Samples, units: Units, row_keys: Sequence[str]
) -> tuple[Samples, Units]:
    """The rows with these keys and their units, both in the given order.

    So an order that was fixed with fewer rows is continued. Rows that are not named are left out;
    the others of their units then share the weight. NotFound for a key that no row has.
    """
    row_of = {key: row for row, key in enumerate(units.row_keys)}
    lacking = [key for key in row_keys if key not in row_of]
    if lacking:
        raise NotFound(f"{samples.name} has no row with the key {in_words(lacking, at_most=3)}")
    rows = [row_of[key] for key in row_keys]
    arranged = replace(samples, rows=tuple(samples.rows[row] for row in rows))
    keys = [units.keys[units.of_row[row]] for row in rows]
    return arranged, _units(arranged, keys, row_keys, units.duplicates)


def _units(
    samples: Samples, keys: Sequence[str], row_keys: Sequence[str], duplicates: Duplicates
) -> Units:
    """Units by each row's unit key, in the order in which they first occur."""
    place = {key: at for at, key in enumerate(dict.fromkeys(keys))}
    units = Units(
        of_row=tuple(place[key] for key in keys),
        weights=_weights(samples.rows, keys, duplicates),
        keys=tuple(place),
        row_keys=tuple(row_keys),
        duplicates=duplicates,
        estimand=_estimand(samples, duplicates),
    )
    return replace(units, notes=_notes(samples, units))


def _keys(samples: Samples, row_keys: tuple[str, ...], duplicates: Duplicates) -> tuple[str, ...]:
    """The key of each row's unit."""
    if samples.group_column is not None:
        return tuple(digest_of("group", row.group or "")[:KEY_DIGITS] for row in samples.rows)
    if duplicates == "keep":
        return row_keys
    return tuple(row.key for row in samples.rows)


def _weights(rows: Sequence[Row], keys: Sequence[str], duplicates: Duplicates) -> tuple[float, ...]:
    """Each row's part of its unit: alike for all rows, or first for all distinct texts."""
    if duplicates == "keep":
        n_rows = Counter(keys)
        return tuple(1 / n_rows[key] for key in keys)
    n_alike = Counter((key, row.text) for key, row in zip(keys, rows, strict=True))
    n_texts = Counter(key for key, _ in n_alike)
    return tuple(
        1 / (n_texts[key] * n_alike[key, row.text]) for key, row in zip(keys, rows, strict=True)
    )


def _estimand(samples: Samples, duplicates: Duplicates) -> str:
    if samples.group_column is not None:
        within = "; within one, rows as they come" if duplicates == "keep" else ""
        return f"values of `{samples.group_column}`, each counting once{within}"
    if duplicates == "keep":
        return "rows as they come, repeats included"
    return f"distinct {shape_of(samples.task).nouns}, each counting once"


def _noun(samples: Samples) -> str:
    nouns = shape_of(samples.task).nouns
    return "query" if nouns == "queries" else nouns.removesuffix("s")


def _notes(samples: Samples, units: Units) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if samples.group_column is not None:
        largest = max(Counter(units.of_row).values(), default=0)
        notes += (
            f"groups: {samples.n:,} rows in {units.n:,} values of {samples.group_column!r}, "
            f"the largest with {largest:,}",
        )
    elif len({row.text for row in samples.rows}) < samples.n:
        notes += (
            f"repeats: each distinct {_noun(samples)} counts once; "
            "--duplicates keep counts every row"
            if units.duplicates == "drop"
            else "repeats: every row counts as a draw; "
            f"--duplicates drop counts each {_noun(samples)} once",
        )
    if samples.truth is not Kind.LABEL:
        return notes
    every_row = noise_ceiling(samples.rows)
    ceiling = noise_ceiling(samples.rows, units.weights)
    if ceiling.shown != every_row.shown:
        notes += (f"{units.estimand}: no model can have an accuracy above {ceiling.shown}",)
    return notes
