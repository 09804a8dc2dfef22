"""Columns and files that are named for languages, and the language of texts."""

import re
from collections.abc import Sequence

CODES = re.compile(
    "af|am|ar|az|be|bg|bn|bs|ca|cs|cy|da|de|el|en|eo|es|et|eu|fa|fi|fr|ga|gl|gu|ha|he|hi|hr|hu|hy|"
    "ig|is|it|ja|jv|ka|kk|km|kn|ko|ku|ky|lb|lo|lt|lv|mg|mi|mk|ml|mn|mr|ms|mt|my|ne|nl|no|pa|pl|ps|"
    "pt|ro|ru|rw|sd|si|sk|sl|so|sq|sr|sv|sw|ta|te|tg|th|tk|tl|tr|tt|ug|uk|ur|uz|vi|xh|yi|yo|zh|zu"
)
"""ISO 639-1 codes of the languages that translations come in; not `id`, which names keys."""

NAMED = re.compile(r"(?:.*[._-]|)([a-z]{2})(?:[_-][a-z]{2,4})?", re.IGNORECASE)


def language_columns(columns: Sequence[str]) -> list[int]:
    """The positions of columns such as `en`, `de_DE` or `translation.en`."""
    return [at for at, name in enumerate(columns) if language_in(name)]


def language_in(name: str) -> str | None:
    """The language that a column or suffix is named for; None for other names."""
    match = NAMED.fullmatch(name.strip())
    code = match[1].casefold() if match else ""
    return code if CODES.fullmatch(code) else None
