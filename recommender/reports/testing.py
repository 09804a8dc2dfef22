"""Results that are made up, to test and to time reports with; nothing was measured."""

import random
from collections.abc import Callable
from dataclasses import replace
from math import inf

from evaluators.candidate import Recipe
from evaluators.labels import LabelMap
from evaluators.measurement import Measurement, State
from recommender.details.parts import CalibrationBin, ClassQuality, Confusion, Details, SliceQuality
from recommender.evidence.verdict import Verdict
from recommender.frontier import undominated
from recommender.recommendation import Claim, Outcome, Plan, Recommendation

N_ROWS, TARGET = 1_000, 0.90
LABELS = ("negative", "neutral", "positive")
RECIPES = (
    Recipe("onnxruntime-int8", "onnxruntime", "int8"),
    Recipe("torch-fp32", "torch", "fp32"),
    Recipe("openvino-int8", "openvino", "int8"),
)
FAILED = (
    (State.CRASHED, "the worker ended with signal 11"),
    (State.UNSAFE_FORMAT, "its weights are pickled only"),
    (State.TIMED_OUT, "no answer in 300 s"),
)
NOISY = "timings are too noisy to decide: the same candidate in two processes differed"

Name = Callable[[str], str]
"""Makes another text of one that comes from a model or from data."""


def plain(text: str) -> str:
    """The text as it is."""
    return text


def made_up_recommendation(
    n_candidates: int = 40, *, seed: int = 0, named: Name = plain
) -> Recommendation:
    """An answer with every kind of candidate; `named` is given each text of models and data."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    made = [_outcome(draw, place, n_candidates, named) for place in range(n_candidates)]
    outcomes = _on_frontier(made)
    best = next((o for o in outcomes if o.acceptable), None)
    if best is not None:
        outcomes = [_after(best, outcome, named) for outcome in outcomes]
        best = next(o for o in outcomes if o.name == best.name)
    baseline = _baseline(draw, named)
    ties = [o for o in outcomes if o.acceptable and o is not best][:2]
    return Recommendation(
        plan=_plan(outcomes, named),
        choice=best,
        candidates=tuple(outcomes),
        baseline=baseline,
        guarantee=GUARANTEE,
        ended="complete",
        data={
            "name": named("reviews.csv"), "n_rows": N_ROWS, "n_units": N_ROWS,
            "labels": list(map(named, LABELS)), "fingerprint": "ce4b776a7265aef9" * 4,
            "task": {"name": "text-classification", "max_length": 512, "batch_size": 32},
            "positive": None,
        },
        environment={
            "recommender": "0.1.0", "machine": named("a made-up machine, 2 cores"),
            "libraries": {"torch": "2.13.0", "onnxruntime": "1.31.1"}, "threads": 1,
            "elapsed_s": 48.4, "home": "/home/somebody/.cache/recommender",
        },
        search={"reason": "no smaller candidate is left to try", "raced_out": 4, "skipped": 2,
                "excluded": 9, "saved_mb": 812.0},
        ties=tuple(
            f"cannot be told apart in accuracy: {best.name if best else ''} and {tie.name} differ "
            f"by -0.004 [-0.013, +0.006] on {N_ROWS:,} rows"
            for tie in ties
        ),
        notes=(named("843 rows were longer than a model reads"),),
        command=named('recommender find reviews.csv --require "accuracy >= 0.90"'),
        details={o.name: _details(o, named) for o in (best, baseline) if o is not None},
    )  # fmt: skip


GUARANTEE = (
    f"if these {N_ROWS:,} units (distinct texts, each counting once) are independent draws from "
    "the inputs you will meet, the chance that any candidate called sufficient truly misses "
    f"'accuracy >= {TARGET}' is at most 0.05"
)


def _outcome(draw: random.Random, place: int, n: int, named: Name) -> Outcome:
    """Larger ones are better, by and large; one of nine fails, one of nine is raced out."""
    share = (place + 1) / n
    size = 0.05 * 4000**share * draw.uniform(0.8, 1.25)
    truth = 0.80 + 0.14 * share**0.5 + draw.uniform(-0.02, 0.02)
    recipe = RECIPES[place // 2 % len(RECIPES)]
    identity = {
        "model": named(f"team/model-{place:04}"), "revision": f"{place:040x}", "source": "hub",
        "recipe": recipe, "predicted_size_mb": size, "license": named("apache-2.0"),
    }  # fmt: skip
    if place % 9 == 4:
        state, reason = FAILED[place // 9 % len(FAILED)]
        return Outcome(**identity, state=state, verdict=Verdict.UNDECIDED, reason=named(reason))
    raced = truth < 0.86
    n_rows = draw.choice((256, 512, 768)) if raced else N_ROWS
    estimate = round(truth * n_rows) / n_rows
    lower = estimate - 0.8 / n_rows**0.5
    verdict = Verdict.SUFFICIENT if lower >= TARGET else Verdict.UNDECIDED
    if raced and estimate < 0.83:
        verdict = Verdict.INSUFFICIENT
    return Outcome(
        **identity,
        state=State.RACED_OUT if raced else State.EVALUATED,
        verdict=verdict,
        reason=named(f"accuracy {estimate:.4f}, certified >= {lower:.3f}"),
        n_rows=n_rows,
        n_wrong=n_rows - round(estimate * n_rows),
        n_units=n_rows,
        claims=(Claim("accuracy", TARGET, estimate, lower, n_rows),),
        labels=LabelMap(tuple(map(named, LABELS)), "exact names"),
        measurements=_measured(draw, size, estimate, complete=not raced, noisy=place % 7 == 3),
        flags=(named("contamination: its card names the data set 'reviews'"),)
        if place % 8 == 2
        else (),
    )


def _measured(
    draw: random.Random, size: float, estimate: float, *, complete: bool, noisy: bool
) -> dict[str, Measurement]:
    p50 = 0.4 + 0.6 * size**0.5 * draw.uniform(0.8, 1.3)
    note = NOISY if noisy else ""
    found = [
        Measurement("size_mb", size, "MB", 1),
        Measurement("download_mb", 1.4 * size, "MB", 1),
        Measurement("latency_p50_ms", p50, "ms", 124, 0.97 * p50, 1.04 * p50, note),
        Measurement("latency_p95_ms", 1.4 * p50, "ms", 124, 1.3 * p50, 1.6 * p50, note),
    ]
    if complete:
        found.append(Measurement("peak_memory_mb", 60 + 2 * size, "MB", 3))
        half = 1.96 * (estimate * (1 - estimate) / N_ROWS) ** 0.5
        found.append(
            Measurement("accuracy", estimate, "ratio", N_ROWS, estimate - half, estimate + half)
        )
    return {each.name: each for each in found}


def _after(best: Outcome, outcome: Outcome, named: Name) -> Outcome:
    """Candidates far larger than the choice were not run."""
    limit = 6 * best.predicted_size_mb
    if outcome is best or outcome.predicted_size_mb <= limit:
        return outcome
    return Outcome(
        outcome.model, outcome.revision, outcome.source, outcome.recipe, State.NOT_NEEDED,
        Verdict.UNDECIDED, named("not run: more size_mb than the choice"),
        outcome.predicted_size_mb, license=outcome.license,
    )  # fmt: skip


def _on_frontier(outcomes: list[Outcome]) -> list[Outcome]:
    points = [
        (
            -(o.quality("accuracy") or 0.0),
            o.value("size_mb") or inf,
            o.value("latency_p50_ms") or inf,
        )
        for o in outcomes
    ]
    front = undominated(points)
    return [
        replace(outcome, on_frontier=place in front and bool(outcome.claims))
        for place, outcome in enumerate(outcomes)
    ]


def _baseline(draw: random.Random, named: Name) -> Outcome:
    return Outcome(
        named("team/baseline"), "b" * 40, "hub", RECIPES[1], State.EVALUATED, Verdict.SUFFICIENT,
        "measured", 440.0, N_ROWS, 62, N_ROWS, (Claim("accuracy", TARGET, 0.938, None, N_ROWS),),
        named("apache-2.0"), LabelMap(tuple(map(named, LABELS)), "exact names"),
        _measured(draw, 440.0, 0.938, complete=True, noisy=False),
    )  # fmt: skip


def _plan(outcomes: list[Outcome], named: Name) -> Plan:
    return Plan(
        n_rows=N_ROWS, n_units=N_ROWS, n_candidates=len(outcomes), n_models=len(outcomes),
        delta=0.05, seed=0, minimize="size_mb", requirements=(f"accuracy >= {TARGET}",),
        estimand="distinct texts, each counting once", ledger="3901a6dcc9cc5447" * 4,
        resolution=f"with {N_ROWS:,} rows a model must truly reach about 0.93 to be proven",
        left_out=((named("team/gated"), "gated", named("needs access on the Hub")),),
    )  # fmt: skip


def _details(outcome: Outcome, named: Name) -> Details:
    labels = tuple(map(named, LABELS))
    return Details(
        confusion=Confusion(labels, labels, ((310, 20, 3), (25, 290, 18), (2, 21, 311))),
        classes=tuple(ClassQuality(label, 333, 0.92, 0.91, 0.915) for label in labels),
        slices=(SliceQuality(named("lang"), named("de"), 120, 0.88, 0.81, 0.93),),
        calibration=(
            CalibrationBin(0.5, 0.6, 80, 0.56, 0.61), CalibrationBin(0.9, 1.0, 700, 0.97, 0.95),
        ),
        calibration_error=0.021,
        latency_ms={"5": 0.5, "50": 0.6, "95": 0.9, "99": 1.3},
        memory_mb={"runtime": 61.0, "model": 1.2, "working memory": 15.8},
    )  # fmt: skip
