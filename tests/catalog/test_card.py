"""What a card's front matter tells."""

import time

import pytest

from catalog.card import CardFacts, front_matter, summary
from catalog.model import PublishedResult
from catalog.untrusted import Unreadable

CARD = """---
license: apache-2.0
language: [en, no]
pipeline_tag: text-classification
base_model: demo/teacher
datasets: [glue, imdb]
model-index:
- name: x
  results:
  - dataset: {name: SST-2, type: glue}
    metrics:
    - {type: accuracy, value: 0.91}
    - {type: f1, value: .nan}
    - {type: loss, value: [1]}
---
# A model
"""


def test_a_card_tells_licence_languages_and_origin() -> None:
    """One value and a list are both read; Norwegian is not False."""
    facts = CardFacts.parse(front_matter(CARD))
    assert (facts.license, facts.languages) == ("apache-2.0", ("en", "no"))
    assert (facts.base_models, facts.datasets) == (("demo/teacher",), ("glue", "imdb"))


def test_only_finite_published_results_are_kept() -> None:
    """A NaN or a list in place of a figure is left out."""
    published = CardFacts.parse(front_matter(CARD)).published
    assert published == (PublishedResult("SST-2", "accuracy", 0.91),)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({"license": "mit"}, "mit"),
        ({"license": "other", "license_name": "llama3"}, "llama3"),
        ({"license": "other"}, "other"),
        ({"license": ["mit", "apache-2.0"]}, "mit, apache-2.0"),
        ({"license": {"name": "mit"}}, None),
    ],
    ids=["plain", "named", "other", "several", "wrong type"],
)
def test_the_licence_is_the_most_exact_name(card: dict[str, object], expected: str | None) -> None:
    """`other` gives way to the name beside it."""
    assert CardFacts.parse(card).license == expected


@pytest.mark.parametrize(
    "readme", ["", "# no front matter", "---\nlicense: mit\n", "---\n- a list\n---\n"],
    ids=["empty", "text only", "not closed", "list"],
)  # fmt: skip
def test_a_card_without_front_matter_tells_nothing(readme: str) -> None:
    """A missing or open block is no error."""
    assert front_matter(readme) == {}


@pytest.mark.parametrize(
    "block", ["a: [", "a: !!python/object:os.system {}\nb: *x", "[" * 5000],
    ids=["open", "alias", "deep"],
)  # fmt: skip
def test_broken_front_matter_is_unreadable(block: str) -> None:
    """The error names the file, and no code runs."""
    with pytest.raises(Unreadable, match=r"README\.md"):
        front_matter(f"---\n{block}\n---\n")


SUMMARIES = {
    "after the front matter": (
        f"{CARD}\n[![badge](a)](b)\n\nReads **film** reviews\nin `English`.",
        "Reads film reviews in English.",
    ),
    "without front matter": (
        "Reads [film reviews](https://x.org) in English.",
        "Reads film reviews in English.",
    ),
    "after a comment and code": (
        "<!-- made\n\nby a program -->\n```\n\npip install it now please\n```\n"
        "Reads film reviews in English.",
        "Reads film reviews in English.",
    ),
    "after a table and a list": (
        "| a | b |\n|---|---|\n\n- first of all things here\n\nReads film reviews in English.",
        "Reads film reviews in English.",
    ),
    "html inside": (
        "Reads <b>film</b> reviews in\x1b[2J English.\r\n\r\nMore.",
        "Reads film reviews in [2J English.",
    ),
    "long": ("word " * 200, ("word " * 100)[:499] + "…"),
    "too short": ("# Title\n\nHello.", None),
    "code that never ends": ("```\nReads film reviews in English.", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("readme", "expected"), SUMMARIES.values(), ids=SUMMARIES.keys())
def test_the_summary_is_the_first_prose(readme: str, expected: str | None) -> None:
    """Plain text in one line, whatever stands around it."""
    assert summary(readme) == expected


@pytest.mark.parametrize("part", ["[", "<", "![a](", "```", "<!--", "*_", "# "])
def test_a_hostile_card_is_read_in_time(part: str) -> None:
    """A megabyte of openings that never close takes no second."""
    start = time.perf_counter()
    summary(part * (1_000_000 // len(part)))
    assert time.perf_counter() - start < 1.0
