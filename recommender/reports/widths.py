"""How wide text is on a terminal, and how it is cut to fit."""

import unicodedata

CUT = ".."


def shortened(text: str, width: int, *, in_the_middle: bool = False) -> str:
    """At most `width` columns of a text, with `..` where some is missing.

    >>> shortened("distilbert/distilbert-base-uncased", 20, in_the_middle=True)
    'distilber..e-uncased'
    """
    if columns(text) <= width:
        return text
    kept = max(width - len(CUT), 0)
    tail = kept // 2 if in_the_middle else 0
    return _start(text, kept - tail) + CUT + _start(text[::-1], tail)[::-1]


def _start(text: str, width: int) -> str:
    """As many characters from the start as fit."""
    end = used = 0
    while end < len(text) and used + columns(text[end]) <= width:
        used += columns(text[end])
        end += 1
    return text[:end]


def columns(text: str) -> int:
    """How many columns of a terminal a text takes; East Asian characters take two."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)
