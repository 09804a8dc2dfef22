"""The answer of a search that has ended: every candidate with its bounds, and what is promised."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib.metadata import version

from evaluators.measurement import State
from recommender.assessment import explain, failed, known_bounds, record_bounds
from recommender.details.gathering import Givens, with_details
from recommender.flags import flagged
from recommender.guarantee import notes, promise
from recommender.hunt import Hunt
from recommender.recommendation import Claim, Outcome, Recommendation
from recommender.requirement import STATIC_COSTS
from recommender.space import known_cost
from recommender.ties import compared
from recommender.trial import answers_of
from recommender.walk import on_frontier


def recommendation_of(hunt: Hunt, command: str) -> Recommendation:
    """What the search found, with the certified bounds of everything that was run."""
    declared, bench = hunt.declared, hunt.bench
    best, front = hunt.chosen, on_frontier(hunt.outcomes, hunt.ranking)
    claims = _claims(hunt)
    outcomes = [
        _finished(hunt, index, best, claims, on_frontier=index in front)
        if index in hunt.outcomes
        else _not_run(hunt, index, best)
        for index in range(len(declared.pool))
    ]
    candidates = declared.pool.candidates
    outcomes = [
        flagged(outcome, candidate.model, declared.own_data)
        for outcome, candidate in zip(outcomes, candidates, strict=True)
    ]
    choice = outcomes[best] if best is not None else None
    benches = {candidates[index].name: used for index, used in hunt.benches.items()}
    found = Recommendation(
        plan=replace(declared.plan, exact=bench.bar.exact),
        choice=choice,
        candidates=tuple(outcomes),
        baseline=_flagged_baseline(hunt),
        guarantee=promise(bench, declared, outcomes, choice),
        ended=_end(hunt, outcomes),
        data=_data(hunt),
        environment=_environment(hunt),
        search=asdict(hunt.ending) if hunt.ending else {},
        ties=_ties(hunt, best),
        notes=(
            *declared.samples.notes,
            *declared.units.notes,
            *notes(benches, bench, declared, outcomes, ended=hunt.ended),
        ),
        command=command,
        ranking=replace(hunt.ranking, counts_errors=False),
        from_memory=_is_from_memory(hunt),
    )
    return with_details(found, Givens.of(hunt))


def _is_from_memory(hunt: Hunt) -> bool:
    """Whether the store alone gave what is told; not where the search ended before anything was."""
    is_run = hunt.runner.worker is not None or hunt.runner.measured
    return not is_run and any(outcome.n_rows for outcome in hunt.outcomes.values())


def _flagged_baseline(hunt: Hunt) -> Outcome | None:
    baseline, declared = hunt.baseline, hunt.declared
    if baseline is None or declared.baseline is None:
        return baseline
    return flagged(baseline, declared.baseline.model, declared.own_data)


def _claims(hunt: Hunt) -> dict[int, tuple[Claim, ...]]:
    """The claims of everything that was judged, worked out together for each bench."""
    if not hunt.bench.bar.asked or not hunt.benches:
        return {}
    from recommender.judgement import bounds_of, claims_of

    together: dict[int, list[int]] = {}
    for index, bench in hunt.benches.items():
        if hunt.declared.pool.candidates[index].name in bench.judged:
            together.setdefault(id(bench.bar), []).append(index)
    found: dict[int, tuple[Claim, ...]] = {}
    for indices in together.values():
        bench = hunt.benches[indices[0]]
        candidates = [hunt.declared.pool.candidates[index] for index in indices]
        judged = [bench.judged[candidate.name] for candidate in candidates]
        goals = [bench.goal(candidate) for candidate in candidates]
        pairs = list(zip(candidates, judged, strict=True))
        known = [known_bounds(bench, candidate, j.n_units) for candidate, j in pairs]
        bounds = bounds_of(bench.bar, judged, goals, known)
        for index, (candidate, judgement), each in zip(indices, pairs, bounds, strict=True):
            record_bounds(bench, candidate, judgement.n_units, each)
            found[index] = claims_of(judgement, each)
    return found


def _finished(
    hunt: Hunt, index: int, best: int | None, claims: Mapping[int, tuple[Claim, ...]],
    *, on_frontier: bool,
) -> Outcome:  # fmt: skip
    outcome = replace(hunt.outcomes[index], on_frontier=on_frontier)
    if index in claims and outcome.claims:
        outcome = replace(outcome, claims=claims[index])
        if not outcome.misses:
            outcome = explain(hunt.benches[index], outcome)
    if best is None or index == best or not outcome.acceptable:
        return outcome
    more = f"more {hunt.declared.query.minimize} than the choice"
    return replace(outcome, reason=f"{outcome.reason}, but {more}")


def _not_run(hunt: Hunt, index: int, best: int | None) -> Outcome:
    candidate, minimize = hunt.declared.pool.candidates[index], hunt.declared.query.minimize
    if hunt.ended != "complete":
        return failed(candidate, State.SKIPPED_BY_BUDGET, f"not reached: {hunt.ended}")
    bound = None if best is None else hunt.outcomes[best].value(minimize)
    known = minimize in STATIC_COSTS and bound is not None
    if known and known_cost(candidate, minimize) >= (bound or 0.0):
        cost = f"{minimize} {known_cost(candidate, minimize):.3g}"
        return failed(candidate, State.NOT_NEEDED, f"not run: {cost}, more than the choice")
    if hunt.held_out is not None and best is not None:
        return failed(candidate, State.NOT_NEEDED, "not run: a certificate came first")
    return failed(
        candidate, State.UNLIKELY,
        "not run: by what its neighbours and its metadata say, unlikely to be certified with "
        "these labels, or not worth its time",
    )  # fmt: skip


def _ties(hunt: Hunt, best: int | None) -> tuple[str, ...]:
    """Sufficient candidates that these rows cannot tell from the choice, in accuracy."""
    if best is None or not hunt.bench.bar.asked or hunt.held_out is not None:
        return ()
    if not hunt.bench.query.labelled:
        return ()
    n = hunt.bench.samples.n
    others = [i for i, o in hunt.outcomes.items() if i != best and o.acceptable and o.n_rows == n]
    if hunt.outcomes[best].n_rows < n or not others:
        return ()
    found = compared(
        hunt.outcomes[best].name,
        _right(hunt, best),
        [(hunt.outcomes[index].name, _right(hunt, index)) for index in others],
    )
    return tuple(str(tie) for tie in found if tie.is_tied)


def _right(hunt: Hunt, index: int) -> list[bool]:
    told = answers_of(hunt.bench, hunt.declared.pool.candidates[index])
    answers = hunt.bench.facts.without_scores(told)
    rows = hunt.bench.samples.rows
    return [answer == row.label for answer, row in zip(answers, rows, strict=True)]


def _end(hunt: Hunt, outcomes: list[Outcome]) -> str:
    limited = any("--max-download" in outcome.reason for outcome in outcomes)
    return "download limit" if limited and hunt.ended == "complete" else hunt.ended


def _data(hunt: Hunt) -> dict[str, object]:
    samples = hunt.declared.samples
    published = {"dataset": samples.dataset, "revision": samples.revision}
    return {
        "name": samples.name,
        **(published if samples.dataset else {}),
        "n_rows": samples.n,
        "n_units": hunt.declared.units.n,
        "labels": list(samples.labels),
        "fingerprint": samples.fingerprint,
        "task": hunt.declared.query.task.to_json(),
        "positive": hunt.declared.query.positive,
    }


def _environment(hunt: Hunt) -> dict[str, object]:
    bench = hunt.bench
    return {
        "recommender": version("recommender"),
        "machine": bench.machine.describe(),
        "libraries": dict(bench.machine.libraries),
        "threads": bench.query.threads,
        "elapsed_s": round(hunt.elapsed_s, 2),
        "home": str(bench.home),
    }
