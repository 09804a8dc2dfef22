"""What the user sees while waiting, on stderr. The home of tqdm."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


class Progress:
    """The rows answered so far and the time that is left; silent unless `shown`."""

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

    def start(self) -> None:
        """Begin to count rows."""
        self.close()
        if self._shown:
            from tqdm import tqdm

            # disable=None: no bar where stderr is no terminal, so that logs stay readable
            self._bar = tqdm(unit="row", file=sys.stderr, leave=False, disable=None)

    def left(self, seconds: str) -> None:
        """Say how long it may still take, in words."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"at most {seconds} left")

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
