"""Arguments of Python programs: of the right kind, or one line that names them."""

from math import inf, nan
from typing import Any

import numpy as np
import pytest

from cache.errors import BadInput
from recommender import find, given, plan
from recommender.query import MAX_SEED, Budget, Query

ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"require": None}, "require (--require) is None; give a text or a list of texts"),
        ({"require": 0.8}, "require (--require) is 0.8; give a text"),
        ({"require": ["accuracy >= 0.9", 0.8]}, "an item of require (--require) is 0.8"),
        ({"require": b"accuracy >= 0.9"}, "require (--require) is b'accuracy >= 0.9'"),
        ({"confidence": "0.95"}, "confidence (--confidence) is '0.95'; give a number in [0.5, 1)"),
        ({"confidence": nan}, "confidence (--confidence) is nan"),
        ({"confidence": 95}, "confidence (--confidence) 95 must lie in [0.5, 1)"),
        ({"seed": 1.5}, "seed (--seed) is 1.5; give a whole number of at least 0"),
        ({"seed": True}, "seed (--seed) is True"),
        ({"seed": MAX_SEED + 1}, "at most 4294967295"),
        ({"threads": "2"}, "threads (--threads) is '2'; give a whole number of at least 1"),
        ({"max_candidates": 0}, "max_candidates (--max-candidates) is 0"),
        ({"explore": -1}, "explore (--explore) is -1; give a whole number of at least 0"),
        ({"commercial": "no"}, "commercial (--commercial) is 'no'; give True or False"),
        ({"positive": 1}, "positive (--positive) is 1; give a text"),
        ({"minimize": ["size_mb"]}, "minimize (--minimize) is ['size_mb']"),
        ({"task": 5}, "task (--task) is 5; give a text"),
        ({"models": None}, "models (--model) is None; give a text or a list of texts"),
        ({"models": {"a": "b"}}, "models (--model) is {'a': 'b'}"),
        ({"sources": [None]}, "an item of sources (--source) is None; give a text, such as 'hub'"),
        ({"columns": "abc"}, "columns (--column) is 'abc'; give a mapping"),
        ({"task_options": [1]}, "task_options (--task-option) is [1]; give a mapping"),
        ({"label_map": 5}, "label_map (--label-map) is 5; give a mapping"),
        ({"label": ["a"]}, "label (--label) is ['a']; give a text"),
        ({"time_limit_s": "5"}, "time_limit_s (--time-limit) is '5'; give a number of seconds"),
        ({"with_examples": "2"}, "with_examples (--with-examples) is '2'"),
        ({"home": 5}, "home is 5"),
    ],
    ids=str,
)
def test_wrong_kinds_are_refused_in_one_line(arguments: dict[str, Any], said: str) -> None:
    """The line says what was given and what is allowed, before the rows are read."""
    with pytest.raises(BadInput) as refused:
        find("no-such-file.csv", **{"require": "accuracy >= 0.9", **arguments})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["time_limit_s", "max_download_mb", "disk_budget_mb"])
@pytest.mark.parametrize("value", [nan, -1, "5", True])
def test_a_budget_is_a_number_of_at_least_0(name: str, value: object) -> None:
    """NaN is below no limit, so that nothing would ever stop."""
    with pytest.raises(BadInput, match=name):
        Budget.parse(**{name: value})


def test_an_infinite_budget_is_none() -> None:
    """As where nothing is given; 0 is a limit."""
    assert Budget.parse(time_limit_s=inf, max_download_mb=inf, disk_budget_mb=inf) == Budget()
    assert Budget.parse(disk_budget_mb=0) == Budget(disk_mb=0.0)


def test_a_plan_refuses_budgets_as_a_search_does() -> None:
    """Also those of its own."""
    with pytest.raises(BadInput, match="disk_budget_mb"):
        plan(ROWS, "accuracy >= 0.9", disk_budget_mb=-1)


def test_numbers_of_numpy_are_numbers() -> None:
    """They become Python's own, which can be written as JSON."""
    query = Query.parse("accuracy >= 0.9", seed=np.int64(3), confidence=np.float64(0.9))
    assert query == Query.parse("accuracy >= 0.9", seed=3, confidence=0.9)
    assert (type(query.seed), type(query.confidence)) == (int, float)


def test_long_arguments_are_shown_in_short() -> None:
    """A list of a thousand numbers is no line to read."""
    with pytest.raises(BadInput) as refused:
        given.texts("models", list(range(1_000)), "'OWNER/NAME'")
    assert len(str(refused.value)) < 200
    with pytest.raises(BadInput) as refused:
        given.text("label", list(range(1_000)))
    assert len(str(refused.value)) < 200
