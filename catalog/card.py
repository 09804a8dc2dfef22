"""What a model's card tells: the YAML front matter of its README.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # front matter is read value by value

import yaml  # type: ignore[import-untyped]  # comes with huggingface_hub, without type information

from catalog.model import PublishedResult
from catalog.untrusted import Unreadable, mapping, number, objects, text, texts

FRONT_MATTER_LIMIT = 1_000_000
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # C is ten times faster
FENCE = "---"


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


def published_results(model_index: object) -> tuple[PublishedResult, ...]:
    """The figures of a `model-index` block that have a data set, a metric and a finite value."""
    found = (
        _published(mapping(result.get("dataset")), metric)
        for entry in objects(model_index)
        for result in objects(entry.get("results"))
        for metric in objects(result.get("metrics"))
    )
    return tuple(result for result in found if result is not None)


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
