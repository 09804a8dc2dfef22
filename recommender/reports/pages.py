"""Pages of HTML that stand alone: one file, no network, and a policy that lets nothing else run.

Everything that comes from models and data is escaped by the templates. Styles and script are
inline, named by their hashes in the page's content security policy (W3C, Content Security Policy
Level 3), so that no other script and no inline style can act.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from recommender.reports.colours import COLOURS, DARK
from recommender.reports.table import clean

STYLES, SCRIPT = "page.css", "page.js"
BRAND = Markup('<p class="brand">recommender</p>')


@cache
def environment() -> Environment:
    """Templates that escape what they are given, and fail on what they are not given."""
    made = Environment(
        loader=PackageLoader("recommender.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_without_controls,
    )
    made.globals.update(policy=policy, brand=BRAND, styles=_styles(), script=_asset(SCRIPT))
    return made


def page(template: str, **values: Any) -> str:
    """A whole page."""
    return environment().get_template(template).render(**values)


def with_links(made: str, links: Mapping[str, str]) -> str:
    """A page as part of several: links to others in its head, their addresses by name.

    What comes from models and data is escaped, so only our own head can be what is replaced.
    """
    items = Markup("").join(
        Markup('<a href="{}">{}</a>').format(address, name) for name, address in links.items()
    )
    return made.replace(BRAND, f'{BRAND}\n<nav aria-label="Pages">{items}</nav>', 1)


@cache
def policy() -> str:
    """What a page may do: use its own styles and script, and images that it carries."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(_styles())}'",
            f"script-src '{_hash(_asset(SCRIPT))}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


@cache
def _asset(name: str) -> Markup:
    text = files("recommender.reports").joinpath("assets", name).read_text("utf-8")
    return Markup(text)  # noqa: S704 - our own file


@cache
def _styles() -> Markup:
    """The styles of a page, behind the colours that it shares with the figures."""
    dark = Markup("@media (prefers-color-scheme: dark) {{ {} }}").format(_variables(DARK))
    return Markup("\n").join((_variables(COLOURS), dark, _asset(STYLES)))


def _variables(colours: Mapping[str, str]) -> Markup:
    lines = " ".join(f"--{name}: {colour};" for name, colour in colours.items())
    return Markup(f":root {{ {lines} }}")  # noqa: S704 - our own colours


def _hash(content: Markup) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _without_controls(value: Any) -> Any:
    """Text without control characters and marks that turn the direction of writing."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return clean(value)
    return value
