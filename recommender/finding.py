"""A search from beginning to end: memory first, then the study, the finals, and the answer."""

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from cache.key import JSONValue, digest
from cache.measurements import Measurements
from cache.paths import Home
from evaluators.hardware import library_versions, machine
from evaluators.requests import request_of
from evaluators.samples import Samples
from recommender.assessment import EVIDENCE_VERSION, TOO_NOISY
from recommender.bench import Bench, conditions_key
from recommender.builder import is_built
from recommender.costs import CostModel, forecast, spent_key
from recommender.evaluated import record_evaluations, rows_digest
from recommender.gates import Gates
from recommender.planning import Declared, Shelf, declare, nothing_to_try
from recommender.progress import Progress
from recommender.query import Budget, Query
from recommender.recommendation import Plan, Recommendation
from recommender.requirement import Requirement
from recommender.room import Room
from recommender.trial import PASSING

if TYPE_CHECKING:
    from evaluators.quality.custom import Own
    from recommender.hunt import Hunt


def plan(
    query: Query, samples: Samples, home: Home, progress: Progress, budget: Budget | None = None
) -> Plan:
    """What a search would do, without doing it; no ledger is written."""
    query = query.fitted(samples)
    for note in samples.notes:
        progress.say(note)
    budget = budget or Budget()
    with (
        Shelf.open(home, query.sources, disk_mb=budget.disk_mb, say=progress.say) as shelf,
        Measurements(home.measurements) as store,
    ):
        gates = _gates(query, home, budget)
        declared = declare(query, samples, shelf, store, progress, gates=gates, read_only=True)
        if not len(declared.pool):
            return _empty_plan(declared)
        costs = CostModel.learn(store.spent(spent_key(machine(), query.threads)))
        return replace(declared.plan, cost=_forecast(declared, costs))


def _empty_plan(declared: Declared) -> Plan:
    """The plan of a search in which nothing is left to run: its first sentence says so."""
    why = "each candidate was turned down" if declared.pool.left_out else nothing_to_try(declared)
    return replace(
        declared.plan,
        resolution=f"nothing is left to run: {why}",
        cost="nothing, as no candidate is left",
    )


def answer(
    query: Query,
    samples: Samples,
    *,
    home: Home,
    budget: Budget,
    progress: Progress,
    command: str = "",
    n_examples: int = 0,
) -> Recommendation:
    """The smallest candidate shown to be sufficient, from memory where all of it is known.

    With at most `n_examples` rows that it answered wrongly, which are not stored.
    """
    query = query.fitted(samples)
    limit_s = budget.time_limit_s
    stop_at = None if limit_s is None else time.monotonic() + limit_s
    with ExitStack() as stack:
        shelf = stack.enter_context(
            Shelf.open(home, query.sources, disk_mb=budget.disk_mb, say=progress.say)
        )
        store = stack.enter_context(Measurements(home.measurements))
        _remember_source(store, samples)
        gates = _gates(query, home, budget)
        declared = declare(query, samples, shelf, store, progress, gates=gates)
        here = machine()
        bench = Bench(
            query=query,
            samples=declared.samples,
            bar=declared.bar,
            facts=declared.facts,
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
            label_slice=declared.label_slice,
        )
        store.record_conditions(bench.conditions, _conditions(bench))
        key = answer_key(bench, declared)
        stored = store.answer(key)
        if stored is not None:
            store.record_asked(stored, samples=bench.samples.fingerprint, question=query.to_json())
            known = Recommendation.from_json(stored).remembered()
            plan = replace(known.plan, warnings=declared.warnings)  # these change with the hours
            found = replace(known, command=command, plan=plan)
            return _completed(found, declared, bench, n_examples)
        for note in (*samples.notes, *declared.warnings):
            progress.say(note)
        progress.say(declared.plan.sentence())
        found = _searched(declared, bench, stack, key, command, given=samples)
        return _completed(found, declared, bench, n_examples)


def _gates(query: Query, home: Home, budget: Budget) -> Gates:
    """What turns models down here: this machine, its disk, and the budget of this search."""
    return Gates(
        room=Room.here(home.folder),
        max_download_mb=budget.max_download_mb,
        disk_budget_mb=budget.disk_mb,
        on_disk=lambda candidate: is_built(home, candidate, query.task),
    )


def _searched(
    declared: Declared, bench: Bench, stack: ExitStack, key: str, command: str, *, given: Samples
) -> Recommendation:
    """Run the search, and remember its answer as a run, and as the answer where it is lasting.

    `given` are the rows as they were given: the ledger may have left some out.
    """
    from recommender.hunt import Hunt
    from recommender.reply import recommendation_of
    from recommender.runner import Runner

    store = bench.store
    if declared.opened is not None:
        store.ledgers.mark_used(declared.opened.hash)
    costs = CostModel.learn(store.spent(spent_key(bench.machine, bench.query.threads)))
    hunt = Hunt(declared, bench, Runner(stack, costs), key)
    hunt.finish()
    found = recommendation_of(hunt, command)
    text = json.dumps(found.to_dict(), ensure_ascii=False, separators=(",", ":"))
    question = bench.query.to_json()
    fingerprint = bench.samples.fingerprint
    if found.ended == "complete" and _is_lasting(found, bench.query.own):
        store.record_answer(key, text, samples=fingerprint, question=question)
    run = store.record_run(text, samples=fingerprint, question=question)
    record_evaluations(store, found, query=bench.query, rows=rows_digest(given), run=run)
    if len(declared.pool) and bench.query.quality:
        record_frontier(hunt, found)
    return found


def _completed(
    found: Recommendation, declared: Declared, bench: Bench, n_examples: int
) -> Recommendation:
    """The answer with what is not stored, and with what it lacks that an earlier version stored."""
    if found.details and not n_examples:
        return found
    from recommender.details.gathering import Givens, completed, lacks_details
    from recommender.details.mistakes import examples_of

    givens = Givens.again(declared, bench)
    if lacks_details(found):
        found = completed(found, givens, declared.own_data)
    return replace(found, examples=examples_of(found, givens, n_examples, bench.query))


def record_frontier(hunt: "Hunt", found: Recommendation) -> None:
    """Fill the second study, with several objectives, where Optuna was used anyway."""
    if hunt.runner.worker is None:
        return
    from recommender.search.front import FrontPoint, record_front

    metric = hunt.ranking.metric
    spec = hunt.declared.query.spec(metric)
    points = [
        FrontPoint(o.name, spec.gain(quality), latency, size, o.acceptable)
        for o in found.candidates
        if (quality := o.quality(metric)) is not None
        and (latency := o.value("latency_p50_ms")) is not None
        and (size := o.value("size_mb")) is not None
    ]
    record_front(hunt.bench.home.studies, f"{found.data['name']} {hunt.key[:12]} front", points)


def _remember_source(store: Measurements, samples: Samples) -> None:
    """Rows that came from a data set of the Hub are recognised later, also in a local file."""
    if samples.dataset is not None:
        store.ledgers.remember_source([row.key for row in samples.rows], samples.dataset)


def _forecast(declared: Declared, costs: CostModel) -> str:
    texts = [request_of(row) for row in declared.samples.rows]
    texts += declared.samples.corpus.values()  # each candidate reads all documents first
    left = [(candidate, len(texts)) for candidate in declared.pool.candidates]
    row_kb = sum(map(len, texts)) / 1e3 / max(1, len(texts))
    found = forecast(costs, left, download_mb=declared.pool.download_mb, row_kb=row_kb)
    return found.describe()


def _versions(declared: Declared) -> dict[str, dict[str, str]]:
    candidates = [*declared.pool.candidates, *filter(None, [declared.baseline])]
    backends = {candidate.recipe.backend for candidate in candidates}
    return {backend: library_versions(backend) for backend in backends}


def _is_lasting(found: Recommendation, own: Mapping[str, "Own"]) -> bool:
    """Whether nothing in the answer was this hour's fault: noise, the network, a worker's end.

    What was claimed about timings holds under the load that there was: it is timed afresh.
    """
    errors = [name for name, one in own.items() if not one.spec.higher_is_better]
    plan = (Requirement.parse(text, errors=errors) for text in found.plan.requirements)
    if any(requirement.is_timed for requirement in plan):
        return False
    noisy = any(TOO_NOISY in miss for outcome in found.candidates for miss in outcome.misses)
    return not noisy and all(outcome.state not in PASSING for outcome in found.candidates)


def _conditions(bench: Bench) -> dict[str, object]:
    return {
        "machine": bench.machine.describe(),
        "libraries": dict(bench.machine.libraries),
        "threads": bench.query.threads,
        "samples": bench.samples.fingerprint,
    }


ANSWER_VERSION = 2
"""Changes when answers that are stored can be read no more; parts that are added later are filled
in as they are read."""


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
    opened = declared.opened
    ledger: JSONValue = [opened.hash, list(opened.batch_ends)] if opened else None
    everything: JSONValue = [asked, ledger, keys, baseline, left_out, bench.conditions]
    return digest([ANSWER_VERSION, EVIDENCE_VERSION, everything])
