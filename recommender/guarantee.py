"""What an answer promises, and what its reader should know besides."""

from evaluators.samples import Samples
from recommender.bench import Bench
from recommender.evidence.verdict import Verdict
from recommender.planning import Declared, nothing_to_try
from recommender.recommendation import Outcome


def promise(bench: Bench, outcomes: list[Outcome], used_before: int) -> str:
    """What the answer promises, in words; nothing where nothing was called sufficient."""
    bar, query = bench.bar, bench.query
    asked = " and ".join(str(r) for r in query.quality)
    if not bar.targets:
        return "no quality was asked for: these are estimates, nothing is proven"
    if not bar.proven:
        return f"'{asked}' was decided by estimates on {bar.n_rows:,} rows: estimate, not proven"
    if not any(outcome.verdict is Verdict.SUFFICIENT for outcome in outcomes):
        return "nothing was called sufficient, so nothing is claimed"
    sentence = (
        f"if these {bar.n_rows:,} rows are independent draws from the inputs you will meet, the "
        f"chance that any candidate called sufficient truly misses '{asked}' is at most "
        f"{query.delta:.3g} (exact binomial bounds at {query.delta:.3g}/{len(outcomes)} each)"
    )
    repeats = len(bench.row_keys) - len(set(bench.row_keys))
    if repeats:
        sentence += f"; {repeats:,} of them repeat a text, and repeats are no new evidence"
    if used_before:
        sentence += "; the guarantee covered the first search on these labels, this is a later one"
    return sentence


def notes(outcomes: list[Outcome], declared: Declared) -> list[str]:
    """What the reader should know besides the answer."""
    found = []
    empty = nothing_to_try(declared)
    if empty:
        found.append(empty)
    if declared.query.quality and not any(outcome.acceptable for outcome in outcomes):
        found += _closest(outcomes, declared)
    off = [o for o in outcomes if _prediction_error(o) > 0.05]
    if off:
        worst = max(off, key=_prediction_error)
        found.append(
            f"the size of {len(off)} candidates was predicted more than 5 % off, most of all "
            f"{worst.name}: {worst.predicted_size_mb:.3g} MB predicted, "
            f"{worst.value('size_mb'):.3g} MB measured"
        )
    return found + _cut_rows(outcomes) + _constant_predictors(outcomes, declared.samples)


def _closest(outcomes: list[Outcome], declared: Declared) -> list[str]:
    """The best that was seen, and what could be done next."""
    metric = declared.query.quality[0].measure
    scored = [(quality, o) for o in outcomes if (quality := o.quality(metric)) is not None]
    if not scored:
        return []
    quality, best = max(scored, key=lambda pair: pair[0])
    return [
        f"the closest was {best.name} with {metric} {quality:.3f} on {best.n_rows:,} rows; "
        "lower the target, label more rows, or add models (--source, --max-candidates)"
    ]


def _cut_rows(outcomes: list[Outcome]) -> list[str]:
    cut = [(o.value("rows_cut"), o) for o in outcomes if o.value("rows_cut")]
    if not cut:
        return []
    most, worst = max(cut, key=lambda pair: pair[0] or 0.0)
    return [f"{most:.0f} rows were longer than {worst.name} reads, and were cut to its length"]


def _prediction_error(outcome: Outcome) -> float:
    measured = outcome.value("size_mb")
    return abs(outcome.predicted_size_mb / measured - 1) if measured else 0.0


def _constant_predictors(outcomes: list[Outcome], samples: Samples) -> list[str]:
    counts = dict.fromkeys(samples.labels, 0)
    for row in samples.rows:
        counts[row.label] += 1
    label, most = max(counts.items(), key=lambda item: item[1])
    scored = [(o, o.value("accuracy")) for o in outcomes]
    below = [o for o, accuracy in scored if accuracy is not None and accuracy < most / samples.n]
    if not below:
        return []
    names = ", ".join(o.name for o in below[:3]) + " (is a --label-map swapped?)"
    return [f"worse than always answering '{label}' ({most / samples.n:.3f}): {names}"]
