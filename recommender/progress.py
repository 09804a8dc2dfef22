"""What the user sees while waiting, on stderr. The home of tqdm."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


class Progress:
    """A bar over the rows that may have to be answered; silent unless `shown`."""

    def __init__(self, *, shown: bool = False) -> None:
        self._shown = shown
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, n_rows: int) -> None:
        """Begin, with the most rows that there can be to answer."""
        self.close()
        if self._shown:
            from tqdm import tqdm

            # disable=None: no bar where stderr is no terminal, so that logs stay readable
            self._bar = tqdm(total=n_rows, unit="row", file=sys.stderr, leave=False, disable=None)

    def step(self, name: str) -> None:
        """Say what is being worked on."""
        if self._bar is not None:
            self._bar.set_description_str(name[-48:])

    def rows(self, n_rows: int) -> None:
        """Count rows as done."""
        if self._bar is not None:
            self._bar.update(n_rows)

    def say(self, line: str) -> None:
        """One line that stays, above the bar."""
        if not self._shown:
            return
        if self._bar is None:
            print(line, file=sys.stderr)  # noqa: T201 (progress goes to stderr)
        else:
            self._bar.write(line, file=sys.stderr)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
