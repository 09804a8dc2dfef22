"""One form for the spellings of a label: case, punctuation, Unicode forms, numbers."""

import re
import unicodedata

ABBREVIATIONS = {"pos": "positive", "neg": "negative", "neu": "neutral"}
"""Abbreviations that mean the same in every model that was seen; anything else is a guess."""

NUMBER = re.compile(r"[-+]?[\d.,]+")
WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")
UNSEEN = re.compile("[\u0307\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]")
"""Joiners, variation selectors, and the dot that is left over of a Turkish capital i."""


def folded(label: str) -> str:
    """A label without case and outer spaces, in Unicode's form NFKC (full-width as plain)."""
    if label.isascii():
        return label.strip().casefold()
    plain = unicodedata.normalize("NFKC", label).casefold()
    return UNSEEN.sub("", unicodedata.normalize("NFKC", plain)).strip()


def normalised(label: str) -> str:
    """A label without case, spaces and punctuation, abbreviations written out.

    Numbers keep their sign and point, so that -1 is not 1, but 1.0 is 1. Labels of punctuation or
    signs only stay as they are. Accents and vowel signs count as letters.
    """
    plain = folded(label)
    if NUMBER.fullmatch(plain):
        whole = WHOLE.fullmatch(plain)
        return whole[1] if whole else plain
    bare = "".join(sign for sign in plain if _is_letter(sign))
    bare = unicodedata.normalize("NFKC", bare) or plain
    return ABBREVIATIONS.get(bare, bare)


def _is_letter(sign: str) -> bool:
    return sign.isalnum() or (not sign.isascii() and unicodedata.category(sign).startswith("M"))
