"""Tags of words in one scheme: whatever a file writes, IOB2 is read.

IOB1 and IOB2: Tjong Kim Sang and Veenstra, Representing Text Chunks, EACL 1999, section 2.
"""

import re
from collections.abc import Iterable, Sequence

OUTSIDE = "O"
PREFIXED = re.compile(r"([BIESLU])[-_](.+)")
BEGINS = frozenset("BSU")
ENDS = frozenset("ESLU")


def to_iob2(tags: Sequence[str]) -> list[str]:
    """The same entities as IOB2; IOB1, IOB2, IOBES, BILOU and bare types are understood.

    An entity begins at B, S or U, after the end of another, and wherever the type changes.
    """
    found: list[str] = []
    inside: str | None = None  # the type of the entity that the next word may continue
    for tag in tags:
        prefix, kind = _split(tag)
        if kind is None:
            found.append(OUTSIDE)
            inside = None
            continue
        begins = prefix in BEGINS or kind != inside
        found.append(f"{'B' if begins else 'I'}-{kind}")
        inside = None if prefix in ENDS else kind
    return found


def scheme_of(rows: Iterable[Sequence[str]]) -> str:
    """The scheme of tagged sentences: IOB2, IOB1, IOBES, BILOU, bare types, or none (all O)."""
    prefixes: set[str] = set()
    unbegun = False
    for tags in rows:
        before: str | None = None
        for tag in tags:
            prefix, kind = _split(tag)
            unbegun = unbegun or (prefix == "I" and kind != before)
            prefixes |= {prefix} if kind is not None else set()
            before = kind
    if not prefixes:
        return "none"
    if prefixes & set("LU"):
        return "BILOU"
    if prefixes & set("ES"):
        return "IOBES"
    if prefixes == {""}:
        return "bare types"
    return "IOB1" if unbegun else "IOB2"


def looks_tagged(values: Iterable[str]) -> bool:
    """Whether all are tags: O, or a type after B-, I- and their like; one type at least."""
    every = set(values)
    return OUTSIDE in every and any(PREFIXED.fullmatch(tag) for tag in every) and all(
        tag == OUTSIDE or PREFIXED.fullmatch(tag) for tag in every
    )  # fmt: skip


def _split(tag: str) -> tuple[str, str | None]:
    """Prefix and type; the type is None outside of entities."""
    if tag == OUTSIDE:
        return "", None
    match = PREFIXED.fullmatch(tag)
    return (match[1], match[2]) if match else ("", tag)
