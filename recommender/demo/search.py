"""The demo's search: the shipped zoo on tweets that no model of it has seen."""

from recommender.api import find
from recommender.demo import ZOO
from recommender.demo.tweets import TARGET, read_tweets
from recommender.recommendation import Recommendation

BACKENDS = ("onnxruntime", "openvino")
"""Their workers start in a fraction of a second, torch's in six: the demo answers in a minute."""

EXPLORED = 4
"""Larger models that are run beyond the answer, so that the demo shows the whole trade-off."""


def run_demo(*, progress: bool = False) -> Recommendation:
    """A real search, offline. Raises MissingExtra where the demo's text is not installed."""
    rows = [{"text": tweet.text, "label": tweet.label} for tweet in read_tweets().demo]
    return find(
        rows,
        f"accuracy >= {TARGET}",
        text="text",
        label="label",
        sources=[f"folder:{ZOO}"],
        backends=BACKENDS,
        explore=EXPLORED,
        progress=progress,
        command="recommender demo",
    )
