"""`recommender serve`: the stored searches as pages, on this machine only. The home of uvicorn."""

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cache.errors import BadInput, MissingExtra
from cache.paths import Home

if TYPE_CHECKING:
    import uvicorn

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHUTDOWN_S = 2


@click.command(
    "serve",
    epilog="Example: recommender serve --open",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8765,
    show_default=True,
    metavar="N",
    help="Where to listen; 0 takes a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="An address of this machine that no other can reach.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page in the browser.")
def command(port: int, host: str, is_opened: bool) -> int:
    """Serve the stored searches and the leaderboard as pages, for this machine only.

    Nothing can be changed through them. Ctrl-C ends it.
    """
    from cache.measurements import Measurements

    if host not in LOOPBACK:
        raise BadInput(
            f"--host {host} could be reached by others: only {', '.join(LOOPBACK)} can be served; "
            "to share pages, write them with: recommender report --all DIR"
        )
    home = Home.parse(os.environ)
    Measurements(home.measurements).close()  # so that it exists, in its present form
    with _listening(host, port) as listener:
        address = _address(host, listener.getsockname()[1])
        ready = partial(_announce, home.folder, address, is_opened=is_opened)
        _server(home, ready).run(sockets=[listener])
    return 0


def _announce(folder: Path, address: str, *, is_opened: bool) -> None:
    """Where it is to be looked at, once it is there."""
    click.echo(f"serving {folder} at {address} (Ctrl-C ends it)", err=True)
    if is_opened:
        click.launch(address)


def _server(home: Home, ready: Callable[[], None]) -> "uvicorn.Server":
    """uvicorn's, which says when it is ready: from then on it ends at a signal."""
    try:
        import uvicorn

        from recommender.reports.site import site
    except ImportError as error:
        raise MissingExtra(
            f"serving needs {error.name}; install it with: pip install 'recommender[serve]'"
        ) from error

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    return Announcing(
        uvicorn.Config(
            site(home),
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise BadInput(
            f"cannot listen on port {port}: {error.strerror}; name another with --port, or 0"
        ) from error
    return listener


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
