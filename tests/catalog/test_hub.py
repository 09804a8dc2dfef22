"""The Hub as a source, against a real server on this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cache.errors import AccessRequired, NotFound, StoreError
from catalog.model import Model
from catalog.policy import Refusal
from catalog.sources.folder import FolderSource
from catalog.sources.hub import HubSource
from catalog.testing import LoopbackHub
from catalog.untrusted import Unreadable

Write = Callable[..., Path]


@pytest.fixture
def source(hub: LoopbackHub, tmp_path: Path) -> HubSource:
    """The zoo's Hub with an empty cache."""
    return HubSource(hub.endpoint, token=False, cache_folder=tmp_path / "cache")


def listed(source: HubSource, limit: int | None = None) -> list[str]:
    return [row.id for row in source.models("text-classification", limit=limit)]


def test_models_come_by_downloads_over_all_pages(source: HubSource) -> None:
    """The most downloaded first; other tasks stay out."""
    assert listed(source) == ["demo/cat", "demo/bee", "demo/ant", "plain"]


def test_a_limit_asks_for_no_more_than_it_needs(source: HubSource, hub: LoopbackHub) -> None:
    """One model is one page, one description, one config and one header."""
    assert listed(source, limit=1) == ["demo/cat"]
    assert len(hub.requests) == 4


def test_the_hub_and_the_folder_tell_the_same(source: HubSource, zoo: Path) -> None:
    """All facts of a model agree, whichever way it came."""
    facts = ["id", "task", "parameters", "labels", "label2id", "n_layers", "embedding_parameters",
             "max_length", "download_bytes", "architecture", "has_remote_code"]  # fmt: skip
    online, local = source.model("demo/ant"), FolderSource(zoo).model("demo/ant")
    assert [getattr(online, fact) for fact in facts] == [getattr(local, fact) for fact in facts]


def test_the_api_tells_popularity_and_the_card(tmp_path: Path, write_repository: Write) -> None:
    """Downloads, likes, licence and published results come with the description."""
    card = "---\nlicense: mit\nlanguage: de\nmodel-index:\n- results:\n  - dataset: {name: X}\n    metrics: [{type: f1, value: 0.5}]\n---\n"  # noqa: E501
    write_repository(tmp_path / "a", card=card, hub={"downloads": 7, "likes": 3})
    with LoopbackHub(tmp_path) as hub:
        model = HubSource(hub.endpoint, token=False).model("a")
    assert (model.downloads, model.likes, model.license) == (7, 3, "mit")
    assert [(result.metric, result.value) for result in model.published] == [("f1", 0.5)]


@pytest.mark.parametrize(
    "told",
    [None, {"parameters": {"F32": 7_600_000_000}, "total": 1}, {"parameters": {"F99": 70}}, "much"],
    ids=["missing", "lying", "unknown dtype", "wrong type"],
)
def test_untrue_parameter_counts_are_read_from_the_header(
    zoo: Path, source: HubSource, write_repository: Write, told: object
) -> None:
    """What the API tells must fit the bytes of the weights, or is not believed."""
    write_repository(zoo / "plain", hub={"safetensors": told, "downloads": 1})
    assert source.model("plain").parameters == {"F32": 70}


def test_a_long_header_takes_a_second_request(
    zoo: Path, source: HubSource, write_repository: Write, weights_file: Callable[..., bytes]
) -> None:
    """A header beyond the first 100,000 bytes is read whole."""
    many = {f"tensor {index:06}": ("F32", [1], 4) for index in range(2000)}
    files = {"model.safetensors": weights_file(many)}
    write_repository(zoo / "plain", hub={"safetensors": None}, files=files)
    assert source.model("plain").parameters == {"F32": 2000}


def test_fetch_brings_the_named_files_only(source: HubSource, zoo: Path) -> None:
    """They lie in the snapshot of the model's own commit."""
    model = source.model("demo/ant")
    folder = source.fetch(model, ["config.json", "model.safetensors"])
    assert folder.name == model.revision
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_second_fetch_asks_nothing(source: HubSource, hub: LoopbackHub) -> None:
    """What is in the cache works without any network."""
    model = source.model("demo/ant")
    folder = source.fetch(model, ["config.json"])
    n_requests = len(hub.requests)
    assert source.fetch(model, ["config.json"]) == folder
    assert len(hub.requests) == n_requests


def test_a_damaged_download_is_fetched_again(source: HubSource, zoo: Path) -> None:
    """Same size, other bytes: the checksum tells, and the file is renewed."""
    model = source.model("demo/ant")
    weights = source.fetch(model, ["model.safetensors"]) / "model.safetensors"
    weights.write_bytes(bytes(weights.stat().st_size))
    source.fetch(model, ["model.safetensors"])
    assert weights.read_bytes() == (zoo / "demo/ant/model.safetensors").read_bytes()


def test_a_file_that_stays_damaged_is_unreadable(source: HubSource, zoo: Path) -> None:
    """After the second try the model's file is given up, by name."""
    model = source.model("demo/ant")
    lied = Model(
        model.id, model.revision, model.source,
        files=tuple(type(file)(file.path, file.size_bytes, "0" * 64) for file in model.files),
    )  # fmt: skip
    with pytest.raises(Unreadable, match=r"model\.safetensors has not the SHA-256"):
        source.fetch(lied, ["model.safetensors"])


def test_fetch_refuses_paths_that_the_model_does_not_list(source: HubSource) -> None:
    """Nothing is asked of the network for them."""
    with pytest.raises(NotFound, match="lists no file"):
        source.fetch(source.model("demo/ant"), ["../secret"])


def test_a_full_disk_is_noticed_before_the_download(
    source: HubSource, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is asked for, and the message has the sizes and the way out."""
    model = source.model("demo/ant")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    n_requests = len(hub.requests)
    with pytest.raises(StoreError, match=r"has 1 MB.*HF_HOME"):
        source.fetch(model, ["model.safetensors"])
    assert not any("resolve" in path for _, path in hub.requests[n_requests:])


def test_a_missing_model_is_answered_with_the_nearest(source: HubSource) -> None:
    """The Hub's own search finds what was meant."""
    with pytest.raises(NotFound, match="Did you mean 'demo/cat'"):
        source.model("other/cat")


def test_a_missing_revision_is_named(source: HubSource) -> None:
    """The id is right, the revision is not."""
    with pytest.raises(NotFound, match="check the revision"):
        source.model("demo/cat", "v9")


def test_a_gated_model_is_listed_as_gated(zoo: Path) -> None:
    """A crawl goes on and knows what the public description tells."""
    with LoopbackHub(zoo, gated=["plain"], token="right") as hub:
        found = {
            row.id: row for row in HubSource(hub.endpoint, False).models("text-classification")
        }
    assert {id for id, row in found.items() if isinstance(row, Model) and row.gated} == {"plain"}
    assert len(found) == 4


def test_a_named_gated_model_says_where_to_ask(zoo: Path) -> None:
    """The message has the page's address and never the token."""
    with (
        LoopbackHub(zoo, gated=["plain"], token="right") as hub,
        pytest.raises(AccessRequired, match=f"{hub.endpoint}/plain") as caught,
    ):
        HubSource(hub.endpoint, "hf_wrong_secret").model("plain")
    assert "hf_wrong_secret" not in str(caught.value)


def test_the_right_token_opens_a_gated_model(zoo: Path, tmp_path: Path) -> None:
    """With access it is a model like any other, files included."""
    with LoopbackHub(zoo, gated=["plain"], token="right") as hub:
        source = HubSource(hub.endpoint, "right", tmp_path / "cache")
        model = source.model("plain")
        assert not model.gated
        assert (source.fetch(model, ["vocab.txt"]) / "vocab.txt").is_file()


BAD_ROWS: dict[str, dict[str, object]] = {
    "no commit": {"sha": "main"},
    "siblings without size": {"siblings": [{"rfilename": "config.json"}]},
    "a file without a name": {"siblings": [{"rfilename": 7, "size": 1}]},
}


@pytest.mark.parametrize("overrides", BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_a_refusal(
    zoo: Path, source: HubSource, write_repository: Write, overrides: dict[str, object]
) -> None:
    """The rest of the page is read as ever."""
    write_repository(zoo / "plain", hub=overrides)
    found = {row.id: row for row in source.models("text-classification")}
    assert isinstance(found.pop("plain"), Refusal)
    assert all(isinstance(row, Model) for row in found.values())


def test_a_broken_config_is_a_refusal(
    zoo: Path, source: HubSource, write_repository: Write
) -> None:
    """The reason says what was found in its place."""
    card = "---\npipeline_tag: text-classification\n---\n"
    write_repository(zoo / "plain", card=card, files={"config.json": b"[1]"})
    found = {row.id: row for row in source.models("text-classification")}
    assert found["plain"] == Refusal("plain", "corrupt", "expected a JSON object, found list")


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [("https://huggingface.co/", "hub"), ("https://mirror.example", "hub:https://mirror.example")],
)
def test_a_mirror_is_a_source_of_its_own(endpoint: str, name: str) -> None:
    """What a mirror lists is not mistaken for the Hub's."""
    assert HubSource(endpoint).name == name


ENVIRONMENT = """
from catalog.sources.hub import HubSource
source = HubSource()
model = source.model("plain")
print(source.endpoint, model.gated, source.fetch(model, ["vocab.txt"]))
"""


def test_the_environment_sets_endpoint_token_and_cache(zoo: Path, tmp_path: Path) -> None:
    """HF_ENDPOINT, HF_TOKEN and HF_HOME are honoured, and nothing else is printed."""
    with LoopbackHub(zoo, gated=["plain"], token="right") as hub:
        environment = os.environ | {
            "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "right", "HF_HOME": str(tmp_path / "home"),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", ENVIRONMENT], env=environment, capture_output=True, text=True
        )  # fmt: skip
    assert done.stdout.startswith(f"{hub.endpoint} False {tmp_path / 'home'}")
    assert done.stderr == ""
