"""A table's records as examples: the cells of each role, checked and parsed; faults have places."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cache.errors import BadInput
from cache.key import JSONValue, canonical_json
from evaluators.reading.cells import Fault, index_of, is_absent, number_of, read_cell
from evaluators.reading.contents import content_of
from evaluators.reading.files import located
from evaluators.reading.roles import Chosen
from evaluators.reading.shapes import Kind
from evaluators.reading.table import Table
from evaluators.reading.values import as_class_name, fault_of, is_missing, name_in

SHOWN_PLACES = 5
MEDIA = (Kind.IMAGE, Kind.AUDIO)
PLAIN_TRUTHS = (Kind.TEXT, Kind.LABEL)


class Example(NamedTuple):
    """What is kept of one record.

    `text` is the content, but for a file's, which is hashed when all are known that are drawn:
    there it is the role's name. `label` is spelled when all labels are known.
    """

    text: str
    label: object
    group: str | None
    slices: tuple[tuple[str, str], ...]
    file: Path | bytes | None
    at: int


def examples(table: Table, chosen: Chosen) -> Iterator[Example]:
    """Every record as an example; those that lack a value are refused together, at the end."""
    reader = _Reader(table, chosen)
    for at, values in table.records:
        found = reader.example(at, values)
        if found is not None:
            yield found
    reader.lacking.refuse(table)


class _Reader:
    """Reads records of one table for the roles that were chosen."""

    def __init__(self, table: Table, chosen: Chosen) -> None:
        self.lacking = _Lacking()
        self._table = table
        self._chosen = chosen
        self._inputs = [role for role in chosen.shape.inputs if role.name in chosen.positions]
        self._label_names = self._names("label")
        self._required = [
            (role.name, chosen.kinds[role.name], chosen.positions[role.name])
            for role in (*self._inputs, chosen.shape.truth)
        ]

    def _names(self, role: str) -> Sequence[str]:
        column = self._table.columns[self._chosen.positions[role][0]]
        return self._table.class_names.get(column, ())

    def example(self, at: int, values: Sequence[object]) -> Example | None:
        """One record; None where it lacks a value, which is counted."""
        where = self._chosen.group
        group = None if where is None else self._name(at, values, where)
        what = self._missing(values)
        if what is None and where is not None and group is None:
            what = f"value of {self._table.columns[where]!r}, the group"
        if what is not None:
            self.lacking.add(what, at)
            return None
        file, parts = self._parts(at, values)
        text = next(iter(parts)) if file is not None else self._content(parts)
        label = self._truth(at, values, parts)
        return Example(text, label, group, self._slices(at, values), file, at)

    def _content(self, parts: dict[str, JSONValue]) -> str:
        return content_of(parts, plain=self._chosen.shape.plain)

    def _missing(self, values: Sequence[object]) -> str | None:
        """The first required role without a value."""
        for name, kind, where in self._required:
            if len(where) > 1:
                absent = [is_absent(kind, values[at]) for at in where]
                if all(absent) or (kind is Kind.FLAGS and any(absent)):
                    return name
                continue
            cell = values[where[0]]
            if kind is Kind.LABEL and self._label_names:
                cell = as_class_name(cell, self._label_names)
            if is_absent(kind, cell):
                return name
        return None

    def _parts(
        self, at: int, values: Sequence[object]
    ) -> tuple[Path | bytes | None, dict[str, JSONValue]]:
        parts: dict[str, JSONValue] = {}
        file: Path | bytes | None = None
        for role in self._inputs:
            kind = self._chosen.kinds[role.name]
            if kind in MEDIA:
                file = located(self._only(values, role.name), self._table.folder or Path.cwd())
                parts[role.name] = None
            else:
                value = self._cell(at, values, role.name, kind)
                is_chat = kind is Kind.PROMPT and not isinstance(value, str)
                parts["messages" if is_chat else role.name] = value
        return file, parts

    def _truth(self, at: int, values: Sequence[object], parts: dict[str, JSONValue]) -> object:
        kind = self._chosen.kinds["label"]
        if kind is Kind.LABEL:
            value = as_class_name(self._only(values, "label"), self._label_names)
            if fault := fault_of(value):
                raise self._refused(at, "label", fault)
            return value
        if kind is Kind.FLAGS:
            return canonical_json(self._flags(at, values))
        if kind is Kind.INDEX:
            return self._index(at, values, parts)
        value = self._cell(at, values, "label", kind)
        self._check_length(at, kind, value, parts)
        return str(value) if kind in PLAIN_TRUTHS else canonical_json(value)

    def _flags(self, at: int, values: Sequence[object]) -> list[str]:
        columns = self._chosen.positions["label"]
        try:
            flags = {self._table.columns[column]: number_of(values[column]) for column in columns}
        except Fault as fault:
            raise self._refused(at, "label", str(fault)) from fault
        if any(flag not in (0, 1) for flag in flags.values()):
            raise self._refused(at, "label", "a flag that is neither 0 nor 1.")
        return sorted(name for name, flag in flags.items() if flag)

    def _index(self, at: int, values: Sequence[object], parts: dict[str, JSONValue]) -> str:
        value = as_class_name(self._only(values, "label"), self._label_names)
        try:
            return str(index_of(value, _texts(parts["choices"])))
        except Fault as fault:
            raise self._refused(at, "label", str(fault)) from fault

    def _check_length(
        self, at: int, kind: Kind, value: JSONValue, parts: dict[str, JSONValue]
    ) -> None:
        role = {Kind.TAGS: "tokens", Kind.NUMBERS: "documents"}.get(kind)
        if role is not None and len(_texts(value)) != len(_texts(parts[role])):
            what = "tags" if kind is Kind.TAGS else "relevances"
            n_given, n_wanted = len(_texts(value)), len(_texts(parts[role]))
            raise self._refused(at, "label", f"{n_given} {what} for {n_wanted} {role}.")

    def _cell(self, at: int, values: Sequence[object], role: str, kind: Kind) -> JSONValue:
        """One cell's value, or the list of several columns' texts."""
        try:
            several = self._chosen.positions[role]
            if len(several) == 1:
                return read_cell(kind, values[several[0]], self._names(role))
            present = [values[column] for column in several if not is_missing(values[column])]
            return [str(read_cell(Kind.TEXT, value)) for value in present]
        except Fault as fault:
            raise self._refused(at, role, str(fault)) from fault

    def _only(self, values: Sequence[object], role: str) -> object:
        return values[self._chosen.positions[role][0]]

    def _refused(self, at: int, role: str, fault: str) -> BadInput:
        column = self._table.columns[self._chosen.positions[role][0]]
        return BadInput(
            f"{self._table.name}, {self._table.place} {at:,}: {fault} (column {column!r})"
        )

    def _slices(self, at: int, values: Sequence[object]) -> tuple[tuple[str, str], ...]:
        if not self._chosen.slices:  # most often, and asked of every row
            return ()
        found = (
            (self._table.columns[column], self._name(at, values, column))
            for column in self._chosen.slices
        )
        return tuple((column, name) for column, name in found if name is not None)

    def _name(self, at: int, values: Sequence[object], column: int) -> str | None:
        """The text of a group's or slice's value; None where it is missing."""
        title = self._table.columns[column]
        value = as_class_name(values[column], self._table.class_names.get(title, ()))
        if is_missing(value):
            return None
        name = name_in(value)
        if fault := fault_of(name):
            raise BadInput(
                f"{self._table.name}, {self._table.place} {at:,}, column {title!r}: {fault}"
            )
        return str(name)


def _texts(value: JSONValue) -> list[str]:
    """The items of a JSON list as texts."""
    return [str(item) for item in value] if isinstance(value, list) else []


class _Lacking:
    """Counts rows that lack a value, and keeps the first places of each kind."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[int]] = {}

    def add(self, what: str, at: int) -> None:
        """One row more that has no `what`."""
        self._counts[what] += 1
        first = self._first.setdefault(what, [])
        first += [at] if len(first) < SHOWN_PLACES else []

    def refuse(self, table: Table) -> None:
        """Raise BadInput if there was any."""
        for what, count in self._counts.items():
            raise BadInput(_missing_message(table, what, self._first[what], count))


def _missing_message(table: Table, lacking: str, places: Sequence[int], count: int) -> str:
    shown = ", ".join(f"{at:,}" for at in places)
    more = ", ..." if count > len(places) else ""
    rows = "1 row has" if count == 1 else f"{count:,} rows have"
    return (
        f"{table.name}, {table.place} {shown}{more}: {rows} no {lacking}. "
        f"Fill in or remove {'it' if count == 1 else 'them'}."
    )
