"""What a model's card tells: the YAML front matter of its README.md."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # front matter is read value by value

import yaml  # type: ignore[import-untyped]  # comes with huggingface_hub, without type information

from catalog.model import PublishedResult
from catalog.untrusted import Unreadable, mapping, number, objects, text, texts

FRONT_MATTER_LIMIT = 1_000_000
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # C is ten times faster
FENCE = "---"
NOT_PROSE = re.compile(r"^```.*?(?:^```|\Z)|<!--.*?(?:-->|\Z)|^#.*?$", re.DOTALL | re.MULTILINE)
"""Code, comments and headings, which end a paragraph."""

STRUCTURE = ("- ", "* ", "+ ", "|", ">", "<", "![", "[![", "$$", "1.")
"""How lists, tables, quotes, HTML, pictures and formulas start."""

LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,500}\)")
TAG = re.compile(r"<[^<>]{0,300}>")
EMPHASIS = re.compile(r"[*`]|\b_|_\b")
SUMMARY_LIMIT = 500
SUMMARY_SHORTEST = 20
SUMMARY_READ = 5_000


@dataclass(frozen=True, slots=True)
class CardFacts:
    """The part of a card that the catalog keeps; each field is as in Model."""

    task: str | None = None
    license: str | None = None
    languages: tuple[str, ...] = ()
    library: str | None = None
    base_models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    published: tuple[PublishedResult, ...] = ()

    @classmethod
    def parse(cls, card: Mapping[str, Any]) -> "CardFacts":
        """Reads what is there; values of a wrong type count as absent."""
        return cls(
            task=text(card.get("pipeline_tag")),
            license=_license(card),
            languages=texts(card.get("language")),
            library=text(card.get("library_name")),
            base_models=texts(card.get("base_model")),
            datasets=texts(card.get("datasets")),
            published=published_results(card.get("model-index")),
        )


def front_matter(readme: str) -> Mapping[str, Any]:
    """The card's metadata, every scalar as text; empty without front matter. Raises Unreadable.

    Scalars stay text because YAML 1.1 reads the language `no` as False.
    """
    head = readme[:FRONT_MATTER_LIMIT].lstrip("\ufeff").replace("\r\n", "\n")
    opening, _, rest = head.partition("\n")
    if opening.rstrip() != FENCE:
        return {}
    block, closed, _ = f"\n{rest}".partition(f"\n{FENCE}")
    if not closed:
        return {}
    try:
        return mapping(yaml.load(block, Loader=LOADER))  # noqa: S506  # builds text only
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unreadable("README.md: its front matter is not YAML") from error


def summary(readme: str) -> str | None:
    """The card's first paragraph of prose as plain text, at most 500 characters."""
    body = readme[:FRONT_MATTER_LIMIT].replace("\r\n", "\n")
    if body.lstrip("\ufeff").startswith(FENCE):
        body = body.partition(f"\n{FENCE}")[2].partition("\n")[2]
    for paragraph in NOT_PROSE.sub("\n\n", body).split("\n\n"):
        plain = _plain(paragraph[:SUMMARY_READ])
        is_prose = not paragraph.lstrip().startswith(STRUCTURE)
        if is_prose and len(plain) >= SUMMARY_SHORTEST:
            return plain[: SUMMARY_LIMIT - 1] + "…" if len(plain) > SUMMARY_LIMIT else plain
    return None


def published_results(model_index: object) -> tuple[PublishedResult, ...]:
    """The figures of a `model-index` block that have a data set, a metric and a finite value."""
    if not model_index:
        return ()
    found = (
        _published(mapping(result.get("dataset")), metric)
        for entry in objects(model_index)
        for result in objects(entry.get("results"))
        for metric in objects(result.get("metrics"))
    )
    return tuple(result for result in found if result is not None)


def _plain(paragraph: str) -> str:
    bare = EMPHASIS.sub("", TAG.sub("", LINK.sub(r"\1", paragraph)))
    return " ".join("".join(c if c.isprintable() else " " for c in bare).split())


def _published(dataset: Mapping[str, Any], metric: Mapping[str, Any]) -> PublishedResult | None:
    name = text(dataset.get("name")) or text(dataset.get("type"))
    kind = text(metric.get("type")) or text(metric.get("name"))
    value = number(metric.get("value"))
    if name is None or kind is None or value is None:
        return None
    return PublishedResult(dataset=name, metric=kind, value=value)


def _license(card: Mapping[str, Any]) -> str | None:
    named = ", ".join(texts(card.get("license"))) or None
    return (text(card.get("license_name")) or named) if named in (None, "other") else named
