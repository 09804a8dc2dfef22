"""Every example in a docstring runs, offline."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("recommender", "evaluators", "catalog", "cache")
    for file in (ROOT / package).rglob("*.py")
    if ">>> " in file.read_text("utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_every_docstring_example_runs(name: str) -> None:
    """What a docstring shows is what happens."""
    done = doctest.testmod(import_module(name))
    assert done.attempted
    assert not done.failed
