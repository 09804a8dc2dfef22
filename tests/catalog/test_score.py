"""The score from metadata: its parts, its direction, and what it must not depend on."""

from dataclasses import replace

import pytest

from catalog.model import Model, PublishedResult
from catalog.score import PARTS, UNKNOWN, candidate_score, label_match, standing, stored_score

MODEL = Model(
    "demo/ant",
    "a" * 40,
    "hub",
    model_type="bert",
    labels=("negative", "positive"),
    published=(PublishedResult("imdb", "accuracy", 0.9),),
    downloads=9_999,
    likes=99,
    created_at="2023-01-01T00:00:00+00:00",
)


def test_the_score_is_the_documented_sum() -> None:
    """.35 D + .15 L + .25 P + .15 F + .10 R, worked out by hand."""
    parts = (4 / 8, 2 / 5, (0.8 + 0.9) / 2, (0.846 - 0.82) / 0.1, 5 / 20)
    by_hand = sum(w * p for w, p in zip((0.35, 0.15, 0.25, 0.15, 0.10), parts, strict=True))
    assert stored_score(MODEL) == pytest.approx(by_hand, abs=2e-5)


def test_a_model_of_which_nothing_is_known_stands_at_rest() -> None:
    """It has the documented value of each part, and no standing."""
    nothing = Model("demo/bee", "b" * 40, "hub")
    assert stored_score(nothing) == pytest.approx(sum(PARTS[p] * UNKNOWN[p] for p in PARTS))
    assert standing(nothing) == 0


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"downloads": 10**6}, {"downloads": 10}),
        ({"likes": 1000}, {"likes": 0}),
        ({"model_type": "roberta"}, {"model_type": "distilbert"}),
        ({"created_at": "2025-06-01"}, {"created_at": "2020-06-01"}),
        (
            {"published": (PublishedResult("imdb", "accuracy", 95.0),)},
            {"published": (PublishedResult("imdb", "accuracy", 0.7),)},
        ),
    ],
    ids=["downloads", "likes", "family", "recency", "published"],
)
def test_each_part_counts(better: dict[str, object], worse: dict[str, object]) -> None:
    """More of it is a higher score."""
    high, low = (stored_score(replace(MODEL, **part)) for part in (better, worse))  # type: ignore[arg-type]
    assert high > low


def test_a_stored_score_does_not_age() -> None:
    """The date counts from a fixed day: what was stored years ago compares with what is new."""
    old = replace(MODEL, created_at=None, last_modified="2019-01-01T00:00:00+00:00")
    new = replace(MODEL, created_at=None, last_modified="2029-01-01T00:00:00+00:00")
    assert stored_score(new) - stored_score(old) == pytest.approx(0.10 * 10 / 20, abs=1e-4)


@pytest.mark.parametrize("value", ["yesterday", "", "2020-13-01"])
def test_an_unreadable_date_is_no_date(value: str) -> None:
    """Dates come from strangers."""
    bare = replace(MODEL, created_at=None)
    assert stored_score(replace(MODEL, created_at=value)) == stored_score(bare)


@pytest.mark.parametrize("value", [1e308, -3.0, 101.0])
def test_a_result_that_is_no_share_counts_for_nothing(value: float) -> None:
    """A card cannot lift itself by an absurd figure."""
    lying = replace(MODEL, published=(PublishedResult("imdb", "accuracy", value),))
    assert stored_score(lying) == stored_score(replace(MODEL, published=()))


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (("positive", "negative"), 1.0),
        (("POSITIVE", "Negative"), 0.9),
        (("negative", "neutral", "positive"), 0.8),
        ((), 0.5),
        (("LABEL_0", "LABEL_1"), 0.5),
        (("LABEL_0", "LABEL_1", "LABEL_2"), 0.0),
        (("sports", "politics"), 0.0),
    ],
)
def test_labels_match_by_degrees(labels: tuple[str, ...], match: float) -> None:
    """The same names, but for case, with more, unknown, others."""
    model = replace(MODEL, labels=labels)
    assert label_match(model, ["negative", "positive"]) == match
    without = candidate_score(model)
    assert candidate_score(model, labels=["negative", "positive"]) == pytest.approx(
        without + 0.5 * (match - 0.5)
    )


def test_results_in_the_asked_metric_come_before_others() -> None:
    """Without one, all results count."""
    results = (PublishedResult("imdb", "accuracy", 0.9), PublishedResult("imdb", "f1", 0.5))
    model = replace(MODEL, published=results)
    by_metric = {m: candidate_score(model, metric=m) for m in ("accuracy", "f1", "recall")}
    assert by_metric["accuracy"] > by_metric["recall"] > by_metric["f1"]
    assert by_metric["recall"] == pytest.approx(stored_score(model))
