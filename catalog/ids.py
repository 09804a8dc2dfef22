"""What the id of a model may look like, and which known id was probably meant."""

import difflib
import re
from collections.abc import Iterable

LENGTH_LIMIT = 200
PART = r"\w[\w.+ -]*"
ID = re.compile(rf"{PART}(/{PART})?")


def id_problem(id: str) -> str | None:
    """Why this is no id (`name` or `owner/name`); None where it is one."""
    if len(id) > LENGTH_LIMIT:
        return f"an id of {len(id)} characters; at most {LENGTH_LIMIT}"
    if not ID.fullmatch(id) or not id.isprintable():
        return f"{id!a} is no id; ids are 'name' or 'owner/name' of letters, digits, - _ . +"
    return None


def nearest(id: str, known: Iterable[str]) -> str | None:
    """The known id that goes on where this one ends, else the most similar; owners may differ."""
    spellings: dict[str, str] = {}
    for name in known:
        spellings.setdefault(name.casefold(), name)
        spellings.setdefault(_without_owner(name).casefold(), name)
    for wanted in (id.casefold(), _without_owner(id).casefold()):
        longer = sorted(spelling for spelling in spellings if spelling.startswith(wanted))
        match = longer or difflib.get_close_matches(wanted, spellings, n=1)
        if wanted and match:
            return spellings[match[0]]
    return None


def _without_owner(id: str) -> str:
    return id.rpartition("/")[2]
