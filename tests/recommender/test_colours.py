"""Colours and the small plot: on a terminal, and nowhere else."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from recommender.cli.colours import painted, wanted
from tests.recommender.past_runs import SMALL, about, store_runs

Run = Callable[..., tuple[int, str, str]]

ESCAPE = "\x1b["


class Terminal(StringIO):
    """A stream that says that it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("settings", "on_a_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, True, False),
        ({"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, True, True),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_whether_colours_are_wanted(
    settings: dict[str, str], on_a_terminal: bool, elsewhere: bool
) -> None:
    """By no-color.org and bixense.com/clicolors."""
    assert wanted(Terminal(), settings) is on_a_terminal
    assert wanted(StringIO(), settings) is elsewhere


def test_the_answer_and_the_choice_stand_out() -> None:
    """Nothing but colours is added."""
    report = "the answer.\n\n> choice 0.9\n* other 0.8\n  rest\n\nGuarantee: all is well.\n"
    shown = painted(report)
    assert shown.startswith("\x1b[1mthe answer.\x1b[0m")
    assert "\x1b[32m\x1b[1m> choice 0.9\x1b[0m" in shown
    assert "\x1b[36m* other 0.8\x1b[0m" in shown
    assert "\x1b[1mGuarantee:\x1b[0m all is well." in shown
    for code in ("\x1b[1m", "\x1b[0m", "\x1b[32m", "\x1b[36m"):
        shown = shown.replace(code, "")
    assert shown == report


def on_a_terminal(home: Path) -> str:
    """What `recommender report` shows on a terminal of 80 columns."""
    environment = {**os.environ, "RECOMMENDER_HOME": str(home), "TERM": "xterm", "COLUMNS": "80"}
    for name in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        environment.pop(name, None)
    given = [sys.executable, "-m", "recommender", "report"]
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(given, stdout=theirs, env=environment):
        os.close(theirs)
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:  # so Linux tells that the other end is closed
            pass
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_shows_colours_and_a_plot_and_a_pipe_neither(
    run_command: Run, tmp_path: Path
) -> None:
    """The choice is green, and the control characters of data do nothing."""
    store_runs(tmp_path, [about(SMALL, data="a\x1b[31m.csv")])
    shown = on_a_terminal(tmp_path)
    _, piped, _ = run_command("report")
    assert f"{ESCAPE}32m{ESCAPE}1m> team/model-" in shown
    assert "accuracy against size (MB)" in shown
    assert "\x1b[31m" not in shown
    assert ESCAPE not in piped
    assert "against size" not in piped
    assert "> team/model-" in piped
