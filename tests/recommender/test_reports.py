"""What people read: answers and plans that are built by hand, in every format."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cache.evaluations import Ranking
from cache.measurements import Measurements
from evaluators.candidate import Recipe
from evaluators.labels import LabelMap
from evaluators.measurement import Measurement, State
from recommender.assessment import _claim_reason
from recommender.evidence.verdict import Verdict
from recommender.leaderboard import Leaderboard
from recommender.no_answer import lowered_to_pass, without_answer
from recommender.query import Query
from recommender.recommendation import Claim, Outcome, Plan, Recommendation
from recommender.reports import csv as csv_report
from recommender.reports import html, markdown, text
from recommender.reports.figures import at_least, quality, rounded_down
from recommender.reports.points import points_of
from recommender.reports.table import clean, quality_cell, rises, why_not_run
from recommender.requirement import Requirement
from recommender.runs import _told
from recommender.space import Pool
from recommender.trial import recalled_failure

RECIPE = Recipe("torch-int8", "torch", "int8")
COSTS = {
    "size_mb": Measurement("size_mb", 12.3, "MB", 1),
    "latency_p50_ms": Measurement("latency_p50_ms", 4.0, "ms", 100),
}
RATIO = Claim("accuracy / baseline", 0.95, 0.99123, 0.98299, 913)
GAP = Claim("accuracy - baseline", -0.02, -0.0081, -0.0169, 1000)
ACCURACY = Claim("accuracy", 0.85, 0.892, 0.8719, 1000)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever terminal the tests run in, nothing is left out for width."""
    monkeypatch.setenv("COLUMNS", "200")


def outcome(name: str = "good", *claims: Claim, **changes: Any) -> Outcome:
    """A sufficient candidate on 1,000 rows, each a unit."""
    given = {
        "n_rows": 1000, "n_units": 1000, "n_wrong": 108, "claims": claims,
        "labels": LabelMap(("bad", "good"), "by name"), "measurements": COSTS,
        "reason": f"the reason of {name}", **changes,
    }  # fmt: skip
    state, verdict = given.pop("state", State.EVALUATED), given.pop("verdict", Verdict.SUFFICIENT)
    return Outcome(
        f"team/{name}", "0" * 40, "hub", RECIPE, state, verdict, predicted_size_mb=12.0, **given
    )


def plan(*requirements: str, **changes: Any) -> Plan:
    given = {
        "n_rows": 1000, "n_units": 1000, "n_candidates": 3, "n_models": 3, "delta": 0.05,
        "seed": 0, "minimize": "size_mb", "estimand": "distinct texts, each counting once",
        **changes,
    }  # fmt: skip
    return Plan(requirements=requirements, **given)


def answer(asked: Plan, *outcomes: Outcome, chosen: bool = True, **changes: Any) -> Recommendation:
    given = {
        "guarantee": "all is well", "ended": "complete", "data": {"name": "rows"},
        "environment": {}, **changes,
    }  # fmt: skip
    return Recommendation(asked, outcomes[0] if chosen else None, outcomes, **given)


def flat(report: str) -> str:
    """A wrapped report in one line."""
    return " ".join(report.split())


# ---------------------------------------------------------------------- which quality is shown
@pytest.mark.parametrize(("metric", "rising"), [("f1", True), ("wer", False), ("own_error", False)])
def test_where_nothing_is_asked_the_metric_of_the_task_is_shown(metric: str, rising: bool) -> None:
    """In every format, and on the figure; nothing has a verdict then."""
    qualities = {"small": 0.245, "large": 0.249}
    found = answer(
        plan(),
        *(
            outcome(name, on_frontier=True, measurements={
                **COSTS, metric: Measurement(metric, value, "ratio", 1000, value - 0.1, 1.0),
            })
            for name, value in qualities.items()
        ),
        chosen=False, ranking=Ranking(metric, rising),
    )  # fmt: skip
    for shown in (text.render(found), markdown.render(found), html.render(found)):
        assert f"{metric}" in shown.replace("\\", "")
        assert "0.245" in shown
        assert " measured" in shown
    assert [point.quality for point in points_of(found)] == list(qualities.values())
    assert rises(found) is rising
    assert Recommendation.from_json(found.to_json()).ranking == Ranking(metric, rising)


def test_an_error_of_ones_own_can_be_asked_and_shown() -> None:
    """`my_error <= 0.1` is read again from the stored answer, where nothing is known of it."""
    found = answer(plan("my_error <= 0.1"), outcome("good"), chosen=False)
    assert "None of 3 candidates was shown to meet my_error <= 0.1" in flat(text.render(found))
    assert rises(found) is False


def test_the_choice_and_the_baseline_are_named_in_tables() -> None:
    """A baseline outside the pool has a row of its own."""
    found = answer(plan("accuracy >= 0.85"), outcome("good", ACCURACY), outcome("other", ACCURACY),
                   baseline=outcome("reference"))  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(csv_report.render(found))))
    assert [(row["model"], row["role"]) for row in rows] == [
        ("team/good", "choice"), ("team/other", ""), ("team/reference", "baseline"),
    ]  # fmt: skip
    assert list(found.to_pandas()["role"]) == ["choice", "", "baseline"]


@pytest.mark.parametrize(
    "link",
    ["@torvalds", "https://evil.example", "www.evil.example", "me@evil.example", "#12", "gh-12"],
)
def test_no_text_is_a_link_or_a_mention_in_markdown(link: str) -> None:
    """GitHub finds these after Markdown is read, so that an escape alone does not help."""
    shown = markdown.escape(f"see {link}.")
    assert "<!-- -->" in shown
    assert link not in shown.replace("\\", "")
    assert re.sub(r"<!-- -->|\\", "", shown) == f"see {link}."


def test_the_name_of_a_candidate_is_not_broken() -> None:
    """Nobody is mentioned by `model@revision`."""
    assert markdown.escape("team/good@714eb0fa torch-fp32") == "team/good@714eb0fa torch-fp32"


@pytest.mark.parametrize(
    "sign", ["\x9b", "\xad", "\u061c", "\u2060", "\u2028", "\ufff9", "\U000e0041"]
)
def test_signs_that_are_not_seen_are_not_shown(sign: str) -> None:
    """They change direction or width, or hide text; the joiners of some languages stay."""
    assert clean(f"good{sign}name") == "goodname"
    assert clean("می\u200cخواهم") == "می\u200cخواهم"


def test_a_long_leaderboard_is_cut_in_a_terminal() -> None:
    """With how many more there are; the same warning is told once."""
    entries = tuple(outcome(f"m{at}", flags=("noisy timing: 9 %",)) for at in range(50))
    board = Leaderboard("text-classification", "rows", 1000, entries)
    shown = text.render(board)
    assert "and 10 more (all with -v" in shown
    assert "team/m39@" in shown
    assert "team/m40@" not in shown
    assert "team/m0@00000000 torch-int8 and 39 others: noisy timing: 9 %" in flat(shown)
    assert "team/m49@" in text.render(board, verbose=True)


# ---------------------------------------------------------------------- relative claims
@pytest.mark.parametrize(
    ("asked", "claim", "said", "bound"),
    [
        ("accuracy >= 0.95 * baseline", RATIO,
         "accuracy / baseline 0.991 on 913 rows, certified >= 0.982", ">= 0.982"),
        ("accuracy >= baseline - 0.02", GAP,
         "accuracy - baseline -0.008 on 1,000 rows, certified >= -0.017", ">= -0.017"),
    ],
)  # fmt: skip
def test_a_relative_claim_reads_right_in_every_format(
    asked: str, claim: Claim, said: str, bound: str
) -> None:
    """The ratio or the difference is named, and its bound is never rounded up."""
    best = outcome("good", claim)
    found = answer(plan(asked), best)
    report = text.render(found)
    assert said in flat(report)
    assert claim.subject in report.split("\n\n")[1].splitlines()[0]
    row = next(line for line in report.splitlines() if line.startswith("> "))
    assert quality(claim.estimate or 0.0) in row
    assert bound in row
    assert said in markdown.render(found).replace("\\", "")
    rows = list(csv.DictReader(io.StringIO(csv_report.render(found))))
    assert float(rows[0][f"{claim.subject}_estimate"]) == claim.estimate
    assert float(rows[0][f"{claim.subject}_certified"]) == claim.lower
    assert rows[0][f"{claim.subject}_n"] == str(claim.n)
    told = "\n".join(_told(found, best))
    assert f"{claim.subject}: asked >= {claim.target:g}, estimate {claim.estimate:.4f}" in told
    assert f"on {claim.n:,} rows, certified {bound}" in told
    assert f"certified {bound}" in _claim_reason(claim, best)


@pytest.mark.parametrize(
    ("bound", "shown"),
    [(0.98299, 0.982), (0.91, 0.91), (0.9999, 0.999), (-0.0161, -0.017), (-0.017, -0.017), (0, 0)],
)
def test_a_bound_is_never_rounded_up(bound: float, shown: float) -> None:
    """Neither above zero nor below it; what lies on the grid stays."""
    assert rounded_down(bound) == shown
    assert at_least(bound) == f">= {shown:.3f}"
    assert quality(-0.0001) == "0.000"


def test_a_miss_is_said_of_the_quality_that_is_below_its_target_only() -> None:
    """A candidate that misses one of two qualities does not miss the other."""
    recall = Claim("recall[a]", 0.9, 0.6, 0.4, 100)
    missed = outcome("bad", ACCURACY, recall, verdict=Verdict.INSUFFICIENT)
    assert _claim_reason(recall, missed) == "recall[a] 0.6000, shown to miss 0.9"
    assert "shown to miss" not in _claim_reason(ACCURACY, missed)
    undecided = replace(missed, verdict=Verdict.UNDECIDED)
    assert _claim_reason(recall, undecided) == "recall[a] 0.6000, certified >= 0.400, not 0.9"
    open_ = Claim("f1_macro", 0.8, 0.85, 0.8123, 100, exact=False)
    assert _claim_reason(open_, outcome("x", open_)) == (
        "f1_macro 0.8500, certified >= 0.812 (approximate)"
    )


# ---------------------------------------------------------------------- the quality column
WILSON = {**COSTS, "accuracy": Measurement("accuracy", 0.892, "", 1000, 0.871, 0.91)}


def test_the_quality_is_that_of_the_bound_beside_it() -> None:
    """A row metric of another quantity never stands beside the bound."""
    one_class = Claim("f1[a]", 0.7, 0.75, 0.71, 400)
    assert quality_cell(outcome("x", one_class, measurements=WILSON), "f1[a]") == (
        "0.750 on 400 rows"
    )
    assert quality_cell(outcome("x", ACCURACY, measurements=WILSON), "accuracy") == (
        "0.892 [0.871, 0.910]"
    )
    grouped = replace(ACCURACY, n=200)
    assert quality_cell(outcome("x", grouped, n_units=200, measurements=WILSON), "accuracy") == (
        "0.892 on 200 units"
    )
    mean_of_units = replace(ACCURACY, estimate=0.88)
    assert quality_cell(outcome("x", mean_of_units, measurements=WILSON), "accuracy") == (
        "0.880 on 1,000 rows"
    )


def test_without_claims_the_metric_of_the_rows_has_its_interval() -> None:
    """Plain measuring and the leaderboard show accuracy, also from part of the rows."""
    whole = outcome("x", measurements=WILSON)
    part = outcome("y", state=State.RACED_OUT, n_rows=500, n_wrong=50)
    report = text.render(Leaderboard("text-classification", "rows", 1000, (whole, part)))
    assert "accuracy" in report
    assert "0.892 [0.871, 0.910]" in report
    assert "0.900 on 500 rows" in report
    assert "0.892 [0.871, 0.910]" in text.render(answer(plan(), whole, chosen=False))


def test_the_best_recipe_of_a_model_has_the_highest_claim_also_below_zero() -> None:
    """A difference of -0.03 is better than one that is not known."""
    known = outcome("same", replace(GAP, estimate=-0.03), verdict=Verdict.UNDECIDED, reason="known")
    unknown = outcome("same", replace(GAP, estimate=None), reason="unknown", n_wrong=0)
    worse = outcome("same", replace(GAP, estimate=-0.2), reason="worse", n_wrong=1)
    found = answer(plan("accuracy >= baseline - 0.02"), unknown, worse, known, chosen=False)
    assert "3 recipes, the best torch-int8: known" in flat(text.render(found))


# ---------------------------------------------------------------------- what was not run
def not_run(state: State, reason: str = "") -> Outcome:
    return outcome("x", state=state, verdict=Verdict.UNDECIDED, n_rows=0, n_units=0, reason=reason)


LARGER, UNLIKELY = not_run(State.NOT_NEEDED), not_run(State.UNLIKELY)
LATE = not_run(State.SKIPPED_BY_BUDGET, "not reached: time limit")
HEAVY = not_run(State.SKIPPED_BY_BUDGET, "--max-download 5 MB is used up")


@pytest.mark.parametrize(
    ("rest", "changes", "mode", "said"),
    [
        ([LARGER, LARGER, UNLIKELY], {}, "pool",
         "3 more candidates were not run: 2 predicted to have more size_mb than the choice; "
         "1 unlikely to be certified with these labels, or not worth the time"),
        ([LARGER], {}, "pool",
         "1 more candidate was not run: predicted to have more size_mb than the choice"),
        ([LARGER, LARGER], {}, "open",
         "2 more candidates were not run: not needed, as a certificate came first"),
        ([LATE, LATE, HEAVY], {"ended": "time limit"}, "pool",
         "3 more candidates were not run: 2 not reached before the time limit; "
         "1 too much to download (--max-download)"),
        ([LATE], {"ended": "interrupted"}, "pool",
         "1 more candidate was not run: not reached before it was interrupted"),
        ([LARGER, LARGER, HEAVY], {"ended": "download limit"}, "pool",
         "3 more candidates were not run: 2 predicted to have more size_mb than the choice; "
         "1 too much to download (--max-download)"),
        ([], {}, "pool", ""),
    ],
)  # fmt: skip
def test_each_reason_for_not_running_is_said_once(
    rest: list[Outcome], changes: dict[str, Any], mode: str, said: str
) -> None:
    """Counted by how the candidates ended, whatever ended the search."""
    asked = plan("accuracy >= 0.85", mode=mode)
    found = answer(asked, outcome("good", ACCURACY), *rest, **changes)
    assert why_not_run(found) == said
    assert said in flat(text.render(found))
    assert flat(text.render(found)).count("more candidate") == (1 if said else 0)


# ---------------------------------------------------------------------- a plan
def test_a_plan_reads_well() -> None:
    """What is asked, what one draw is, what the ledger covers, and what it would cost, once."""
    asked = plan(
        "accuracy >= 0.85", "size_mb <= 50", n_units=950,
        coverage="these labels are used for the first time",
        resolution="with 950 rows and 3 candidates, a model must truly reach about 0.880",
        cost="up to about 3 min: 540 MB to download, at most 3,000 rows to answer",
        download_mb=540.0, candidates=(("team/\x1b[31mgood", 12.0),),
        left_out=(("team/remote", "remote code", "it would run its own code"),),
    )  # fmt: skip
    report = text.render(asked)
    assert "\x1b" not in report
    assert flat(report) == (
        "Plan: 1,000 rows (950 units), 3 candidates (3 models x recipes); with 950 rows and 3 "
        "candidates, a model must truly reach about 0.880. "
        "Asked: accuracy >= 0.85 and size_mb <= 50; the least size_mb wins; confidence 95 %, mode "
        "pool. Units: distinct texts, each counting once. "
        "Labels: these labels are used for the first time. "
        "Cost: up to about 3 min: 540 MB to download, at most 3,000 rows to answer. "
        "team/[31mgood: 12 MB predicted Left out (1): "
        "team/remote: remote code: it would run its own code"
    )
    fastest = plan("accuracy >= 0.9", minimize="throughput_per_s")
    assert "the most throughput_per_s wins" in text.render(fastest)
    assert "12.5 MB to download" in markdown.render(plan("accuracy >= 0.9", download_mb=12.5))


# ---------------------------------------------------------------------- without an answer
@pytest.mark.parametrize(
    ("asked", "claim", "said"),
    [
        ("accuracy >= 0.95 * baseline", replace(RATIO, lower=0.93561),
         "accuracy >= 0.935 * baseline"),
        ("accuracy within 0.02 of baseline", replace(GAP, lower=-0.0321),
         "accuracy >= baseline - 0.033"),
        ("recall[urgent] >= 0.95", Claim("recall[urgent]", 0.95, 0.96, 0.93, 80),
         "recall[urgent] >= 0.930"),
        ("accuracy >= 0.1", Claim("accuracy", 0.1, 0.1, -0.05, 80), "accuracy >= 0.000"),
    ],
)  # fmt: skip
def test_a_suggested_requirement_is_read_by_find_and_met_by_the_bound(
    asked: str, claim: Claim, said: str
) -> None:
    """In the syntax of requirements, never above what was certified."""
    found = lowered_to_pass(outcome("x", claim), [Requirement.parse(asked)])
    assert found == [said]
    read, lower = Requirement.parse(said), max(claim.lower or 0.0, -1.0)
    bound = -read.bound if read.relative == "minus" else read.bound
    assert bound <= max(lower, 0.0 if not read.relative else -1.0)


@pytest.mark.parametrize("asked", ["f1[a] >= 0.97 * baseline", "f1[a] >= baseline - 0.03"])
def test_a_target_through_the_baselines_upper_bound_is_lowered_on_its_own_scale(asked: str) -> None:
    """The claim is of f1 itself; the suggestion is of the baseline's, and the bound meets it."""
    upper, lower = 0.9, 0.8437
    target = Requirement.parse(asked).target(upper)
    claim = Claim("f1[a]", target, 0.87, lower, 300)
    said = lowered_to_pass(outcome("x", claim), [Requirement.parse(asked)])
    read = Requirement.parse(said[0])
    assert read.relative == Requirement.parse(asked).relative
    assert -0.001 < read.violation(lower, baseline=upper) <= 0


def test_where_one_suggestion_has_no_form_none_is_made() -> None:
    """A factor of 0 is no requirement."""
    asked = [Requirement.parse("accuracy >= 0.85"), Requirement.parse("accuracy >= 0.1 * baseline")]
    none = replace(RATIO, target=0.1, lower=-0.05)
    assert lowered_to_pass(outcome("x", ACCURACY, none), asked) == []


def pool_of(*names: str) -> Pool:
    candidates: Any = tuple(SimpleNamespace(name=name) for name in names)
    return Pool(candidates, ())


def declared_of(*asked: str, mode: str = "pool", names: tuple[str, ...] = ()) -> Any:
    """As much of a declared query as the notes read."""
    return SimpleNamespace(
        query=Query.parse(asked, baseline="team/big"),
        plan=SimpleNamespace(mode=mode),
        pool=pool_of(*names),
        samples=SimpleNamespace(rows=(), labels=("a", "b"), n=400),
        warnings=(),
    )


NEAR = outcome("near", replace(ACCURACY, target=0.9), verdict=Verdict.UNDECIDED)
OVER = outcome(
    "over", replace(ACCURACY, target=0.85), misses=("peak_memory_mb is 90, asked: <= 5",)
)


def without(declared: Any, *outcomes: Outcome, complete: bool = True) -> str:
    silent: Any = SimpleNamespace(judged={}, goal=lambda _: 3.0)
    benches = {one.name: silent for one in outcomes}
    declared.pool = pool_of(*benches)
    return "\n".join(without_answer(benches, declared, outcomes, complete=complete))


def test_a_candidate_over_a_limit_is_not_offered() -> None:
    """Its quality is said, its costs are why it is no answer, and no tolerance is built on it."""
    said = without(declared_of("accuracy >= 0.9", "peak_memory_mb <= 5"), OVER, NEAR)
    first, *rest = said.splitlines()
    assert first.startswith("sufficient in quality, turned down for their costs alone: team/over@")
    assert "peak_memory_mb is 90" in first
    assert "team/over" not in "".join(rest)
    assert "certified all the same, for all of them at once: team/near@" in said
    assert "tolerance of 0.029 there is an answer" in said
    assert "if its costs pass: accuracy >= 0.871" in said
    assert without(declared_of("accuracy >= 0.9"), OVER).startswith("sufficient in quality")
    assert "costs pass" not in without(declared_of("accuracy >= 0.9", "size_mb <= 5"), NEAR)


def test_the_open_mode_offers_no_tolerance() -> None:
    """Its sample answers one question only, so another target is not free."""
    said = without(declared_of("accuracy >= 0.9", mode="open"), NEAR)
    assert "certified all the same" in said
    assert "tolerance" not in said
    assert "new sample" in said


def test_a_search_that_was_cut_short_asks_for_time_and_not_for_labels() -> None:
    """What more labels would do is not known before the others were tried."""
    said = without(declared_of("accuracy >= 0.9"), NEAR, complete=False)
    assert "certified all the same" in said
    assert "more labels" not in said
    assert said.endswith("the same command goes on where it stopped")


def test_a_failure_that_may_pass_says_how_long_it_is_believed(tmp_path: Path) -> None:
    """Another search within the hour does not try again; a failure of the model's own says less."""
    model = SimpleNamespace(id="team/small", revision="0" * 40, source="hub", license=None)
    candidate: Any = SimpleNamespace(model=model, recipe=RECIPE, predicted_size_mb=1.0)
    bench: Any = SimpleNamespace(failure_key=lambda _: "a key")
    with Measurements(tmp_path / "measurements.db") as bench.store:
        bench.store.record_failure("a key", State.CRASHED, "signal 11")
        told = recalled_failure(bench, candidate)
        assert told is not None
        assert told.reason == "signal 11; not tried again for 60 min"
        bench.store.record_failure("a key", State.NO_HEAD, "no head")
        told = recalled_failure(bench, candidate)
        assert told is not None
        assert told.reason == "no head"


def test_timings_from_memory_are_not_told_as_new() -> None:
    """The note on timings says so as well."""
    found = answer(plan("accuracy >= 0.85"), outcome("good", ACCURACY))
    assert "- timings: single" in text.render(found)
    assert "- timings, as measured then: single" in text.render(replace(found, from_memory=True))
