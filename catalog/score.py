"""How promising a model looks from its metadata alone: an order to look at models in, no evidence.

score = .35 D + .15 L + .25 P + .15 F + .10 R, each part between 0 and 1:

* D, downloads d: log10(1 + d) / 8, so 10^8 or more is 1; .5 where they are not known
* L, likes l: log10(1 + l) / 5, so 10^5 or more is 1; .3
* P, published results: (.8 + the sum of n results) / (1 + n), results as shares of 1
* F, family: how its base-sized model does on MNLI, .82 as 0 and .92 as 1; .3
* R, recency: when it was made, 2018 as 0 and 2038 as 1; .3

The dates are absolute, so a stored score stays comparable with one that is worked out years later.
`candidate_score` adds how well the labels match those that are asked for: from + .25 for the same
names to - .25 for others.

The weights, the ranges and the values of what is not known are our own choice: nothing was fitted,
and nothing depends on them but the order of the search and the parts of delta
(recommender/evidence/weights.py), never a verdict.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import log10
from types import MappingProxyType

from catalog.model import Model, PublishedResult

PARTS: Mapping[str, float] = MappingProxyType(
    {"downloads": 0.35, "likes": 0.15, "published": 0.25, "family": 0.15, "recency": 0.10}
)
"""The weight of each part; they sum to 1."""

UNKNOWN: Mapping[str, float] = MappingProxyType(
    {"downloads": 0.5, "likes": 0.3, "published": 0.8, "family": 0.3, "recency": 0.3}
)
"""Each part where nothing is known of it: 10^4 downloads, 30 likes, results of .8, made in 2024.
A published result is weighed against one of that value."""

QUALITY_METRICS = frozenset(
    {"accuracy", "f1", "precision", "recall", "balanced_accuracy", "matthews_correlation",
     "roc_auc", "f1_macro", "f1_micro", "f1_weighted", "exact_match"}
)  # fmt: skip
"""Metrics that lie between 0 and 1, the higher the better."""

MNLI: Mapping[str, float] = MappingProxyType(
    {
        "distilbert": 0.822, "bert": 0.846, "albert": 0.846, "xlnet": 0.868, "roberta": 0.876,
        "mpnet": 0.885, "electra": 0.888, "deberta": 0.888, "modernbert": 0.891,
        "deberta-v2": 0.906,
    }
)  # fmt: skip
"""Accuracy on MNLI (matched) of a family's model of base size, by config.json's `model_type`.

DistilBERT: Sanh et al. 2019, table 1. BERT: Devlin et al. 2019, table 1. ALBERT v2: its repository.
XLNet, RoBERTa, ELECTRA, DeBERTa, DeBERTaV3 (whose type is deberta-v2): the DeBERTaV3 base card.
MPNet: Song et al. 2020. ModernBERT: Warner et al. 2024.
"""

FIRST_YEAR, LAST_YEAR = 2018, 2038
MATCH_EFFECT = 0.5
MADE_UP = re.compile(r"(label[_ ]?)?\d+")


def stored_score(model: Model) -> float:
    """The score without the query's labels, between 0 and 1; as the catalog stores it."""
    return sum(weight * part(model, name) for name, weight in PARTS.items())


def candidate_score(
    model: Model, *, labels: Sequence[str] = (), metric: str | None = None
) -> float:
    """The score for a query: results in its metric before others, and how well the labels match.

    Between -.25 and 1.25. Leave results and popularity that were earned on the query's own data
    out of the model before (`without_own` of recommender.evidence.weights).
    """
    asked = [result for result in model.published if result.metric.lower() == metric]
    other = stored_score(model) - PARTS["published"] * part(model, "published")
    published = asked or model.published
    score = other + PARTS["published"] * _published(published)
    return score + MATCH_EFFECT * (label_match(model, labels) - 0.5) if labels else score


def standing(model: Model) -> float:
    """How much more than nothing the metadata says for a model, published results apart.

    Between -1 and 1, 0 where nothing is known: what a belief about quality may add to size and
    results, which it weighs by itself.
    """
    parts = {name: weight for name, weight in PARTS.items() if name != "published"}
    surplus = sum(weight * (part(model, name) - UNKNOWN[name]) for name, weight in parts.items())
    return surplus / sum(parts.values())


def part(model: Model, name: str) -> float:
    """One part of the score, between 0 and 1, by its name in PARTS."""
    found = _told_part(model, name)
    return UNKNOWN[name] if found is None else found


def label_match(model: Model, labels: Sequence[str]) -> float:
    """How well a model's label names match: 1 the same, .9 but for case and signs, .8 where it has
    more, .5 not known or made up (LABEL_0) of the right number, else 0."""
    ours, theirs = set(labels), set(model.labels)
    if not theirs:
        return 0.5
    if ours == theirs:
        return 1.0
    plain, known = {_plain(name) for name in ours}, {_plain(name) for name in theirs}
    if plain == known:
        return 0.9
    if plain < known:
        return 0.8
    made_up = all(MADE_UP.fullmatch(name.casefold()) for name in theirs)
    return 0.5 if made_up and len(theirs) == len(ours) else 0.0


def share(value: float) -> float | None:
    """A result as a share of 1, read as percent above that; None beyond."""
    found = value if value <= 1 else value / 100
    return found if 0 <= found <= 1 else None


def _told_part(model: Model, name: str) -> float | None:
    if name == "downloads":
        return _logarithmic(model.downloads, powers=8)
    if name == "likes":
        return _logarithmic(model.likes, powers=5)
    if name == "published":
        return _published(model.published)
    if name == "family":
        return _family(model.model_type)
    return _recency(model.created_at or model.last_modified)


def _published(results: Sequence[PublishedResult]) -> float:
    told = [share(r.value) for r in results if r.metric.lower() in QUALITY_METRICS]
    known = [value for value in told if value is not None]
    return (UNKNOWN["published"] + sum(known)) / (1 + len(known))


def _logarithmic(n: int | None, *, powers: int) -> float | None:
    return None if n is None else min(1.0, log10(1 + max(0, n)) / powers)


def _family(model_type: str | None) -> float | None:
    found = MNLI.get((model_type or "").lower())
    return None if found is None else (found - 0.82) / 0.10


def _recency(made: str | None) -> float | None:
    """By the day it was made, else when it changed: a card that is edited is no newer model."""
    try:
        moment = datetime.fromisoformat(made or "")
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    years = (moment - datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)).days / 365.25
    return min(1.0, max(0.0, years / (LAST_YEAR - FIRST_YEAR)))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
