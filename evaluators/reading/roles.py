"""Which columns play a task's roles? As named, else by usual names, else by what they hold."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cache.errors import BadInput
from evaluators.reading.cells import Fault, listed, read_cell
from evaluators.reading.columns import (
    AMBIGUOUS,
    Columns,
    choose_columns,
    few_distinct,
    longest,
    position_of,
    slice_positions,
)
from evaluators.reading.files import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from evaluators.reading.languages import language_columns
from evaluators.reading.shapes import PAIRS, Kind, Role, Shape
from evaluators.reading.table import Table, in_words
from evaluators.reading.values import fault_of, is_missing

LOOKED_AT = 50
LOOSE = (Kind.ANSWERS, Kind.TEXTS, Kind.PROMPT, Kind.CHOICES, Kind.TRANSCRIPT)
"""Kinds that any text can be read as, so that what cells hold tells nothing."""

LETTERED = re.compile(r"(?:(?:option|choice|ending|answer|op)[_ ]?)?([a-h]|[0-9])")


@dataclass(frozen=True, slots=True)
class Chosen:
    """For each role the positions of its columns and what their cells hold, and how it was found.

    A role that is optional and was not found is missing from both.
    """

    shape: Shape
    positions: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, Kind]
    how: str
    guessed: tuple[str, ...] = ()
    group: int | None = None
    slices: tuple[int, ...] = ()


def choose_roles(
    table: Table, rows: Sequence[Sequence[object]], shape: Shape, asked: Columns
) -> Chosen:
    """The columns of every role. BadInput where none stands out, NotFound for unknown names."""
    for role, _ in asked.roles:
        shape.role(role)
    if shape.plain and shape.truth.kind is Kind.LABEL:
        return _of_texts(table, rows, shape, asked)
    return _by_role(table, rows, shape, asked)


def _of_texts(
    table: Table, rows: Sequence[Sequence[object]], shape: Shape, asked: Columns
) -> Chosen:
    """A text, or two that make a pair, and labels."""
    named = dict(asked.roles)
    pair = _pair(table, shape, named)
    several = named.get("label", ())
    if len(several) > 1:  # a stand-in, so that the text is found among the others
        asked = Columns(asked.text, several[0], asked.group, asked.slices, asked.roles)
    if pair is not None and asked.text is None:
        asked = Columns(pair[0], asked.label, asked.group, asked.slices, asked.roles)
    guess = choose_columns(table.columns, rows, asked, table.name)
    positions: dict[str, tuple[int, ...]] = {"text": (guess.text,), "label": (guess.label,)}
    if pair is not None:
        positions["text_pair"] = (_at(table, pair[1], "text_pair"),)
    if len(several) > 1:
        positions["label"] = tuple(_at(table, name, "label") for name in several)
    guessed = tuple(role for role in positions if role not in named)
    kinds = {
        "text": Kind.TEXT,
        "text_pair": Kind.TEXT,
        "label": _label_kind(positions["label"], rows),
    }
    return Chosen(shape, positions, kinds, guess.how, guessed, guess.group, guess.slices)


def _pair(
    table: Table, shape: Shape, named: Mapping[str, tuple[str, ...]]
) -> tuple[str | None, str] | None:
    """The columns of a pair: as named, else two with the names of one, if the text is not named."""
    if "text_pair" in named:
        return next(iter(named.get("text", ())), None), named["text_pair"][0]
    if "text" in named or not any(role.name == "text_pair" for role in shape.inputs):
        return None
    folded = {column.strip().casefold(): column for column in table.columns}
    found = [(folded[a], folded[b]) for a, b in PAIRS if a in folded and b in folded]
    return found[0] if len(found) == 1 else None


def _label_kind(positions: Sequence[int], rows: Sequence[Sequence[object]]) -> Kind:
    if len(positions) > 1:
        return Kind.FLAGS
    cells = [row[positions[0]] for row in rows if not _is_blank(row[positions[0]])]
    return Kind.LABELS if cells and all(_is_label_list(cell) for cell in cells) else Kind.LABEL


def _is_label_list(cell: object) -> bool:
    items = listed(cell)
    return items is not None and all(fault_of(item) is None for item in items)


def _is_blank(cell: object) -> bool:
    return is_missing(cell) if not isinstance(cell, list | tuple) else False


def _at(table: Table, name: str, role: str) -> int:
    at = position_of(table.columns, name, option_for(role), table.name)
    return AMBIGUOUS if at is None else at


def option_for(role: str) -> str:
    """How the command line names a role's column."""
    return f"--{role}" if role in ("text", "label") else f"--column {role}="


def _by_role(
    table: Table, rows: Sequence[Sequence[object]], shape: Shape, asked: Columns
) -> Chosen:
    named = {role: tuple(_at(table, name, role) for name in names) for role, names in asked.roles}
    group = position_of(table.columns, asked.group, "--group", table.name)
    slices = tuple(slice_positions(table.columns, asked.slices, table.name))
    taken = {at for found in named.values() for at in found} | set(slices)
    taken |= set() if group is None else {group}
    positions = {**_languages(table, shape, named), **named}
    taken |= {at for found in positions.values() for at in found}
    by_name = _named_roles(table, rows, shape, positions, taken)
    by_content = _fitting_roles(table, rows, shape, positions, taken)
    guessed = tuple(role for role in positions if role not in named)
    how = "guessed by content" if by_content else "guessed by name" if by_name else "as given"
    ordered = {role.name: positions[role.name] for role in shape.roles if role.name in positions}
    kinds = {name: _kind(shape.role(name), ordered, rows) for name in ordered}
    return Chosen(shape, ordered, kinds, how, guessed, group, slices)


def _named_roles(
    table: Table, rows: Sequence[Sequence[object]], shape: Shape,
    positions: dict[str, tuple[int, ...]], taken: set[int],
) -> bool:  # fmt: skip
    """Adds what usual names tell, the earlier tiers of all roles first."""
    most = max(len(role.names) for role in shape.roles)
    for tier in range(most):
        for role in shape.roles:
            if role.name in positions or tier >= len(role.names):
                continue
            found = named_columns(role, role.names[tier], table.columns, rows, taken)
            if found:
                positions[role.name] = found
                taken.update(found)
    return bool(positions)


def named_columns(
    role: Role, names: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[object]],
    taken: Collection[int] = (),
) -> tuple[int, ...]:  # fmt: skip
    """The column with the first of these names whose cells fit; several for `summary1`, ..."""
    folded = [column.strip().casefold() for column in columns]
    for name in names:
        for at, column in enumerate(folded):
            if column == name and at not in taken and fits(role.kind, _cells(rows, at)):
                return (at,)
    if not role.several:
        return ()
    free = {at: column for at, column in enumerate(folded) if at not in taken}
    for name in names:
        numbered = [at for at, c in free.items() if re.fullmatch(rf"{re.escape(name)}[_ ]?\d", c)]
        if numbered:
            return tuple(numbered)
    lettered = tuple(at for at, column in free.items() if LETTERED.fullmatch(column))
    return lettered if role.kind is Kind.CHOICES and len(lettered) > 1 else ()


def _fitting_roles(
    table: Table, rows: Sequence[Sequence[object]], shape: Shape,
    positions: dict[str, tuple[int, ...]], taken: set[int],
) -> bool:  # fmt: skip
    """Adds the roles that are left by what the free columns hold; refuses what is ambiguous."""
    lacking = [r for r in shape.roles if r.name not in positions and not r.optional]
    for role in sorted(lacking, key=lambda role: role.kind in (Kind.TEXT, Kind.TEXTS)):
        free = [at for at in range(len(table.columns)) if at not in taken]
        fitting = [at for at in free if fits(role.kind, _cells(rows, at))]
        if role.kind in LOOSE:
            fitting = []
        if role.kind is Kind.LABEL:
            fitting = [at for at in fitting if few_distinct([row[at] for row in rows])]
        if len(fitting) > 1 and role.kind is Kind.TEXT:
            best = longest(rows, set(range(len(table.columns))) - set(fitting))
            fitting = [] if best == AMBIGUOUS else [best]
        if len(fitting) != 1:
            fitting = _faulty(role, table.columns, free)
        if not fitting:
            raise _unclear(table, shape, role)
        positions[role.name] = (fitting[0],)
        taken.add(fitting[0])
    return bool(lacking)


def _faulty(role: Role, columns: Sequence[str], free: Sequence[int]) -> list[int]:
    """The free column of a usual name though its cells do not fit: so a fault has its place."""
    folded = {columns[at].strip().casefold(): at for at in free}
    return [folded[name] for tier in role.names for name in tier if name in folded][:1]


def _unclear(table: Table, shape: Shape, role: Role) -> BadInput:
    option = option_for(role.name)
    return BadInput(
        f"{table.name}: for {shape.task}, cannot tell which column is the {role.name} "
        f"({role.kind}). Choose with {option}{'' if option.endswith('=') else ' '}COLUMN "
        f"among {in_words(table.columns)}."
    )


def _languages(
    table: Table, shape: Shape, named: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """Source and target of a translation, where just two columns are named for languages."""
    if shape.task != "translation" or named:
        return {}
    found = language_columns(table.columns)
    return {"text": (found[0],), "label": (found[1],)} if len(found) == 2 else {}


def _kind(
    role: Role, positions: Mapping[str, tuple[int, ...]], rows: Sequence[Sequence[object]]
) -> Kind:
    if role.kind is Kind.LABEL:
        return _label_kind(positions[role.name], rows)
    if role.kind is Kind.TEXTS and role.name == "label" and "choices" in positions:
        return Kind.INDEX
    return role.kind


def _cells(rows: Sequence[Sequence[object]], at: int) -> list[object]:
    found = (row[at] for row in rows if at < len(row) and not _is_blank(row[at]))
    return [cell for cell, _ in zip(found, range(LOOKED_AT), strict=False)]


def fits(kind: Kind, cells: Sequence[object]) -> bool:
    """Whether the first cells of a column can be read as this kind."""
    if not cells:
        return False
    if kind in (Kind.IMAGE, Kind.AUDIO):
        return all(_is_file(cell, kind) for cell in cells)
    if kind is Kind.LABEL:
        return all(fault_of(cell) is None for cell in cells)
    if kind is Kind.TEXT or kind is Kind.TRANSCRIPT:
        return all(isinstance(cell, str) for cell in cells)
    return all(_is_readable(kind, cell) for cell in cells)


def _is_readable(kind: Kind, cell: object) -> bool:
    try:
        read_cell(kind, cell)
    except Fault as fault:
        return "without names" in str(fault)
    return True


def _is_file(cell: object, kind: Kind) -> bool:
    suffixes = IMAGE_SUFFIXES if kind is Kind.IMAGE else AUDIO_SUFFIXES
    if isinstance(cell, Mapping):
        return bool({"bytes", "path"} & set(cell))
    return isinstance(cell, str) and any(cell.casefold().endswith(s) for s in suffixes)
