"""What the labels show about a candidate's quality."""

from enum import StrEnum


class Verdict(StrEnum):
    """What the labels show about a candidate's quality."""

    SUFFICIENT = "sufficient"
    INSUFFICIENT = "insufficient"
    UNDECIDED = "undecided"
