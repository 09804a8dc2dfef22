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

from cache.errors import RecommenderError

COMMANDS = (
    "find",
    "data",
    "why",
    "measure",
    "fits",
    "leaderboard",
    "demo",
    "catalog",
    "cache",
    "plugins",
    "doctor",
)


class LazyGroup(click.Group):
    """Imports a command's module only when that command, or the list of all, is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"recommender.cli.{cmd_name}").command
        return command


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
    except Terminated:
        sys.exit(143)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


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
    red = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    click.echo(
        f"{click.style('error:', fg='red', bold=True) if red else 'error:'} {line}", err=True
    )
    sys.exit(code)
