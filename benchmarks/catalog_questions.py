"""Asks a catalog many things, for benchmarks/catalog_speed.py.

python -P benchmarks/catalog_questions.py CATALOG N   prints JSON

Each question is made from facts of a model that is in the catalog, sometimes of two, so that some
have no answer. All sorts, pages of 50. First others are asked, so that the file is in memory, and
the sets that many questions have in common.
"""

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from catalog.model import Model
from catalog.select import SORTS, Selection
from catalog.store import Catalog
from catalog.words import words_in

SEED = 20261122
WARM_UP = 300
SAMPLE = 3_000
Facts = dict[str, Any]


def main(path: str, n_questions: str) -> None:
    with Catalog(Path(path)) as store:
        models = sample(store)
        answers = {
            "filters": ask(store, models, int(n_questions), by_filters),
            "words": ask(store, models, int(n_questions), by_words),
        }
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({**answers, "rss_mb": rss_mb}))


def sample(store: Catalog) -> list[Model]:
    """Well-known models and unknown ones: the first by several sorts, and some of every month."""
    known = [
        store.select(Selection(sort=s, limit=SAMPLE // 6)) for s in ("downloads", "likes", "id")
    ]
    everyday = [
        store.select(Selection(sort="newest", limit=SAMPLE // 12, offset=store_share(store, part)))
        for part in range(6)
    ]
    return [model for models in (*known, *everyday) for model in models]


def store_share(store: Catalog, part: int) -> int:
    return store.count(Selection()) * part // 6


def ask(
    store: Catalog, models: Sequence[Model], n: int, make: Callable[..., Selection]
) -> dict[str, Any]:
    """Milliseconds to select and to count, and how many were found, question by question."""
    draw = random.Random(SEED)
    for _ in range(WARM_UP):
        store.select(make(draw, models))
    asked = [make(draw, models) for _ in range(n)]
    select_ms, count_ms, found = [], [], []
    for selection in asked:
        start = time.perf_counter()
        n_found = len(store.select(selection))
        middle = time.perf_counter()
        store.count(selection)
        select_ms.append(1e3 * (middle - start))
        count_ms.append(1e3 * (time.perf_counter() - middle))
        found.append(n_found)
    slowest = sorted(range(n), key=lambda at: -select_ms[at])[:20]
    return {
        "select_ms": select_ms,
        "count_ms": count_ms,
        "found": found,
        "slowest": [(round(select_ms[at], 1), given(asked[at])) for at in slowest],
    }


def by_filters(draw: random.Random, models: Sequence[Model]) -> Selection:
    """One to four filters, any sort but relevance."""
    facts = some_facts(draw, models, draw.choice((1, 1, 2, 2, 3, 4)))
    sort = draw.choice([name for name in SORTS if name != "relevance"])
    return Selection(**facts, sort=sort, offset=draw.choice((0, 0, 0, 50)))


def by_words(draw: random.Random, models: Sequence[Model]) -> Selection:
    """One to three words of a model, up to two filters; half of them by relevance."""
    model = draw.choice(models)
    known = words_in(f"{model.id} {' '.join(model.tags)} {' '.join(model.labels)}")
    words = draw.sample(known, min(len(known), draw.choice((1, 2, 2, 3))))
    facts = some_facts(draw, [model, *models], draw.choice((0, 0, 1, 2)))
    sort = draw.choice(("relevance", draw.choice(SORTS)))
    return replace(Selection(**facts, search=" ".join(words)), sort=sort)


def some_facts(draw: random.Random, models: Sequence[Model], n: int) -> Facts:
    """Filters that one model passes; in one of seven, the last may be another model's."""
    first, other = draw.choice(models), draw.choice(models)
    kinds = draw.sample(list(FACTS), len(FACTS))
    facts: Facts = {}
    for kind in kinds:
        of = other if len(facts) == n - 1 and draw.random() < 1 / 7 else first
        if len(facts) < n:
            facts |= FACTS[kind](draw, of)
    return facts


def given(selection: Selection) -> Facts:
    """What a selection asks for, without the defaults."""
    plain = Selection()
    names = Selection.__slots__
    return {
        name: getattr(selection, name)
        for name in names
        if getattr(selection, name) != getattr(plain, name)
    }


def _about(draw: random.Random, value: int | None, name: str, factor: float) -> Facts:
    return {} if value is None else {name: int(value * factor * (1 + draw.random()))}


FACTS: dict[str, Callable[[random.Random, Model], Facts]] = {
    "task": lambda _, m: {"task": m.task} if m.task else {},
    "task again": lambda _, m: {"task": m.task} if m.task else {},
    "language": lambda _, m: {"languages": m.languages[:1]} if m.languages else {},
    "license": lambda d, m: (
        {"licenses": (m.license, d.choice(("mit", "gemma")))} if m.license else {}
    ),
    "library": lambda _, m: {"libraries": (m.library,)} if m.library else {},
    "author": lambda _, m: {"authors": (m.id.partition("/")[0],)} if "/" in m.id else {},
    "format": lambda _, m: {"formats": m.formats[:1]} if m.formats else {},
    "size": lambda d, m: _about(d, m.weight_bytes, "max_bytes", 1),
    "parameters": lambda d, m: _about(d, m.n_parameters, "max_parameters", 1),
    "least": lambda d, m: _about(d, m.n_parameters, "min_parameters", 0.3),
    "labels": lambda d, m: (
        {"labels": m.labels, "label_match": d.choice(("normalised", "superset"))}
        if m.labels
        else {}
    ),
    "base": lambda _, m: {"derived_from": m.base_models[0]} if m.base_models else {},
    "data": lambda _, m: {"trained_on": m.datasets[0]} if m.datasets else {},
    "result": lambda _, m: {"published_on": m.published[0].dataset} if m.published else {},
    "gated": lambda _, m: {"gated": m.gated},
    "since": lambda _, m: {"since": m.last_modified[:10]} if m.last_modified else {},
}
"""What may be asked for, from what a model tells."""


if __name__ == "__main__":
    main(*sys.argv[1:])
