"""Descriptions of listed models: asked for once for each commit, and not fooled."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cache.errors import SourceUnavailable
from catalog.details import describe_all
from catalog.loopback.faults import Fault, close, redirect, status
from catalog.model import Model
from catalog.policy import Refusal
from catalog.rows import to_row
from catalog.sources.hub_client import HubClient, Patience
from catalog.sources.hub_details import HubDetails, read_info, security
from catalog.store import Catalog
from catalog.testing import LoopbackHub
from catalog.untrusted import Unreadable

Write = Callable[..., Path]
Serve = Callable[..., LoopbackHub]


@pytest.fixture
def serve(zoo: Path) -> Iterator[Serve]:
    """Starts a Hub of the zoo, with faults and the like."""
    running: list[LoopbackHub] = []

    def start(**options: Any) -> LoopbackHub:
        running.append(LoopbackHub(zoo, **options).__enter__())
        return running[-1]

    yield start
    for hub in running:
        hub.__exit__(None, None, None)


def source_of(hub: LoopbackHub, token: str | bool = False) -> HubDetails:
    """The Hub, asked again after moments only."""
    client = HubClient(hub.endpoint, token, patience=Patience(pauses_s=(0.005, 0.01)))
    return HubDetails(client, f"hub:{hub.endpoint}")


def rows(source: HubDetails, *ids: str, **facts: Any) -> list[Model]:
    """Rows as a listing gives them: without files."""
    return [Model(id, "", source.name, described=False, **facts) for id in ids]


def scanned(zoo: Path, write: Write) -> None:
    """Lets the Hub tell of `plain` that its scan found nothing."""
    write(zoo / "plain", hub={"securityRepoStatus": {"scansDone": True, "filesWithIssues": []}})


def one(hub: LoopbackHub, store: Catalog, id: str = "plain") -> Model | Refusal:
    source = source_of(hub)
    (found,) = describe_all(rows(source, id), source, store)
    return found


def model_of(hub: LoopbackHub, id: str = "plain") -> Model:
    return source_of(hub).model(id)


def test_listed_models_are_described_in_their_order(serve: Serve, store: Catalog) -> None:
    """With files, hashes, labels and header parameters, whichever thread is the first."""
    source = source_of(serve())
    ids = ["demo/cat", "plain", "demo/ant", "demo/ner", "demo/bee"]
    found = describe_all(rows(source, *ids), source, store)
    assert found == tuple(source.model(id) for id in ids)
    assert all(isinstance(row, Model) and row.described and row.parameters for row in found)


def test_a_commit_is_described_once(
    zoo: Path, serve: Serve, store: Catalog, write_repository: Write
) -> None:
    """The second time nothing is asked, and popularity is the listing's."""
    scanned(zoo, write_repository)
    hub = serve()
    source = source_of(hub)
    (first,) = describe_all(rows(source, "plain"), source, store)
    n_requests = len(hub.requests)
    assert isinstance(first, Model)
    again = [Model("plain", first.revision, source.name, downloads=77, described=False)]
    assert describe_all(again, source, store) == (replace(first, downloads=77, likes=None),)
    assert len(hub.requests) == n_requests


def test_the_listed_commit_is_the_one_described(zoo: Path, serve: Serve, store: Catalog) -> None:
    """Where it is gone meanwhile, the present one is."""
    hub = serve()
    gone = Model("plain", "0" * 40, source_of(hub).name, described=False)
    (found,) = describe_all([gone], source_of(hub), store)
    asked = [target for _, target in hub.requests if target.startswith("/api/models/plain")]
    assert f"/revision/{'0' * 40}" in asked[0]
    assert found == model_of(hub)


def test_a_bad_model_spoils_no_other(
    zoo: Path, serve: Serve, store: Catalog, write_repository: Write
) -> None:
    """Vanished, broken and shut ones are told apart."""
    lies = (100).to_bytes(8, "little") + json.dumps({"a": {"dtype": "F32"}}).encode().ljust(100)
    write_repository(zoo / "lying", files={"model.safetensors": lies})
    write_repository(zoo / "empty", files={"model.safetensors": b""})
    write_repository(zoo / "deep", files={"config.json": b'{"a":' * 500 + b"1" + b"}" * 500})
    hub = serve(faults=[Fault("/api/models/demo/bee", None, status(451))], gated=["demo/cat"])
    source = source_of(hub)
    ids = ["vanished", "lying", "deep", "empty", "demo/bee", "demo/cat", "plain"]
    found = describe_all(rows(source, *ids), source, store)
    states = [row.state if isinstance(row, Refusal) else row.id for row in found]
    assert states == ["not found", *["corrupt"] * 3, "demo/bee", "demo/cat", "plain"]
    assert [getattr(row, "disabled", None) for row in found[4:]] == [True, False, False]
    assert [getattr(row, "gated", None) for row in found[4:]] == [False, True, False]


def test_a_gated_model_is_asked_for_again(serve: Serve, store: Catalog) -> None:
    """Another token may open it."""
    hub = serve(gated=["plain"], token="right")
    shut = one(hub, store)
    assert isinstance(shut, Model)
    assert shut.gated
    (opened,) = describe_all([shut], source_of(hub, "right"), store)
    assert isinstance(opened, Model)
    assert not opened.gated
    assert opened.labels


PENDING = {"securityRepoStatus": {"scansDone": False, "filesWithIssues": []}}


def test_a_description_without_the_scan_is_asked_for_again(
    zoo: Path, serve: Serve, store: Catalog, write_repository: Write
) -> None:
    """Once a call: it may have ended, or have found something; a folder's has no scan."""
    write_repository(zoo / "plain", hub=PENDING)
    hub = serve()
    pending = one(hub, store)
    assert isinstance(pending, Model)
    assert pending.security is None
    scan = {"scansDone": True, "filesWithIssues": [UNSAFE]}
    write_repository(zoo / "plain", hub={"securityRepoStatus": scan})
    for model in (pending, replace(pending, described=False)):
        (found,) = describe_all([model], source_of(hub), store)
        assert isinstance(found, Model)
        assert found.security == "unsafe: pytorch_model.bin"
    n_requests = len(hub.requests)
    here = [replace(pending, source="folder:/x"), replace(pending, source="snapshot:/x")]
    assert describe_all([found, *here], source_of(hub), store) == (found, *here)
    assert len(hub.requests) == n_requests


@pytest.mark.parametrize("fault", [close(), status(500)], ids=["away", "failing"])
def test_a_description_without_the_scan_is_better_than_none(
    zoo: Path, serve: Serve, store: Catalog, fault: Any, write_repository: Write
) -> None:
    """Where the Hub cannot be asked it is kept as it is; the search tells of it."""
    write_repository(zoo / "plain", hub=PENDING)
    pending = one(serve(), store)
    assert isinstance(pending, Model)
    hub = serve(faults=[Fault("plain", None, fault)])
    listed = replace(pending, source=source_of(hub).name)
    store.describe(listed)
    assert describe_all([listed], source_of(hub), store) == (listed,)
    assert describe_all([replace(listed, described=False)], source_of(hub), store) == (listed,)


def test_a_model_that_is_gone_is_listed_no_more(serve: Serve, store: Catalog) -> None:
    """Until its source lists it again; `get` finds it. One that asks for access is not gone."""
    source = source_of(serve(faults=[Fault("/api/models/plain", None, status(403))]))
    listed = rows(source, "demo/lost", "plain", "demo/ant")
    store.upsert(listed)
    answers = describe_all(listed, source, store)
    assert [getattr(row, "state", "a model") for row in answers] == ["not found", *["a model"] * 2]
    assert {model.id for model in store.select()} == {"demo/ant", "plain"}
    assert store.get("demo/lost") == listed[0]
    store.upsert(listed[:1])
    assert len(store.select()) == 3


def test_a_renamed_model_comes_under_its_new_id(serve: Serve, store: Catalog) -> None:
    """The old id still finds it."""
    there = redirect("/api/models/demo/ant?blobs=true")
    hub = serve(faults=[Fault("/api/models/demo/old", None, there)])
    found = one(hub, store, "demo/old")
    assert isinstance(found, Model)
    assert found.id == "demo/ant"
    assert store.get("demo/old") == found
    assert found in store.select(task="text-classification")


def test_a_hub_that_goes_away_leaves_what_it_told(serve: Serve, store: Catalog) -> None:
    """What was described is kept, and the rest is not waited for one by one."""
    hub = serve(faults=[Fault("/api/models/(?!demo/ant)", None, close())])
    source = source_of(hub)
    ids = ["demo/ant", "demo/bee", "demo/cat", "plain"]
    first, *rest = describe_all(rows(source, *ids), source, store, n_threads=1)
    assert isinstance(first, Model)
    assert store.described(source.name, "demo/ant", first.revision) == first
    assert [row.state for row in rest if isinstance(row, Refusal)] == ["unreachable"] * 3
    assert not any("cat" in target for _, target in hub.requests)


def test_a_hub_that_never_answers_is_an_error(serve: Serve, store: Catalog) -> None:
    """The message says what to do."""
    source = source_of(serve(faults=[Fault(".", None, close())]))
    told = "the files of plain and 1 more are not known yet, .* check the network"
    with pytest.raises(SourceUnavailable, match=told):
        describe_all(rows(source, "plain", "demo/ant"), source, store)


def test_progress_counts_the_answers(
    zoo: Path, serve: Serve, store: Catalog, write_repository: Write
) -> None:
    """Models that are described already are no question."""
    scanned(zoo, write_repository)
    source = source_of(serve())
    told: list[tuple[int, int]] = []
    models = [source.model("plain"), *rows(source, "demo/ant", "demo/bee")]
    describe_all(models, source, store, progress=lambda done, n: told.append((done, n)))
    assert told == [(1, 2), (2, 2)]


LIES: dict[str, tuple[object, int | None]] = {
    "far too few": ({"parameters": {"F32": 333_312}, "total": 333_312}, 333_312),
    "far too many": ({"parameters": {"F32": 7_600_000_000}}, 7_600_000_000),
    "as many bytes": ({"parameters": {"F16": 140}, "total": 140}, 140),
    "the truth": ({"parameters": {"F32": 70}, "total": 70}, None),
    "nothing": (None, None),
    "nonsense": ({"parameters": "many", "total": -1}, None),
}


@pytest.mark.parametrize(("told", "expected"), LIES.values(), ids=LIES.keys())
def test_a_lying_card_is_flagged(
    zoo: Path, serve: Serve, write_repository: Write, told: object, expected: int | None
) -> None:
    """The files' headers decide, and what was told otherwise is kept beside."""
    write_repository(zoo / "plain", hub={"safetensors": told, "downloads": 1})
    model = model_of(serve())
    assert (model.parameters, model.told_parameters) == ({"F32": 70}, expected)


QUANTIZED: dict[str, tuple[dict[str, Any], str | None]] = {
    "gptq": ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
    "old bitsandbytes": ({"quantization_config": {"load_in_8bit": True}}, "bitsandbytes"),
    "compressed": ({"compression_config": {"quant_method": "sparseml"}}, "sparseml"),
    "no name": ({"quantization_config": {"bits": 4}}, "unknown"),
    "no object": ({"quantization_config": "gptq"}, "unknown"),
    "none": ({"quantization_config": None}, None),
}


@pytest.mark.parametrize(("config", "expected"), QUANTIZED.values(), ids=QUANTIZED.keys())
def test_packed_weights_are_recognised(
    zoo: Path, serve: Serve, write_repository: Write, config: dict[str, Any], expected: str | None
) -> None:
    """By the method that the config names."""
    write_repository(zoo / "plain", config=config)
    assert model_of(serve()).quantization == expected


def test_packed_weights_are_recognised_by_a_file(
    zoo: Path, serve: Serve, write_repository: Write
) -> None:
    """GPTQ's own file is older than the config's entry."""
    write_repository(zoo / "plain", files={"quantize_config.json": b"{}"})
    assert model_of(serve()).quantization == "gptq"


UNSAFE = {"path": "pytorch_model.bin", "level": "unsafe"}
SUSPICIOUS = {"path": "x.pkl", "level": "suspicious"}
SCANS: dict[str, tuple[object, str | None]] = {
    "safe": ({"scansDone": True, "filesWithIssues": []}, "safe"),
    "not ended": ({"scansDone": False, "filesWithIssues": []}, None),
    "never": (None, None),
    "nonsense": ([1], None),
    "the worst first": (
        {"scansDone": True, "filesWithIssues": [SUSPICIOUS, UNSAFE]},
        "unsafe: pytorch_model.bin; suspicious: x.pkl",
    ),
    "found before the end": ({"filesWithIssues": [UNSAFE]}, "unsafe: pytorch_model.bin"),
    "many": (
        {"filesWithIssues": [UNSAFE] * 5},
        "; ".join(["unsafe: pytorch_model.bin"] * 3 + ["2 more"]),
    ),
    "unreadable": ({"filesWithIssues": ["x"]}, "flagged in a form that cannot be read"),
    "escapes": ({"filesWithIssues": [{"path": "\x1b[2J"}]}, "flagged: \\x1b[2J"),
}


@pytest.mark.parametrize(("told", "expected"), SCANS.values(), ids=SCANS.keys())
def test_the_scan_is_told_in_words(told: object, expected: str | None) -> None:
    """Whatever its shape, a finding is never mistaken for `safe`."""
    assert security({"securityRepoStatus": told}) == expected


def test_the_scan_and_the_summary_are_asked_for(
    zoo: Path, serve: Serve, write_repository: Write
) -> None:
    """The API tells the one, the card's first bytes the other."""
    card = "---\nlicense: mit\n---\n# Ant\n\nA small **classifier** of film reviews.\n\nMore.\n"
    scan = {"scansDone": True, "filesWithIssues": [UNSAFE]}
    write_repository(zoo / "plain", card=card, hub={"securityRepoStatus": scan})
    hub = serve()
    model = model_of(hub)
    assert model.security == "unsafe: pytorch_model.bin"
    assert model.summary == "A small classifier of film reviews."
    assert "securityStatus=true" in hub.requests[0][1]


def test_a_card_that_cannot_be_read_costs_only_the_summary(
    zoo: Path, serve: Serve, write_repository: Write
) -> None:
    """The model runs without it."""
    write_repository(zoo / "plain", card="A small classifier of film reviews.")
    model = model_of(serve(faults=[Fault(r"README\.md", None, status(500))]))
    assert model.summary is None
    assert model.labels


INFO: dict[str, Any] = {
    "id": "demo/ant", "sha": "0" * 40, "pipeline_tag": "text-classification", "gated": False,
    "siblings": [{"rfilename": "model.safetensors", "size": 9, "lfs": {"sha256": "a" * 64}}],
    "safetensors": {"parameters": {"F32": 70}, "total": 70}, "tags": ["license:mit", "en"],
    "securityRepoStatus": {"scansDone": True, "filesWithIssues": [UNSAFE]}, "downloads": 5,
}  # fmt: skip
FILE = {"rfilename": st.text("a/.\x00\ud800"), "size": st.integers(), "path": st.none()}
ODD = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("a/\x1b\ud800", max_size=5),
    st.lists(st.none() | st.fixed_dictionaries({}, optional=FILE), max_size=3),
    st.just([{"rfilename": "a", "size": 1, "lfs": {"sha256": 7}}]),
    st.just({"filesWithIssues": {"a": 1}}),
)


@example({"siblings": [{"rfilename": "a\ud800.bin", "size": 1}]})
@given(st.dictionaries(st.sampled_from(sorted(INFO)), ODD, min_size=1, max_size=3))
def test_an_odd_answer_is_a_model_or_unreadable(changes: dict[str, Any]) -> None:
    """Nothing else is raised, whatever the values, and what is read can be kept."""
    try:
        model = read_info(INFO | changes, "hub")
    except Unreadable:
        return
    assert len(model.revision) == 40
    assert all(file.size_bytes >= 0 for file in model.files)
    assert all("\ud800" not in str(value) for value in to_row(model))
