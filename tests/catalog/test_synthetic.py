"""Millions of synthetic models: the real client lists them, and each is what its number says."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from huggingface_hub import HfApi

from catalog.loopback.exchange import Request
from catalog.loopback.synthetic_rows import COLUMNS
from catalog.sources.hub import HubSource
from catalog.synthetic import SyntheticHub

N = 40_000  # more than one model for some stems

EXPAND = [name for name in COLUMNS if name != "model-index"]


@pytest.fixture(scope="module")
def hub() -> Iterator[SyntheticHub]:
    """The same hub for all tests that change nothing."""
    with SyntheticHub(N) as hub:
        yield hub


def rows_of(hub: SyntheticHub, query: str, n_pages: int = 1000) -> list[dict[str, Any]]:
    """The rows of a listing over its pages, without the network."""
    found: list[dict[str, Any]] = []
    target = f"/api/models?{query}"
    for _ in range(n_pages):
        answer = hub.answer(Request(target))
        assert answer.status == 200, answer.json
        found += json.loads(answer.body())
        if "Link" not in answer.headers:
            return found
        target = answer.headers["Link"].partition(">")[0].removeprefix(f"<{hub.endpoint}")
    return found


@pytest.fixture(scope="module")
def everything(hub: SyntheticHub) -> list[dict[str, Any]]:
    """All models, the newest first, with all fields."""
    return rows_of(hub, "sort=createdAt&" + "&".join(f"expand={name}" for name in COLUMNS))


def test_each_model_is_listed_once(everything: list[dict[str, Any]]) -> None:
    """In the order of their age, over all pages."""
    assert len({row["id"] for row in everything}) == len(everything) == N
    times = [row["createdAt"] for row in everything]
    assert times == sorted(times, reverse=True)


def test_the_shares_are_as_on_the_hub(everything: list[dict[str, Any]]) -> None:
    """Tasks, licences, languages, gates, lineage and sizes are spread, not all alike."""
    tasks = Counter(row.get("pipeline_tag") for row in everything)
    licenses = Counter(row["cardData"].get("license") for row in everything)
    sizes = [row["safetensors"]["total"] for row in everything if "safetensors" in row]
    assert 0.06 < tasks["text-classification"] / N < 0.09
    assert 0.30 < licenses[None] / N < 0.38
    assert 0.02 < sum(bool(row["gated"]) for row in everything) / N < 0.04
    assert 0.5 < sum("base_model" in row["cardData"] for row in everything) / N < 0.75
    assert all(sum(low < size <= 100 * low for size in sizes) > N / 100 for low in (1e4, 1e6, 1e8))


def test_downloads_follow_zipf(hub: SyntheticHub) -> None:
    """The order by downloads is by rank: ten times the rank, a sixteenth of the downloads."""
    rows = rows_of(hub, "sort=downloads", n_pages=20)
    found = [row["downloads"] for row in rows]
    assert found == sorted(found, reverse=True)
    assert found[100] / found[1000] == pytest.approx(10**1.2, rel=0.05)
    assert [row["id"] for row in rows_of(hub, "sort=likes", 1)] == [
        row["id"] for row in rows[:1000]
    ]


FILTERS = {
    "task": "pipeline_tag=text-classification",
    "library": "filter=transformers",
    "several": "filter=de&filter=license:mit&filter=safetensors",
    "data set": "filter=dataset:emotion",
    "author": "author=maria0",
    "base's author": "author=google-bert",
    "base": "filter=base_model:google-bert/bert-base-uncased",
    "gated": "gated=True",
    "size": "num_parameters=min:1M,max:20M",
}


@pytest.mark.parametrize("query", FILTERS.values(), ids=FILTERS.keys())
def test_a_filter_gives_what_the_rows_say(
    hub: SyntheticHub, everything: list[dict[str, Any]], query: str
) -> None:
    """The same models as picking them out of all rows."""
    asked = Request(f"/api/models?{query}").query
    tags = set(asked.get("filter", []))
    wanted = [
        row["id"]
        for row in everything
        if tags <= set(row["tags"])
        and ("pipeline_tag" not in asked or row.get("pipeline_tag") == asked["pipeline_tag"][0])
        and ("author" not in asked or row["author"] == asked["author"][0])
        and ("gated" not in asked or row["gated"])
        and ("num_parameters" not in asked
             or 1e6 <= row.get("safetensors", {}).get("total", 0) <= 2e7)
    ]  # fmt: skip
    assert [row["id"] for row in rows_of(hub, query)] == wanted
    assert 0 < len(wanted) < N


def test_search_finds_names(hub: SyntheticHub) -> None:
    """Without regard to case, and nothing else."""
    rows = rows_of(hub, "search=DistilBERT")
    assert rows
    assert all("distilbert" in row["id"].lower() for row in rows)


def test_the_same_seed_makes_the_same_models() -> None:
    """Another seed makes others."""
    query = "sort=downloads&expand=sha&expand=cardData"
    found = []
    for seed in (0, 0, 1):
        with SyntheticHub(500, seed) as hub:
            found.append(rows_of(hub, query))
    assert found[0] == found[1] != found[2]


def test_lineages_end(hub: SyntheticHub, everything: list[dict[str, Any]]) -> None:
    """Some models are made from others that are no bases themselves; all lead to an end."""
    bases = {row["id"]: row["cardData"].get("base_model") for row in everything}
    depths = Counter()
    for id in bases:
        depth, here = 0, bases[id]
        while here is not None:
            depth, here = depth + 1, bases[here]
        depths[depth] += 1
    assert depths[2] > 300
    assert max(depths) < 10


def test_the_real_client_lists_them(hub: SyntheticHub) -> None:
    """Pages, filters and expanded fields as on the Hub."""
    api = HfApi(endpoint=hub.endpoint, token=False)
    found = list(
        api.list_models(pipeline_tag="text-classification", filter="de", expand=EXPAND, limit=60)
    )
    assert len(found) == 60
    assert {model.pipeline_tag for model in found} == {"text-classification"}
    assert all(model.card_data.language == ["de"] for model in found)


def test_a_described_model_agrees_with_its_row(hub: SyntheticHub) -> None:
    """Labels, sizes and hashes come with it; its parameters fit the bytes of its files."""
    row = rows_of(
        hub, "filter=dataset:emotion&filter=safetensors&expand=sha&expand=safetensors", 1
    )[0]
    model = HubSource(hub.endpoint, token=False).model(row["id"])
    assert (model.revision, dict(model.parameters)) == (
        row["sha"],
        row["safetensors"]["parameters"],
    )
    assert len(model.labels) == 6
    assert all(file.sha256 for file in model.weight_files)
    assert model.weight_files


def test_large_weights_come_in_shards(hub: SyntheticHub) -> None:
    """The index names them, and each tells its part of the parameters."""
    found = HfApi(endpoint=hub.endpoint, token=False).get_safetensors_metadata(
        "meta-llama/Llama-3.1-8B"
    )
    assert found.sharded
    assert found.parameter_count == {"BF16": 8_030_261_248}


def test_weights_are_not_served(hub: SyntheticHub) -> None:
    """There are none, and nobody fills a disk with zeros."""
    answer = hub.answer(Request("/google-bert/bert-base-uncased/resolve/main/model.safetensors"))
    assert answer.status == 404


def test_some_share_their_weights(hub: SyntheticHub, everything: list[dict[str, Any]]) -> None:
    """About two in a hundred of those that can are copies under another name."""
    population = hub.population
    later = range(N - 4000, N)
    n_copies = sum(population.copied_from(number) != number for number in later)
    assert 40 < n_copies < 130
    copy = next(number for number in later if population.copied_from(number) != number)
    origin = population.copied_from(copy)
    assert population.weights_sha256(copy, 0) == population.weights_sha256(origin, 0)


def test_a_touch_changes_its_share_and_no_other() -> None:
    """The changed come first by the last change, with another commit; a refresh finds them all."""
    with SyntheticHub(20_000) as hub:
        query = "sort=lastModified&expand=sha&expand=lastModified"
        before = {row["id"]: row for row in rows_of(hub, query)}
        newest = max(row["lastModified"] for row in before.values())
        request = urllib.request.Request(f"{hub.endpoint}/_control/touch?share=0.01", method="POST")
        with urllib.request.urlopen(request) as reply:
            n_touched = json.load(reply)["touched"]
        after = rows_of(hub, query)
    changed = [row["id"] for row in after if row["sha"] != before[row["id"]]["sha"]]
    assert 150 < n_touched < 250
    assert len(changed) == n_touched
    assert changed == [row["id"] for row in after if row["lastModified"] > newest]
    assert changed == [row["id"] for row in after[:n_touched]]


@pytest.mark.parametrize(
    "query", ["sort=size", "cursor=x", "limit=many", "colour=red", "num_parameters=x"]
)
def test_a_bad_query_is_refused(hub: SyntheticHub, query: str) -> None:
    """A filter that is not known is no reason to list everything."""
    assert hub.answer(Request(f"/api/models?{query}")).status == 400


def test_pages_are_made_fast(hub: SyntheticHub) -> None:
    """Full pages with all fields, JSON included; measured as processor time of this thread."""
    query = "sort=createdAt&limit=1000&" + "&".join(f"expand={name}" for name in COLUMNS)
    rows_of(hub, query, 1)
    start = time.thread_time()
    target = f"/api/models?{query}"
    for _ in range(10):
        answer = hub.answer(Request(target))
        target = answer.headers["Link"].partition(">")[0].removeprefix(f"<{hub.endpoint}")
    assert 10_000 / (time.thread_time() - start) > 15_000  # twice as many on an idle core


def test_the_script_serves_until_it_is_interrupted() -> None:
    """It prints the address first, is changed over HTTP, and ends quietly."""
    command = [sys.executable, "-m", "catalog.synthetic", "--models", "500"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        endpoint = server.stdout.readline().strip().removeprefix("HF_ENDPOINT=")
        with urllib.request.urlopen(f"{endpoint}/api/models?limit=3") as reply:
            assert len(json.load(reply)) == 3
        touch = urllib.request.Request(f"{endpoint}/_control/touch?share=1", method="POST")
        with urllib.request.urlopen(touch) as reply:
            assert json.load(reply) == {"touched": 500}
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
        assert server.stderr is not None
        assert server.stderr.read() == ""
