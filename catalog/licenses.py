"""What a licence allows: ids as the Hub writes them, their classes, and whom a model descends from.

The ids are those of https://huggingface.co/docs/hub/repositories-licenses; the classes are a
reading of the licences' own texts for software that runs a model, no legal advice.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from catalog.model import Model


class LicenseClass(StrEnum):
    """What a licence asks, from the least to the most."""

    PERMISSIVE = "permissive"
    COPYLEFT = "copyleft"
    OWN_TERMS = "own terms"
    UNKNOWN = "unknown"
    NON_COMMERCIAL = "non-commercial"


PERMISSIVE = frozenset(
    {
        "apache-2.0", "mit", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause",
        "bsd-3-clause", "bsd-3-clause-clear", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0",
        "cc-by-4.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0", "etalab-2.0",
        "isc", "ms-pl", "apple-ascl", "odc-by", "openmdw-1.0", "postgresql", "ncsa", "unlicense",
        "zlib", "pddl",
    }
)  # fmt: skip

COPYLEFT = frozenset(
    {
        "gpl", "gpl-2.0", "gpl-3.0", "agpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "lgpl-lr", "gfdl",
        "mpl-2.0", "epl-1.0", "epl-2.0", "eupl-1.1", "eupl-1.2", "osl-3.0", "ofl-1.1", "lppl-1.3c",
        "odbl", "cdla-sharing-1.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    }
)  # fmt: skip

NON_COMMERCIAL = re.compile(
    r"\bnc\b|non-?commercial|\bresearch\b|academic|apple-amlr|deepfloyd-if|\bmnpl\b"
)
"""Parts of the names of licences that forbid to earn money: cc-by-nc-4.0, intel-research."""

OWN_TERMS = re.compile(
    r"llama|gemma|rail\b|openrail|community|qwen|tongyi|deepseek|falcon|grok|nvidia|\bnd\b|"
    r"health-ai|c-uda"
)
"""Parts of the names of licences with terms of their own: uses that they forbid, a number of users,
no derivatives (int8 weights are one)."""

UNTOLD = frozenset({"", "unknown", "other", "none", "n/a", "cc", "custom", "proprietary"})
"""What cards say when they say nothing."""

ALIASES = {
    "apache": "apache-2.0", "apache-2": "apache-2.0", "apache2": "apache-2.0", "asl-2.0":
    "apache-2.0", "expat": "mit", "x11": "mit", "new-bsd": "bsd-3-clause", "bsd-2": "bsd-2-clause",
    "bsd-3": "bsd-3-clause", "bsd3": "bsd-3-clause", "cc0": "cc0-1.0", "cc-zero": "cc0-1.0",
    "gnu-gpl-3.0": "gpl-3.0", "gnu-general-public-3.0": "gpl-3.0", "gpl3": "gpl-3.0",
    "gplv3": "gpl-3.0", "gplv2": "gpl-2.0", "agplv3": "agpl-3.0", "agpl": "agpl-3.0",
    "mpl": "mpl-2.0", "odbl-1.0": "odbl", "odc-by-1.0": "odc-by", "openrail++": "openrail++",
    "bsl": "bsl-1.0", "boost-software-1.0": "bsl-1.0",
}  # fmt: skip
"""Other spellings, after what `license_ids` does to all of them."""

LINEAGE_DEPTH = 20
"""Base models are followed this far: longer chains do not exist."""

Lookup = Callable[[str], Model | None]
"""A known model by its id, None for one that the catalog does not have."""


def license_ids(name: str | None) -> tuple[str, ...]:
    """The ids in a licence's text, as the Hub writes them; empty where it says nothing.

    >>> license_ids("Apache License 2.0"), license_ids("GPL-3.0-or-later, MIT")
    (('apache-2.0',), ('gpl-3.0', 'mit'))
    >>> license_ids("other"), license_ids(None)
    ((), ())
    """
    text = re.sub(r",\s*(?=v\w*\s*\d)", " ", (name or "").lower())  # Apache License, Version 2.0
    parts = re.split(r"[,;|]|\s+(?:or|and|with)\s+", text)
    found = (_one_id(part) for part in parts)
    return tuple(dict.fromkeys(id for id in found if id not in UNTOLD))


def license_class(name: str | None) -> LicenseClass:
    """The class of a licence; of several the strictest, as all of them may hold.

    >>> license_class("cc-by-nc-4.0").value, license_class("mit, gpl-3.0").value
    ('non-commercial', 'copyleft')
    """
    order = list(LicenseClass)
    classes = [_class_of(id) for id in license_ids(name)]
    return max(classes, key=order.index, default=LicenseClass.UNKNOWN)


def in_list(name: str | None, allowed: Iterable[str]) -> bool:
    """Whether every licence in a text is in an allow-list; an unknown one never is."""
    ids = license_ids(name)
    listed = {id for entry in allowed for id in license_ids(entry)}
    return bool(ids) and listed.issuperset(ids)


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A model up the lineage, and the ids on the way to it, the nearest first, itself the last."""

    model: Model
    chain: tuple[str, ...]


def ancestors(model: Model, lookup: Lookup) -> Iterable[Ancestor]:
    """The base models and theirs, the nearest first, each once, as far as `lookup` knows them."""
    seen = {model.id}
    generation = [Ancestor(model, ())]
    for _ in range(LINEAGE_DEPTH):
        parents: list[Ancestor] = []
        for child in generation:
            for id in child.model.base_models:
                if id in seen:
                    continue
                seen.add(id)
                base = lookup(id)
                if base is not None:
                    parents.append(Ancestor(base, (*child.chain, id)))
        yield from parents
        generation = parents


def commercial_problem(
    model: Model, lookup: Lookup, *, allow_unknown: bool = False, allowed: Iterable[str] = ()
) -> str | None:
    """Why a model may not be used to earn money, or None where nothing speaks against it.

    `allowed` are licences that the user named: their own terms count as read. Non-commercial ones
    stay refused, up the whole lineage that the catalog knows.
    """
    read = tuple(allowed)
    for one in (Ancestor(model, ()), *ancestors(model, lookup)):
        found = license_class(one.model.license)
        if found in (LicenseClass.PERMISSIVE, LicenseClass.COPYLEFT):
            continue
        if found is LicenseClass.UNKNOWN and (one.chain or allow_unknown):
            continue  # what a base model does not tell is no reason
        if found is not LicenseClass.NON_COMMERCIAL and in_list(one.model.license, read):
            continue
        return _said(model, one, found)
    return None


def _said(model: Model, one: Ancestor, found: LicenseClass) -> str:
    named = one.model.license or "unknown"
    if one.chain:
        path = " <- ".join((model.id, *one.chain))
        return f"its licence is {model.license or 'unknown'}, but {path} is {named} ({found})"
    if found is LicenseClass.UNKNOWN:
        return f"licence {named} is not known to allow commercial use (--allow-unknown-license)"
    if found is LicenseClass.OWN_TERMS:
        return f"licence {named} has terms of its own; once read, ask with 'license in {named}'"
    return f"licence {named} is {found}"


def _class_of(id: str) -> LicenseClass:
    if NON_COMMERCIAL.search(id):
        return LicenseClass.NON_COMMERCIAL
    if id in PERMISSIVE:
        return LicenseClass.PERMISSIVE
    if id in COPYLEFT:
        return LicenseClass.COPYLEFT
    return LicenseClass.OWN_TERMS if OWN_TERMS.search(id) else LicenseClass.UNKNOWN


def _one_id(text: str) -> str:
    """One licence's text as an id: words of no weight dropped, hyphens between the others."""
    words = re.split(r"[\s_()\"'-]+", text.removeprefix("license:").strip())
    kept = [word for word in words if word not in ("", "the", "license", "licence", "version")]
    id = re.sub(r"-v(?=\d)", "-", "-".join(kept))
    id = re.sub(r"-(only|or-later)$|(?<=\d)\+$", "", id)
    known = PERMISSIVE | COPYLEFT
    whole = f"{id}.0"
    return ALIASES.get(id) or (whole if id not in known and whole in known else id)
