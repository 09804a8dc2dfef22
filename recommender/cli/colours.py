"""Colours on a terminal, and nowhere else."""

import re
from collections.abc import Mapping
from typing import TextIO

import click

_TITLE = re.compile(
    r"(Turned down|Left out|Guarantee|Search|Notes|Reproduce|Plan|Flags|Choice|Revision|Labels|"
    r"Licence|Details)\b[^:\n]{0,40}?(:|(?=  ))"
)
_STARTS = {"> ": "green", "* ": "cyan", "~ ": "cyan"}
"""Lines of the table that begin so: the choice, and the frontier."""


def wanted(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether text on this stream may have colours.

    NO_COLOR turns them off, CLICOLOR_FORCE on, CLICOLOR=0 off, in this order (no-color.org and
    bixense.com/clicolors).
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "0") != "0":
        return True
    is_plain = environment.get("CLICOLOR") == "0" or environment.get("TERM") == "dumb"
    return stream.isatty() and not is_plain


def painted(report: str) -> str:
    """A text report with its answer in bold, and the choice and the frontier in colours."""
    answer, gap, rest = report.partition("\n\n")
    return click.style(answer, bold=True) + gap + "\n".join(map(_painted_line, rest.split("\n")))


def _painted_line(line: str) -> str:
    colour = _STARTS.get(line[:2])
    if colour:
        return click.style(line, fg=colour, bold=colour == "green" or None)
    title = _TITLE.match(line)
    if title:
        return click.style(title[0], bold=True) + line[title.end() :]
    return line
