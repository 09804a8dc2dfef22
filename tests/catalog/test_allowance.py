"""A quota is kept by waiting, over threads, processes and clocks that jump."""

from pathlib import Path

import pytest

from catalog.allowance import MARGIN, PUBLIC_QUOTAS, Allowance, Quota

LONGEST_S = 60 * MARGIN + 1e-6  # a minute's quota


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def taken(allowance: Allowance, n: int) -> int:
    """How many of so many requests may be sent at once."""
    return sum(allowance.take("api") == 0 for _ in range(n))


def test_the_public_quota_is_five_hundred_in_five_minutes() -> None:
    """The next request waits until the first one is five minutes old."""
    clock = Clock()
    allowance = Allowance("hub", PUBLIC_QUOTAS, clock=clock)
    assert taken(allowance, 600) == 500
    assert 300 <= allowance.take("api") <= 300 * MARGIN
    clock.now += 300 * MARGIN
    assert taken(allowance, 600) == 500


def test_files_are_counted_apart() -> None:
    """As the Hub does."""
    allowance = Allowance("hub", PUBLIC_QUOTAS, clock=Clock())
    taken(allowance, 500)
    assert allowance.take("resolvers") == 0


def test_no_window_ever_holds_more_than_the_quota() -> None:
    """Wherever the endpoint's windows begin: requests as fast as they are granted."""
    clock = Clock()
    allowance = Allowance("hub", {"api": Quota(10, 60.0)}, clock=clock)
    sent: list[float] = []
    while len(sent) < 100:
        wait_s = allowance.take("api")
        if wait_s == 0:
            sent.append(clock.now)
        clock.now += wait_s or 0.37
    assert all(later - earlier > 60 for earlier, later in zip(sent, sent[10:], strict=False))


def test_processes_share_one_quota(tmp_path: Path) -> None:
    """Through the file; another endpoint or token counts for itself."""
    path, wall = tmp_path / "requests.db", Clock(1e9)
    quota = {"api": Quota(10, 60.0)}
    first = Allowance("hub", quota, path=path, clock=Clock(), wall_clock=wall)
    second = Allowance("hub", quota, path=path, clock=Clock(5.0), wall_clock=wall)
    other = Allowance("mirror", quota, path=path, clock=Clock(), wall_clock=wall)
    assert (taken(first, 7), taken(second, 7), taken(other, 7)) == (7, 3, 7)
    assert 60 <= second.take("api") <= LONGEST_S


@pytest.mark.parametrize("jump_s", [-1e8, -30.0, 1e8])
def test_a_jumping_wall_clock_never_costs_more_than_a_window(jump_s: float, tmp_path: Path) -> None:
    """More than is due; this process's own requests still count by the monotonic clock."""
    wall, clock = Clock(1e9), Clock()
    allowance = Allowance(
        "hub", {"api": Quota(5, 60.0)}, path=tmp_path / "r.db", clock=clock, wall_clock=wall
    )
    assert taken(allowance, 9) == 5
    wall.now += jump_s
    waits_s = [allowance.take("api")]
    for _ in range(2):
        clock.now += waits_s[-1]
        wall.now += waits_s[-1]
        waits_s.append(allowance.take("api"))
    assert 59 < sum(waits_s) <= 2 * LONGEST_S
    assert waits_s[-1] == 0


def test_a_file_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """A damaged file, or a folder in its place: the process counts alone."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "damaged").write_bytes(b"no database" * 100)
    for name in ("folder", "damaged"):
        allowance = Allowance("hub", {"api": Quota(3, 60.0)}, path=tmp_path / name, clock=Clock())
        assert taken(allowance, 5) == 3


def test_an_unknown_endpoint_tells_its_quota() -> None:
    """By the headers of its answers; before the first one nothing is known."""
    clock = Clock()
    allowance = Allowance("mirror", {}, clock=clock)
    assert allowance.take("api") == 0
    policy = '"fixed window";"api";q=20;w=60'
    allowance.learn("api", {"RateLimit": '"api";r=2;t=30', "RateLimit-Policy": policy})
    assert taken(allowance, 9) == 2
    assert 30 <= allowance.take("api") <= 32
    clock.now += 32
    assert taken(allowance, 99) == 20 - 3  # in the sliding window of a minute


@pytest.mark.parametrize(
    "headers",
    [
        {"RateLimit": '"api";r=0;t=999999999'},
        {"RateLimit": '"api";r=0;t=999999999', "RateLimit-Policy": "q=1;w=999999999"},
        {"RateLimit": "r=;t=", "RateLimit-Policy": "q=0;w=0"},
        {"RateLimit": "\x00" * 1000},
    ],
)
def test_absurd_headers_are_capped(headers: dict[str, str]) -> None:
    """No endpoint makes us wait for more than an hour."""
    allowance = Allowance("mirror", {}, clock=Clock())
    allowance.take("api")
    allowance.learn("api", headers)
    assert allowance.take("api") <= 3600 * MARGIN
