"""The command line: one file a command, loaded when it is called. The home of click."""

import _thread
import os
import signal
import sqlite3
import sys
import threading
from importlib import import_module
from types import FrameType

import click
from click.shell_completion import CompletionItem

from cache.errors import RecommenderError

COMMANDS = {
    "find": "Find the smallest sufficient model for labelled rows.",
    "data": "Show what is understood of a data set.",
    "why": "Why a model was chosen or turned down.",
    "measure": "Measure every candidate on every row.",
    "fits": "Does a model fit on this machine?",
    "leaderboard": "Rank what was ever measured on the same rows.",
    "report": "Show a stored search again, in any format.",
    "export": "Write the choice of a search, ready to run.",
    "serve": "Show the stored searches in a browser, on this machine only.",
    "demo": "Run a real search offline, on models that come along.",
    "catalog": "Crawl, list and show what exists.",
    "cache": "Show and prune what is remembered.",
    "completion": "Complete commands, options and ids in your shell.",
    "plugins": "List what is installed at each seam.",
    "doctor": "Check the installation.",
}
"""The commands in the order in which a newcomer needs them, each with its line in the help."""


COMPLETING = "_RECOMMENDER_COMPLETE"


class LazyGroup(click.Group):
    """Imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, as they are shown."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"recommender.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of all in the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, and else the options."""
        found = [
            CompletionItem(name, help=line)
            for name, line in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)


class Terminated(KeyboardInterrupt):
    """SIGTERM, handled as Ctrl-C is: what is known is kept and printed."""

    def __str__(self) -> str:
        return "terminated"


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Example: recommender find reviews.csv --require "accuracy >= 0.90"',
)
@click.version_option(package_name="recommender")
def cli() -> None:
    """Find the smallest pretrained model that meets your accuracy, on your own data."""


def main() -> None:
    """Run the command line; every expected error becomes one line and its exit code."""
    if COMPLETING in os.environ:
        _answer_the_shell()
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _raise_again
    try:
        code = cli.main(standalone_mode=False)
    except RecommenderError as error:
        _fail(str(error), error.exit_code)
    except sqlite3.Error as error:
        _fail(f"a store cannot be used: {error}; see where it lies with: recommender cache path", 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        cause = error.__cause__ or error  # click raises its Abort from what it met
        sys.exit(143 if isinstance(cause, Terminated) else 130)
    except BrokenPipeError:
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _answer_the_shell() -> None:
    """What the shell asked for at a press of Tab; then leave without tidying up, which would take a
    fifth of the time."""
    try:
        cli.main(prog_name="recommender", standalone_mode=False)
    finally:
        sys.stdout.flush()
        os._exit(0)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _raise_again(lost: "sys.UnraisableHookArgs") -> None:
    """An interrupt that hits a destructor, as of a database connection, is swallowed by Python:
    it is sent once more."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    number = signal.SIGTERM if issubclass(lost.exc_type, Terminated) else signal.SIGINT
    threading.Timer(0.05, _thread.interrupt_main, [number]).start()


def _fail(line: str, code: int) -> None:
    from recommender.cli.colours import wanted

    red = wanted(sys.stderr, os.environ)
    start = click.style("error:", fg="red", bold=True) if red else "error:"
    click.echo(f"{start} {line}", err=True, color=red)
    sys.exit(code)
