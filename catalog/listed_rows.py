"""A row of the Hub's listing as a model: value by value, with caps; a bad value spoils no other."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any  # the Hub's JSON

from catalog.card import CardFacts
from catalog.config import ConfigFacts
from catalog.hub_rows import COMMIT, read_id
from catalog.model import Model, PublishedResult
from catalog.policy import Refusal
from catalog.untrusted import count, is_deep, mapping, text

LISTED_FIELDS = (
    "author", "cardData", "config", "createdAt", "disabled", "downloads", "gated", "lastModified",
    "library_name", "likes", "model-index", "pipeline_tag", "private", "safetensors", "sha", "tags",
)  # fmt: skip
"""What a listing is asked to `expand`. The file list is too large for millions of models."""

TAGS_READ = 1000
NAMES_LIMIT = 100  # kept tags, languages, data sets... of one model
RESULTS_LIMIT = 200
LABELS_LIMIT = 1000
NO_CONFIG = ConfigFacts()
DTYPES_LIMIT = 50
NAME_LENGTH = 200
KNOWN_TAGS = 10_000
"""Most of a page's tags are among the last so many different ones."""

DTYPE = re.compile(r"[A-Za-z0-9_.]{1,30}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)

FORMAT_TAGS = {
    "safetensors": "safetensors", "onnx": "onnx", "gguf": "gguf", "pytorch": "pickle",
    "joblib": "pickle", "pickle": "pickle",
}  # fmt: skip
"""The format of the weights, by the tag that tells it."""

RELATIONS = ("finetune", "adapter", "quantized", "merge")
ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy"
    " da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu"
    " hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb"
    " lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om"
    " or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw"
    " ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
LANGUAGES = frozenset([*ISO_639_1.split(), "multilingual"])
"""Two letters, and what the Hub says of models of many languages. Longer codes come from cards."""


@dataclass(frozen=True, slots=True)
class Tags:
    """A row's tags, sorted by what they tell; `others` is what no other field holds."""

    license: str | None
    languages: tuple[str, ...]
    base_models: tuple[str, ...]
    datasets: tuple[str, ...]
    formats: tuple[str, ...]
    others: tuple[str, ...]

    @classmethod
    def read(cls, told: object) -> "Tags":
        """Reads the strings of a list."""
        found: dict[str, list[str]] = {}
        for tag in (told if isinstance(told, list) else [])[:TAGS_READ]:
            if isinstance(tag, str) and len(tag) <= NAME_LENGTH:
                kind, value = _sorted(tag)
                found.setdefault(kind, []).append(value)
        return cls(
            license=next(iter(found.get("license", [])), None),
            languages=tuple(found.get("language", [])),
            base_models=tuple(found.get("base_model", [])),
            datasets=tuple(found.get("dataset", [])),
            formats=_names(found.get("format", [])),
            others=_names(found.get("other", [])),
        )


@lru_cache(KNOWN_TAGS)
def _sorted(told: str) -> tuple[str, str]:
    """What a tag tells, and the value."""
    tag = _name(told)
    if tag is None:
        return "nothing", ""
    if tag in LANGUAGES:
        return "language", tag
    if tag in FORMAT_TAGS:
        return "format", FORMAT_TAGS[tag]
    kind, colon, value = tag.partition(":")
    if not colon or not value or kind not in ("license", "dataset", "base_model", "language"):
        return "other", tag
    relation, _, made_from = value.partition(":")
    is_relation = kind == "base_model" and relation in RELATIONS and made_from
    return kind, made_from if is_relation else value


def read_listed(row: object, position: int, source: str) -> Model | Refusal:
    """The model of a listing's row, or why it is none; `position` names a row without an id.

    Wrong, missing or oversized values count as absent. It raises nothing, whatever the row.
    """
    id = read_id(row, position)
    if isinstance(id, Refusal):
        return id
    if is_deep(row):
        return Refusal(id, "corrupt", "the Hub listed it with JSON nested too deeply")
    told = mapping(row)
    revision = told.get("sha")
    is_commit = isinstance(revision, str) and COMMIT.fullmatch(revision)
    card, config = CardFacts.parse(_card(told)), _config(told)
    tags = Tags.read(told.get("tags"))
    task = _name(told.get("pipeline_tag")) or _name(card.task) or config.task
    library = _name(told.get("library_name")) or _name(card.library)
    license = _name(card.license) or _name(tags.license)
    is_few = len(config.labels) <= LABELS_LIMIT
    folded = {task, library, license, config.model_type}
    return Model(
        id=id,
        revision=str(revision) if is_commit else "",
        source=source,
        described=False,
        task=task,
        parameters=_parameters(told.get("safetensors")),
        architecture=_name(config.architecture),
        model_type=_name(config.model_type),
        labels=tuple(label[:NAME_LENGTH] for label in config.labels) if is_few else (),
        label2id=config.label2id if is_few and len(config.label2id) <= LABELS_LIMIT else {},
        n_layers=config.n_layers,
        embedding_parameters=config.embedding_parameters,
        max_length=config.max_length,
        has_remote_code=config.has_remote_code,
        quantization=_name(config.quantization),
        license=license,
        languages=_names([*card.languages, *tags.languages]),
        library=library,
        base_models=_names([*card.base_models, *tags.base_models]),
        datasets=_names([*card.datasets, *tags.datasets]),
        published=_results(card.published),
        downloads=count(told.get("downloads")),
        likes=count(told.get("likes")),
        gated=told.get("gated") in (True, "auto", "manual"),
        disabled=told.get("disabled") is True,
        private=told.get("private") is True,
        author=_name(told.get("author")) or id.rpartition("/")[0] or None,
        tags=tuple(tag for tag in tags.others if tag not in folded),
        formats=tags.formats,
        created_at=_time(told.get("createdAt")),
        last_modified=_time(told.get("lastModified")),
    )


def _card(told: Mapping[str, Any]) -> Mapping[str, Any]:
    card = dict(mapping(told.get("cardData")))
    card["model-index"] = told.get("model-index") or card.get("model-index")
    return card


def _config(told: Mapping[str, Any]) -> ConfigFacts:
    excerpt = mapping(told.get("config"))
    return ConfigFacts.parse(excerpt) if excerpt else NO_CONFIG


def _parameters(told: object) -> dict[str, int]:
    """Values by dtype; what is no dtype's name is left out."""
    found = mapping(mapping(told).get("parameters"))
    return {
        dtype: n
        for dtype, told in islice(found.items(), DTYPES_LIMIT)
        if (n := count(told)) is not None and DTYPE.fullmatch(dtype)
    }


def _results(published: Sequence[PublishedResult]) -> tuple[PublishedResult, ...]:
    return tuple(
        PublishedResult(result.dataset[:NAME_LENGTH], result.metric[:NAME_LENGTH], result.value)
        for result in published[:RESULTS_LIMIT]
    )


def _time(value: object) -> str | None:
    """A time as the Hub writes it, so that times are ordered as texts."""
    return value if isinstance(value, str) and TIME.fullmatch(value) else None


def _name(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > NAME_LENGTH:
        return None
    return value if value.isascii() and value.strip() else text(value)


def _names(values: Sequence[str]) -> tuple[str, ...]:
    """The first of them, each once."""
    if not values:
        return ()
    found = dict.fromkeys([value for value in values if len(value) <= NAME_LENGTH])
    return tuple(found)[:NAMES_LIMIT]
