"""The error ledger: shares that sum to one, what later questions cost, and the adversary."""

import json
import subprocess
import sys
from dataclasses import replace
from math import exp, isclose

import numpy as np
import pytest
from scipy.stats import binom, norm

from cache.errors import BadInput
from recommender.evidence.ledger import (
    NEWCOMERS_SCALE,
    WITH_REFERENCE,
    Case,
    Ledger,
    Line,
    Question,
    Reference,
    Reserves,
    menu_of,
)
from recommender.evidence.wealth import log_wealth

LINES = (Line("a", "small", 0.5), Line("b", "large", 0.3), Line("c", "larger", 0.2))
ACCURACY = Question(("accuracy",), (0.9,))
BOTH = Question(("accuracy", "recall[urgent]"), (0.9, 0.95))
RATIO = Question(("f1",), (0.97,), Reference("base", "the baseline", ("f1",)))


def ledger(question: Question = ACCURACY, **changes: object) -> Ledger:
    declared = {
        "delta": 0.05,
        "seed": 0,
        "duplicates": "drop",
        "group": None,
        "mode": "pool",
        "question": question,
        "menu": menu_of(question.conditions, ("precision", "recall")),
        "lines": LINES,
        "scope": "{}",
        "order": "rows",
        "reserves": WITH_REFERENCE if question.reference else Reserves(),
    }
    return Ledger(**(declared | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("question", [ACCURACY, BOTH, RATIO], ids=["one", "joint", "ratio"])
def test_all_shares_sum_to_one(question: Question) -> None:
    """Pool, newcomers without end, menu, reference and other orders together spend delta once."""
    declared = ledger(question)
    first = question.conditions[0]
    pool = sum(declared.share(line.key, first) or 0 for line in LINES)
    menu = sum(
        declared.share(line.key, name, Question((name,), (0.5,))) or 0
        for line in LINES
        for name in declared.menu
    )
    slots = [
        declared.newcomer_share(rank, first, later=later) or 0
        for rank in range(1, 5001)
        for later in (False, True)
    ]
    rest = declared.reserves.newcomers * NEWCOMERS_SCALE / (NEWCOMERS_SCALE + len(slots))
    reference = declared.reference_share(first) or 0
    reordered = sum(declared.reordered_share(line.key, first) or 0 for line in LINES)
    total = pool + menu + sum(slots) + rest + reference + reordered
    assert isclose(total, 1.0, abs_tol=1e-12)


def test_the_first_newcomers_cost_little() -> None:
    """At 200 candidates the first newcomer has a quarter of an equal share, the 50th a 35th."""
    declared = ledger(lines=tuple(Line(str(i), str(i), 1 / 200) for i in range(200)))
    equal = declared.share("0", "accuracy")
    shares = [declared.newcomer_share(rank, "accuracy") for rank in (1, 50)]
    assert equal == pytest.approx(0.004)
    assert shares == pytest.approx([0.05 / 51, 0.05 * 50 / (148 * 149)])


def test_a_goal_is_what_the_share_of_delta_must_reach() -> None:
    """Wealth 1/alpha_j, with alpha_j = weight x part of the pool x delta."""
    declared = ledger()
    assert exp(-(declared.goal(declared.share("a", "accuracy")) or 0)) == pytest.approx(0.02)
    assert declared.goal(None) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"lines": (*LINES, Line("d", "one too many", 0.01))},
        {"lines": (*LINES[:2], Line("a", "twice", 0.1))},
        {"lines": (Line("a", "negative", -0.1), Line("b", "large", 1.05))},
        {"delta": 0.0},
        {"menu": ("recall", "recall")},
        {"question": BOTH, "menu": ("recall",)},
        {"question": RATIO},
        {"reserves": WITH_REFERENCE},
    ],
    ids=["sum", "key twice", "negative", "delta", "menu", "joint", "no reserve", "no reference"],
)
def test_what_could_spend_delta_twice_is_refused(broken: dict[str, object]) -> None:
    """A ledger cannot be made whose shares do not add up."""
    with pytest.raises(ValueError, match=r"weight|delta|menu|reference"):
        ledger(**{"reserves": Reserves()} | broken)  # type: ignore[arg-type]


def test_reserves_beyond_one_are_refused() -> None:
    """The split of delta is checked by itself."""
    with pytest.raises(ValueError, match="more than 1"):
        Reserves(pool=0.8, reference=0.1)


@pytest.mark.parametrize("question", [ACCURACY, BOTH, RATIO], ids=["one", "joint", "ratio"])
def test_a_ledger_is_read_back_as_it_was(question: Question) -> None:
    """The text holds everything, and the hash is that of the text."""
    declared = ledger(question)
    again = Ledger.from_json(declared.to_json())
    assert again == declared
    assert again.hash == declared.hash
    assert again.share("b", question.conditions[0]) == declared.share("b", question.conditions[0])


@pytest.mark.parametrize("name", json.loads(ledger().to_json()))
def test_the_hash_covers_every_field(name: str) -> None:
    """No part of a ledger can change under the same hash."""
    other = {
        "delta": 0.1,
        "seed": 1,
        "duplicates": "keep",
        "group": "customer",
        "mode": "open",
        "question": Question(("accuracy",), (0.91,)),
        "menu": ("recall",),
        "lines": LINES[::-1],
        "scope": "[]",
        "order": "other rows",
        "reserves": Reserves(pool=0.5),
    }
    assert replace(ledger(), **{name: other[name]}).hash != ledger().hash


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        (ACCURACY, Question(("accuracy",), (0.5,)), ["pool"]),
        (ACCURACY, Question(("recall",), (0.5,)), ["menu"]),
        (ACCURACY, Question(("recall", "accuracy"), (0.5, 0.99)), ["menu", "pool"]),
        (ACCURACY, Question(("rouge",), (0.5,)), [None]),
        (BOTH, Question(("accuracy", "recall[urgent]"), (0.91, 0.96)), ["pool", "pool"]),
        (BOTH, Question(("recall[urgent]", "accuracy"), (0.85, 0.80)), ["pool", "pool"]),
        (BOTH, Question(("accuracy", "recall[urgent]"), (0.91, 0.95)), ["menu", "menu"]),
        (BOTH, Question(("accuracy",), (0.9,)), ["menu"]),
        (RATIO, Question(("f1",), (0.5,)), ["pool"]),
        (RATIO, Question(("f1",), (0.9,), Reference("base", "b", ("f1",))), ["pool"]),
        (RATIO, Question(("f1",), (0.9,), Reference("other", "b", ("f1",))), [None]),
        (ledger(RATIO).question, Question(("recall",), (0.9,)), ["menu"]),
    ],
    ids=[
        "other target", "menu", "conjunction", "undeclared", "shift", "shift down, reordered",
        "one target moved", "one of two alone", "ratio dropped", "other ratio", "other baseline",
        "menu beside a ratio",
    ],
)  # fmt: skip
def test_what_pays_for_a_later_question(
    first: Question, later: Question, expected: list[str | None]
) -> None:
    """Targets are free, jointly asked ones as a common shift; other metrics have the menu."""
    declared = ledger(first)
    assert [declared.reserve_of(name, later) for name in later.conditions] == expected


def test_a_ledger_of_before_has_nothing_for_other_orders() -> None:
    """Its four reserves sum to 1; a fifth part would spend more than delta."""
    old = json.loads(ledger().to_json())
    old["reserves"] = [0.8, 0.1, 0.1, 0.0]
    found = Ledger.from_json(json.dumps(old))
    assert found.reserves.parts == (0.8, 0.1, 0.1, 0.0, 0.0)
    assert found.goal(found.reordered_share(LINES[0].key, "accuracy")) is None
    assert json.loads(found.to_json())["reserves"] == [0.8, 0.1, 0.1, 0.0, 0.0]


def test_newcomers_have_no_part_of_the_menu() -> None:
    """The menu's shares belong to the declared lines alone."""
    assert ledger().newcomer_share(1, "recall", Question(("recall",), (0.9,))) is None


@pytest.mark.parametrize(
    ("question", "lines", "case", "words"),
    [
        (Question(("accuracy",), (0.95,)), LINES[:1], Case.FREE, "are free"),
        (Question(("recall",), (0.95,)), LINES, Case.RESERVE, "recall: by the reserve"),
        (ACCURACY, (*LINES, Line("n", "newer", 0.1)), Case.RESERVE, "newer: by the reserve"),
        (ACCURACY, (Line("l", "late", 0.1),), Case.RESERVE, "late: certified on labels added"),
        (ACCURACY, (Line("x", "x", 0.1),), Case.NEW_LABELS, "x: made or named after these labels"),
        (Question(("rouge",), (0.4,)), LINES, Case.NEW_LABELS, "rouge: not declared before"),
    ],
    ids=["free", "menu", "newcomer", "later", "candidate", "metric"],
)
def test_a_later_question_is_told_which_case_holds(
    question: Question, lines: tuple[Line, ...], case: Case, words: str
) -> None:
    """In a plain sentence that names who and what."""
    found = ledger().coverage(question, lines, newcomers=["n"], later=["l"])
    assert found.case is case
    assert words in found.sentence


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("delta", 0.1, "--confidence 0.95, and now --confidence 0.9 was"),
        ("seed", 7, "--seed 0, and now --seed 7"),
        ("duplicates", "keep", "--duplicates drop, and now --duplicates keep"),
        ("group", "customer", "no --group, and now --group customer"),
        ("mode", "open", "--mode pool, and now --mode open"),
    ],
)
def test_the_same_labels_cannot_be_tried_again(name: str, value: object, words: str) -> None:
    """Another seed or delta on the same rows is refused in one line that says what to do."""
    declared = ledger()
    declared.check_settings(replace(declared, lines=LINES[:1], order="other"))
    with pytest.raises(BadInput, match=words) as caught:
        declared.check_settings(replace(declared, **{name: value}))
    assert "\n" not in str(caught.value)
    assert "other settings need rows that were never used" in str(caught.value)


@pytest.mark.parametrize(
    ("question", "lines", "same_units"),
    [
        (Question(("accuracy",), (0.89,)), LINES, True),
        (Question(("recall",), (0.9,)), LINES, True),
        (ACCURACY, LINES[:2], True),
        (ACCURACY, (*LINES, Line("d", "d", 0.1)), True),
        (ACCURACY, LINES, False),
    ],
    ids=["target", "metric", "fewer", "more", "rows"],
)
def test_the_open_mode_answers_the_very_same_question(
    question: Question, lines: tuple[Line, ...], same_units: bool
) -> None:
    """Names, weights and order of the candidates may differ, and nothing else."""
    searched = ledger(mode="open")
    searched.check_open(ACCURACY, [Line(one.key, "?", 0.0) for one in LINES[::-1]], same_units=True)
    with pytest.raises(BadInput, match=r"for 'accuracy >= 0\.9', which has one look") as caught:
        searched.check_open(question, lines, same_units=same_units)
    assert "\n" not in str(caught.value)


def test_reading_a_ledger_needs_no_numpy() -> None:
    """An answer from memory must not pay an import that takes longer than the rest of it."""
    code = (
        "import sys, recommender.evidence.ledger, recommender.evidence.weights; "
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


N_RUNS, N_ROWS, N_POOL, QUALITY, TARGET, DELTA = 200, 500, 100, 0.8999, 0.9, 0.05


def siblings_of_the_luckiest(correlation: float, *, fresh: bool) -> np.ndarray:
    """Scores of one twin of whoever came out best of 100 candidates, run by run: (runs, rows).

    All are just insufficient. `fresh`: the twin is scored on rows that nobody looked at.
    """
    draw = np.random.default_rng(20260)
    edge = norm.ppf(QUALITY)
    scores = np.empty((N_RUNS, N_ROWS))
    for run in range(N_RUNS):
        latent = draw.standard_normal((N_POOL, N_ROWS), dtype=np.float32)
        luckiest = latent[np.argmax((latent < edge).sum(axis=1))]
        seen = draw.standard_normal(N_ROWS) if fresh else luckiest
        own = draw.standard_normal(N_ROWS)
        twin = correlation * seen + np.sqrt(1 - correlation**2) * own
        scores[run] = (twin < edge) - TARGET
    return scores


def n_false(scores: np.ndarray, alpha: float) -> int:
    wealth = log_wealth(
        scores,
        bound=TARGET,
        goal=-np.log(alpha),
        batch_ends=[N_ROWS],
        second_moment=TARGET * (1 - TARGET),
    )
    return int((wealth.max(axis=1) >= -np.log(alpha)).sum())


@pytest.mark.parametrize(("correlation", "at_least"), [(0.9, 0.15), (0.98, 0.3)])
def test_a_kept_back_share_breaks_under_the_siblings_attack(
    correlation: float, at_least: float
) -> None:
    """Half of delta kept back for a later idea on the same labels breaks delta many times over."""
    assert (
        n_false(siblings_of_the_luckiest(correlation, fresh=False), DELTA / 2) > at_least * N_RUNS
    )


def test_the_sibling_on_rows_added_later_keeps_to_delta() -> None:
    """The same attack on fresh labels, at the very same share, stays within it."""
    limit = binom.ppf(1 - 1e-4, N_RUNS, DELTA / 2)
    assert n_false(siblings_of_the_luckiest(0.98, fresh=True), DELTA / 2) <= limit
