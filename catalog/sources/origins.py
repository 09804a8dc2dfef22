"""Whose address is this, and who else reads what is sent there? No network library is imported."""

from urllib.parse import urlsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

SHUT = frozenset({401, 403, 404})
"""What a Hub answers to a stranger of what is private or gated."""

Origin = tuple[str, str | None, int | None]


def origin_of(url: str) -> Origin:
    """Scheme, host and port; a port of -1 is no number."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:  # no number
        port = -1
    return parts.scheme, parts.hostname, port


def is_private(url: str) -> bool:
    """Whether nobody on the way reads what is sent there."""
    scheme = urlsplit(url).scheme
    return scheme == "https" or (scheme == "http" and is_loopback(url))


def is_loopback(url: str) -> bool:
    """Whether it is this machine."""
    return urlsplit(url).hostname in LOOPBACK_HOSTS
