"""A search from beginning to end: memory first, then the study, the finals, and the answer."""

import time
from contextlib import ExitStack
from dataclasses import replace

from cache.key import JSONValue, digest
from cache.measurements import Measurements
from cache.paths import Home
from evaluators.hardware import library_versions, machine
from evaluators.samples import Samples
from recommender.assessment import TOO_NOISY
from recommender.bench import Bench, conditions_key
from recommender.hunt import Hunt
from recommender.planning import Declared, Shelf, declare
from recommender.progress import Progress
from recommender.query import Budget, Query
from recommender.recommendation import SCHEMA_VERSION, Plan, Recommendation
from recommender.trial import PASSING


def plan(query: Query, samples: Samples, home: Home, progress: Progress) -> Plan:
    """What a search would do, without doing it."""
    for note in samples.notes:
        progress.say(note)
    with Shelf.open(home, query.sources) as shelf:
        return declare(query, samples, shelf, progress).plan


def answer(
    query: Query,
    samples: Samples,
    *,
    home: Home,
    budget: Budget,
    progress: Progress,
    command: str = "",
) -> Recommendation:
    """The smallest candidate shown to be sufficient, from memory where all of it is known."""
    limit_s = budget.time_limit_s
    stop_at = None if limit_s is None else time.monotonic() + limit_s
    with ExitStack() as stack:
        shelf = stack.enter_context(Shelf.open(home, query.sources))
        store = stack.enter_context(Measurements(home.measurements))
        declared = declare(query, samples, shelf, progress)
        here = machine()
        bench = Bench(
            query=query,
            samples=declared.samples,
            bar=declared.bar,
            home=home,
            store=store,
            sources=shelf.sources,
            methods=declared.methods,
            machine=here,
            progress=progress,
            budget=budget,
            versions=_versions(declared),
            row_keys=tuple(row.key for row in declared.samples.rows),
            conditions=conditions_key(here, query.threads, declared.samples.fingerprint),
            stop_at=stop_at,
        )
        store.record_conditions(bench.conditions, _conditions(bench))
        key = answer_key(bench, declared)
        stored = store.answer(key)
        if stored is not None:
            return replace(Recommendation.from_json(stored).remembered(), command=command)
        for note in samples.notes:
            progress.say(note)
        progress.say(declared.plan.sentence())
        found = Hunt(declared, bench, stack, key, command).finish()
        if found.ended == "complete" and _is_lasting(found):
            store.record_answer(
                key, found.to_json(), samples=samples.fingerprint, question=query.to_json()
            )
        return found


def _versions(declared: Declared) -> dict[str, dict[str, str]]:
    candidates = [*declared.pool.candidates, *filter(None, [declared.baseline])]
    backends = {candidate.recipe.backend for candidate in candidates}
    return {backend: library_versions(backend) for backend in backends}


def _is_lasting(found: Recommendation) -> bool:
    """Whether nothing in the answer was this hour's fault: noise, the network, a worker's end."""
    noisy = any(TOO_NOISY in miss for outcome in found.candidates for miss in outcome.misses)
    return not noisy and all(outcome.state not in PASSING for outcome in found.candidates)


def _conditions(bench: Bench) -> dict[str, object]:
    return {
        "machine": bench.machine.describe(),
        "libraries": dict(bench.machine.libraries),
        "threads": bench.query.threads,
        "samples": bench.samples.fingerprint,
    }


def answer_key(bench: Bench, declared: Declared) -> str:
    """Everything that an answer depends on."""
    keys = [bench.key(candidate) for candidate in declared.pool.candidates]
    baseline = bench.key(declared.baseline) if declared.baseline else None
    left_out = [[o.name, str(o.state), o.reason] for o in declared.pool.left_out]
    asked: list[JSONValue] = [
        declared.query.to_json(),
        declared.samples.fingerprint,
        declared.samples.name,
    ]
    everything: JSONValue = [asked, keys, baseline, left_out, bench.conditions]
    return digest([SCHEMA_VERSION, everything])
