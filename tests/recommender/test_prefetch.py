"""The next candidate's files come while the present one is run, in a real search."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants

from cache.errors import AccessRequired
from cache.paths import Home
from catalog.deliveries import Deliveries
from catalog.downloads import snapshot_folder
from catalog.fetcher import Pace, Settings
from catalog.loopback.exchange import Answer, Request
from catalog.loopback.faults import Fault, drip, status
from catalog.model import Model
from catalog.sources.hub import HubSource
from catalog.testing import LoopbackHub
from evaluators.candidate import Candidate, Recipe
from evaluators.samples import read_samples
from recommender.bench import prefetch, stop_prefetching
from recommender.finding import answer
from recommender.progress import Progress
from recommender.query import Budget, Query
from recommender.space import needed_files

WEIGHTS = "model.safetensors"
NAMES = ("team/guessing", "team/poisoned")
"""Neither is sufficient, so that no costs are measured in workers of their own."""

Events = list[tuple[str, str]]


class Told(Progress):
    """Notes when a candidate has ended, beside what the Hub notes."""

    def __init__(self, events: Events) -> None:
        super().__init__()
        self._events = events

    def say(self, line: str) -> None:
        name, _, rest = line.partition("@")
        if name in NAMES and rest:
            self._events.append(("ended", name))


@pytest.fixture
def events() -> Events:
    return []


@pytest.fixture
def hub(zoo: Path, events: Events) -> Iterator[LoopbackHub]:
    """A Hub that notes whose weights are downloaded; a look at their header is none."""

    def note(request: Request, right: Answer) -> Answer:
        if "Range" not in request.headers:
            events.append(("asked", request.target.split("/resolve/")[0].strip("/")))
        return right

    with LoopbackHub(zoo, faults=[Fault(match=f"GET .*{WEIGHTS}", action=note, nth=None)]) as hub:
        yield hub


def test_the_next_download_overlaps_an_evaluation(
    hub: LoopbackHub, data: Path, events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both models' weights are asked for, once each, before the first candidate ends."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    query = Query.parse(
        "accuracy >= 0.85", models=NAMES, sources=(f"hub:{hub.endpoint}",), backends=("torch",)
    )
    answer(
        query,
        read_samples(data),
        home=Home(tmp_path / "home"),
        budget=Budget(),
        progress=Told(events),
    )
    assert sorted(events[:2]) == [("asked", name) for name in NAMES]
    ended = events[2:]
    assert {what for what, _ in ended} == {"ended"}
    assert len(ended) >= 2


@pytest.fixture
def models(zoo: Path) -> dict[str, Model]:
    """Three models, as a Hub that works describes them."""
    with LoopbackHub(zoo) as hub:
        source = HubSource(hub.endpoint, token=False)
        return {name: source.model(f"team/{name}") for name in ("good", "guessing", "topics")}


def test_one_model_ahead_and_never_in_the_way(
    zoo: Path, models: dict[str, Model], tmp_path: Path
) -> None:
    """A wrong guess goes on beside what is wanted now; a second one waits for its end."""
    slow = Fault(match=f"GET .*guessing.*{WEIGHTS}", action=drip(50_000), nth=None)
    with LoopbackHub(zoo, faults=[slow]) as hub:
        deliveries = Deliveries(Settings(hub.endpoint, False, str(tmp_path / "cache")))
        start = time.monotonic()
        assert deliveries.prefetch(models["guessing"], [WEIGHTS])
        assert time.monotonic() - start < 1
        assert not deliveries.prefetch(models["topics"], [WEIGHTS])
        assert (deliveries.fetch(models["good"], [WEIGHTS]) / WEIGHTS).is_file()
        place = snapshot_folder(tmp_path / "cache", "team/guessing", models["guessing"].revision)
        assert not (place / WEIGHTS).exists()
        assert deliveries.fetch(models["guessing"], [WEIGHTS]) == place
        n_asked = sum("guessing" in path and method == "GET" for method, path in hub.requests)
        assert n_asked == 1
        assert not deliveries.prefetch(models["good"], [WEIGHTS])  # it is there
        deliveries.close()


@pytest.mark.parametrize(("share", "begun"), [(2.0, True), (1.9, False)])
def test_a_guess_takes_half_of_what_is_left_at_most(
    zoo: Path, models: dict[str, Model], tmp_path: Path, share: float, begun: bool
) -> None:
    """And what was given up stays counted: it may have been downloaded."""
    candidate = Candidate(models["good"], Recipe("torch-fp32", "torch", "fp32"), 1.0, 1.0)
    needed_mb = sum(f.size_bytes for f in needed_files(models["good"], candidate.recipe)) / 1e6
    slow = Fault(match="GET", action=drip(1_000), nth=None)
    with LoopbackHub(zoo, faults=[slow]) as hub:
        source = HubSource(hub.endpoint, False, tmp_path / "cache")
        bench = SimpleNamespace(
            sources={models["good"].source: source},
            downloaded={("other", "file"): 1.0},
            coming=set(),
            budget=Budget(max_download_mb=1.0 + share * needed_mb),
        )
        assert prefetch(bench, candidate) is begun
        stop_prefetching(bench)
    left_mb = bench.budget.max_download_mb - sum(bench.downloaded.values())
    assert left_mb == pytest.approx((share - begun) * needed_mb)
    assert not any(name == models["good"].name for name, _ in bench.downloaded)


def test_a_failed_guess_is_told_in_its_turn(
    zoo: Path, models: dict[str, Model], tmp_path: Path
) -> None:
    """The error waits for whoever fetches the model; it is told once."""
    shut = Fault(match="HEAD .*good", action=status(403), nth=1)
    with LoopbackHub(zoo, faults=[shut]) as hub:
        deliveries = Deliveries(Settings(hub.endpoint, False, str(tmp_path / "cache")))
        assert deliveries.prefetch(models["good"], [WEIGHTS])
        assert (deliveries.fetch(models["topics"], [WEIGHTS]) / WEIGHTS).is_file()
        with pytest.raises(AccessRequired):
            deliveries.fetch(models["good"], [WEIGHTS])
        assert (deliveries.fetch(models["good"], [WEIGHTS]) / WEIGHTS).is_file()
        deliveries.close()


def test_a_download_ends_before_timings(
    zoo: Path, models: dict[str, Model], tmp_path: Path
) -> None:
    """What is cancelled leaves no process and no partial file, and is told by name."""
    slow = Fault(match="GET", action=drip(1_000), nth=None)
    with LoopbackHub(zoo, faults=[slow]) as hub:
        settings = Settings(hub.endpoint, False, str(tmp_path / "cache"), Pace(1))
        deliveries = Deliveries(settings)
        deliveries.prefetch(models["good"], [WEIGHTS])
        while not list(tmp_path.rglob("*.incomplete")):
            time.sleep(0.01)
        assert deliveries.cancel() == models["good"]
        assert deliveries.pid is None
        assert list(tmp_path.rglob("*.incomplete")) == []
        assert deliveries.cancel() is None
