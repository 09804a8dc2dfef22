"""The order of a search, without a study around it."""

from recommender.search.policy import Policy


def test_a_pool_in_which_nothing_is_left_was_not_tried() -> None:
    """Where every candidate was left out before the search, the reason does not claim more."""
    policy = Policy([], target=0.9, n_units=100)
    assert policy.next() is None
    assert policy.ending().reason == "no candidate was left to try"
