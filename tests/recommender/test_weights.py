"""What metadata is worth, what it may not know, and what counts as one hypothesis."""

from dataclasses import replace
from math import isclose

import pytest

from catalog.model import Model, PublishedResult
from catalog.score import standing, stored_score
from evaluators.candidate import Recipe
from recommender.evidence.weights import (
    UNIFORM_PART,
    Metadata,
    chance,
    expected_quality,
    merged,
    same_data,
    trained_on,
    weights,
)

INT8 = Recipe("torch-int8", "torch", "int8")
MODEL = Model(
    id="org/model",
    revision="1" * 40,
    source="hub",
    parameters={"F32": 66_000_000},
    model_type="distilbert",
    datasets=("sst2", "imdb"),
    published=(
        PublishedResult("GLUE SST2", "accuracy", 0.99),
        PublishedResult("imdb", "accuracy", 93.0),
        PublishedResult("imdb", "f1", 0.5),
    ),
    downloads=2_000_000,
    likes=700,
    last_modified="2024-01-01T00:00:00.000Z",
)


@pytest.mark.parametrize("target", [0.5, 0.9, 0.999])
def test_weights_sum_to_one_and_keep_the_uniform_part(target: float) -> None:
    """No candidate gets less than 30 % of an equal share, however hopeless it looks."""
    pool = [Metadata(n_parameters=10.0**e) for e in range(1, 11)] + [Metadata()]
    found = weights(pool, target)
    assert isclose(sum(found), 1.0, abs_tol=1e-12)
    assert min(found) >= UNIFORM_PART / len(pool)


def test_larger_models_weigh_more() -> None:
    """Weight rises with the chance to be sufficient."""
    found = weights([Metadata(n_parameters=n) for n in (5e6, 5e7, 5e8)], 0.9)
    assert found[0] < found[1] < found[2]


def test_a_target_beyond_reach_gives_equal_weights() -> None:
    """Where every chance underflows, nothing tells candidates apart."""
    assert weights([Metadata(n_parameters=5e6), Metadata(n_parameters=5e7)], 5.0) == (0.5, 0.5)


def test_the_chance_follows_the_normal_model() -> None:
    """At 5 million parameters quality is .72 with a spread of .03: .75 is one spread above."""
    assert chance(Metadata(n_parameters=5e6), 0.75) == pytest.approx(0.158655, abs=1e-6)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"recipe": "torch-fp32"}, {"recipe": "torch-int8"}),
        ({"recipe": "torch-int8"}, {"recipe": "pruned"}),
        ({"published": (0.95,)}, {"published": (0.80,)}),
        ({"standing": 0.3}, {"standing": -0.3}),
    ],
    ids=["int8", "pruned", "published", "standing"],
)
def test_each_hint_counts(better: dict[str, object], worse: dict[str, object]) -> None:
    """Recipes, results on other data and standing move the expected quality their way."""
    known = Metadata(n_parameters=1e8)
    high, low = (expected_quality(replace(known, **hint)) for hint in (better, worse))  # type: ignore[arg-type]
    assert high.mean > low.mean


def test_more_results_on_other_data_never_become_certain() -> None:
    """A thousand results share one distance to these data."""
    few, many = (expected_quality(Metadata(published=(0.9,) * n)) for n in (1, 1000))
    assert 0.03 < many.stdev < few.stdev


def test_what_was_earned_on_the_same_data_is_left_out() -> None:
    """Published scores and popularity from the same rows stay out of the weights, and are named."""
    known, left_out = Metadata.of(
        MODEL, INT8, metric="accuracy", own_data=frozenset({"stanfordnlp/sst2"})
    )
    assert known.published == (0.93,)
    unpopular, _ = Metadata.of(
        replace(MODEL, downloads=None, likes=None), INT8, metric="accuracy", own_data=frozenset()
    )
    assert known.standing == unpopular.standing
    assert left_out == (
        "org/model: accuracy published on GLUE SST2",
        "org/model: downloads and likes, earned with stanfordnlp/sst2",
    )


def test_the_weights_use_the_hint_of_the_candidate_score() -> None:
    """What makes a model more promising in the catalog gives it more of delta, all else equal."""
    known = replace(MODEL, published=(), datasets=())
    pool = [replace(known, downloads=10), known, replace(known, model_type="roberta")]
    hints = [Metadata.of(m, INT8, metric="accuracy", own_data=frozenset())[0] for m in pool]
    found, scores = weights(hints, 0.9), [stored_score(model) for model in pool]
    assert sorted(found) == list(found)
    assert sorted(scores) == scores


def test_a_card_that_names_the_data_is_told() -> None:
    """By the name that the card uses; others are not contaminated."""
    assert trained_on(MODEL, frozenset({"stanfordnlp/sst2 validation"})) == "sst2"
    assert trained_on(MODEL, frozenset({"reviews.csv"})) is None


def test_scores_from_the_same_rows_do_not_move_the_weights() -> None:
    """The weights are those of the same models without these scores."""
    own = frozenset({"sst2"})
    others = [
        replace(MODEL, id=f"org/{i}", published=(PublishedResult("SST-2", "accuracy", value),))
        for i, value in enumerate((0.99, 0.70, 0.85))
    ]
    pool = [Metadata.of(model, INT8, metric="accuracy", own_data=own)[0] for model in others]
    assert weights(pool, 0.9) == pytest.approx((1 / 3,) * 3)
    told = [Metadata.of(m, INT8, metric="accuracy", own_data=frozenset())[0] for m in others]
    assert weights(told, 0.9)[0] > 0.4


def test_other_data_keep_results_and_downloads() -> None:
    """Nothing is left out where the rows come from elsewhere."""
    known, left_out = Metadata.of(
        MODEL, INT8, metric="accuracy", own_data=frozenset({"reviews.csv"})
    )
    assert known.published == (0.99, 0.93)
    assert known.standing == standing(MODEL)
    assert left_out == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("stanfordnlp/sst2", "sst2", True),
        ("SST-2", "sst2", True),
        ("nyu-mll/glue:sst2 validation", "SetFit/sst2", True),
        ("glue", "stanfordnlp/sst2", True),
        ("GLUE MRPC", "glue/sst2", False),
        ("Rotten Tomatoes", "cornell-movie-review-data/rotten_tomatoes test[:500]", True),
        ("cardiffnlp/tweet_eval:emotion test", "tweet_eval", True),
        ("tweet_eval:emotion", "tweet_eval:sentiment", False),
        ("imdb", "sst2", False),
        ("imdb.csv", "stanfordnlp/imdb", True),
        ("", "sst2", False),
    ],
)
def test_names_of_data_sets_are_compared_loosely(one: str, other: str, same: bool) -> None:
    """Owners, splits, case and punctuation do not matter; a whole collection covers its parts."""
    assert same_data(one, other) is same
    assert same_data(other, one) is same


def test_only_what_is_the_same_by_construction_is_merged() -> None:
    """Positions of equal keys are one hypothesis."""
    assert merged(["a", "b", "a", "c", "b"]) == ((0, 2), (1, 4), (3,))
