"""What an answer promises, and what its reader should know besides."""

from collections.abc import Mapping

from recommender.bench import Bench
from recommender.drift import drift_told
from recommender.evidence.verdict import Verdict
from recommender.finals import timing_promise
from recommender.no_answer import without_answer
from recommender.planning import Declared, nothing_to_try
from recommender.recommendation import Outcome


def promise(
    bench: Bench, declared: Declared, outcomes: list[Outcome], choice: Outcome | None
) -> str:
    """What the answer promises, in words; nothing where nothing was called sufficient."""
    query, plan = bench.query, declared.plan
    asked = " and ".join(str(r) for r in query.quality)
    given = (
        f"if these {plan.n_units:,} units ({plan.estimand}) are independent draws from the inputs "
        "you will meet"
    )
    if not bench.bar.asked:
        estimates = "no quality was asked for: these are estimates, nothing is certified"
        if declared.opened is None or not declared.opened.is_new:
            return estimates
        only = f"these {plan.n_candidates} candidates only"
        return f"{estimates}; from now on 'find' can certify {only} on these labels"
    if not any(outcome.verdict is Verdict.SUFFICIENT for outcome in outcomes):
        return _of_bounds(query.delta, given, outcomes, exact=bench.bar.exact)
    sentence = (
        f"{given}, the chance that any candidate called sufficient truly misses '{asked}' "
        f"is at most {query.delta:.3g}, {_scope(declared)}"
    )
    if not bench.bar.exact:
        sentence += "; approximate: a large-sample bound, not an exact one"
    timed = timing_promise(choice, query) if choice else None
    parts = [sentence, timed, OPTIMISTIC]
    return ". ".join(part for part in parts if part)


def _of_bounds(delta: float, given: str, outcomes: list[Outcome], *, exact: bool) -> str:
    """Without a certificate the bounds are all that is promised, where there are any."""
    nothing = "nothing was called sufficient"
    if not any(claim.lower is not None for outcome in outcomes for claim in outcome.claims):
        return f"{nothing}, so nothing is claimed"
    kind = "" if exact else " (approximate: large-sample bounds, not exact ones)"
    return (
        f"{nothing}; {given}, the chance that any certified bound lies above the true quality is "
        f"at most {delta:.3g}{kind}"
    )


TOGETHER = (
    "several requirements are certified together: their bounds lie at one common distance from the "
    "targets, which the one that is hardest to prove sets; each alone may have a higher bound"
)

COMPLETE = "complete"
"""How a search ends that came to its end."""

OPTIMISTIC = (
    "The estimate of the choice is optimistic, since it was chosen for it; the certified bound is "
    "not. A smaller sufficient model may exist that these labels cannot prove"
)


def _scope(declared: Declared) -> str:
    plan = declared.plan
    if plan.mode == "open":
        return (
            "however the first fifth was searched: it was screened there and certified on the rest"
        )
    return (
        f"however the search looked, stopped or chose among the {plan.n_candidates} declared "
        f"candidates (ledger {plan.ledger[:8]}, order seed {plan.seed})"
    )


def notes(
    benches: Mapping[str, Bench], bench: Bench, declared: Declared, outcomes: list[Outcome],
    *, ended: str = COMPLETE,
) -> list[str]:  # fmt: skip
    """What the reader should know besides the answer.

    `benches` are those that candidates were judged on, by name; the others were on `bench`. `ended`
    is what ended the search.
    """
    found = []
    empty = nothing_to_try(declared)
    if empty:
        found.append(empty)
    if declared.query.quality and not any(outcome.acceptable for outcome in outcomes):
        every = {outcome.name: benches.get(outcome.name, bench) for outcome in outcomes}
        found += without_answer(every, declared, outcomes, complete=ended == COMPLETE)
    if len(declared.query.quality) > 1 and any(outcome.lower is not None for outcome in outcomes):
        found.append(TOGETHER)
    found += declared.warnings
    off = [o for o in outcomes if _prediction_error(o) > 0.05]
    if off:
        worst = max(off, key=_prediction_error)
        found.append(
            f"the size of {len(off)} candidates was predicted more than 5 % off, most of all "
            f"{worst.name}: {worst.predicted_size_mb:.3g} MB predicted, "
            f"{worst.value('size_mb'):.3g} MB measured"
        )
    found += _cut_rows(outcomes)
    found += _drifted_rows(outcomes)
    labelled = declared.query.labelled
    return found + (_constant_predictors(outcomes, declared) if labelled else [])


def _cut_rows(outcomes: list[Outcome]) -> list[str]:
    cut = [(o.value("rows_cut"), o) for o in outcomes if o.value("rows_cut")]
    if not cut:
        return []
    most, worst = max(cut, key=lambda pair: pair[0] or 0.0)
    return [f"{most:.0f} rows were longer than {worst.name} reads, and were cut to its length"]


def _drifted_rows(outcomes: list[Outcome]) -> list[str]:
    """The answers that count are those in batches; served one by one, some would be others."""
    told = [(o, drift_told(o.measurements)) for o in outcomes]
    return [f"{said}: {o.name} is judged by its answers in batches" for o, said in told if said][:3]


def _prediction_error(outcome: Outcome) -> float:
    measured = outcome.value("size_mb")
    return abs(outcome.predicted_size_mb / measured - 1) if measured else 0.0


def _constant_predictors(outcomes: list[Outcome], declared: Declared) -> list[str]:
    samples = declared.samples
    counts = dict.fromkeys(samples.labels, 0)
    for row in samples.rows:
        counts[row.label] += 1
    label, most = max(counts.items(), key=lambda item: item[1])
    scored = [(o, o.value("accuracy")) for o in outcomes]
    below = [o for o, accuracy in scored if accuracy is not None and accuracy < most / samples.n]
    if not below:
        return []
    names = ", ".join(o.name for o in below[:3])
    if declared.query.label_map:
        names += " (is the --label-map swapped?)"
    return [f"worse than always answering '{label}' ({most / samples.n:.3f}): {names}"]
