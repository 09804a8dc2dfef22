"""The loopback Hub answers the real client as the Hub does."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from catalog.sources.folder import FolderSource
from catalog.testing import LoopbackHub

Write = Callable[..., Path]


def api(hub: LoopbackHub, token: str | bool = False) -> HfApi:
    return HfApi(endpoint=hub.endpoint, token=token)


def test_a_listing_goes_over_several_pages(hub: LoopbackHub) -> None:
    """Five models at two a page are three requests, linked one to the next."""
    ids = [model.id for model in api(hub).list_models()]
    assert sorted(ids) == ["demo/ant", "demo/bee", "demo/cat", "demo/ner", "plain"]
    assert len(hub.requests) == 3


def test_a_listing_is_filtered_and_sorted(hub: LoopbackHub) -> None:
    """Task, tags and the order by downloads are the server's work."""
    found = api(hub).list_models(
        pipeline_tag="text-classification", filter=["transformers", "safetensors"],
        sort="downloads", limit=3, expand=["downloads", "safetensors"],
    )  # fmt: skip
    rows = [(model.id, model.downloads, model.safetensors.total) for model in found]
    assert rows == [("demo/cat", 30, 70), ("demo/bee", 20, 70), ("demo/ant", 10, 70)]


@pytest.mark.parametrize(("bounds", "n"), [("max:69", 0), ("min:70,max:1K", 5), ("min:1M", 0)])
def test_a_listing_is_bounded_by_parameters(hub: LoopbackHub, bounds: str, n: int) -> None:
    """Both bounds are included, with the units K, M and B."""
    assert len(list(api(hub).list_models(num_parameters=bounds))) == n


def test_model_info_tells_sizes_and_hashes(hub: LoopbackHub, zoo: Path) -> None:
    """Large files carry their SHA-256, all files their size."""
    info = api(hub).model_info("demo/ant", files_metadata=True)
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    assert sizes == {name: (zoo / "demo/ant" / name).stat().st_size for name in sizes}
    assert {file.rfilename for file in info.siblings or () if file.lfs} == {"model.safetensors"}
    assert (info.downloads, info.pipeline_tag) == (10, "text-classification")


def test_safetensors_metadata_is_read_by_ranges(hub: LoopbackHub) -> None:
    """The client counts the parameters from the header's bytes."""
    assert api(hub).get_safetensors_metadata("plain").parameter_count == {"F32": 70}


def test_trees_and_paths_are_listed(zoo: Path, hub: LoopbackHub) -> None:
    """Folders show once at their level; recursive listings go below."""
    (zoo / "plain/onnx/int8").mkdir(parents=True)
    (zoo / "plain/onnx/int8/model.onnx").write_bytes(b"x")
    top = [entry.path for entry in api(hub).list_repo_tree("plain")]
    everything = [entry.path for entry in api(hub).list_repo_tree("plain", recursive=True)]
    assert "onnx" in top
    assert "onnx/int8/model.onnx" not in top
    assert {"onnx", "onnx/int8", "onnx/int8/model.onnx"} <= set(everything)
    assert [info.path for info in api(hub).get_paths_info("plain", ["vocab.txt", "no"])] == [
        "vocab.txt"
    ]


def test_a_snapshot_holds_the_chosen_files(hub: LoopbackHub, zoo: Path, tmp_path: Path) -> None:
    """Contents arrive whole, under the commit that the API tells."""
    folder = Path(
        api(hub).snapshot_download(
            "demo/ant", allow_patterns=["*.safetensors", "vocab.txt"], cache_dir=tmp_path / "cache"
        )
    )
    assert folder.name == api(hub).model_info("demo/ant").sha
    assert sorted(path.name for path in folder.iterdir()) == ["model.safetensors", "vocab.txt"]
    same = (zoo / "demo/ant/model.safetensors").read_bytes()
    assert (folder / "model.safetensors").read_bytes() == same


def test_a_changed_file_is_another_commit(hub: LoopbackHub, zoo: Path) -> None:
    """Also a card belongs to the history, as on the Hub."""
    before = api(hub).model_info("plain").sha
    (zoo / "plain/README.md").write_text("# words\n")
    assert api(hub).model_info("plain").sha != before


def test_what_is_missing_is_named_as_the_hub_names_it(hub: LoopbackHub, tmp_path: Path) -> None:
    """The client tells a repository, a revision and a file apart."""
    with pytest.raises(RepositoryNotFoundError):
        api(hub).model_info("demo/none")
    with pytest.raises(RevisionNotFoundError):
        api(hub).model_info("plain", revision="v9")
    with pytest.raises(RemoteEntryNotFoundError):
        api(hub).hf_hub_download("plain", "none.txt", cache_dir=tmp_path)


@pytest.mark.parametrize("token", [False, "wrong"])
def test_a_gated_file_needs_the_token(zoo: Path, tmp_path: Path, token: str | bool) -> None:
    """The description stays public, the files do not."""
    with LoopbackHub(zoo, gated=["plain"], token="right") as hub:
        assert api(hub, token).model_info("plain").gated == "manual"
        with pytest.raises(GatedRepoError):
            api(hub, token).hf_hub_download("plain", "config.json", cache_dir=tmp_path)
        opened = api(hub, "right").hf_hub_download("plain", "config.json", cache_dir=tmp_path)
    assert json.loads(Path(opened).read_text())["model_type"] == "bert"


def test_a_private_model_is_hidden_without_the_token(
    tmp_path: Path, write_repository: Write
) -> None:
    """Neither a listing nor its own address tells of it."""
    write_repository(tmp_path / "secret", hub={"private": True})
    with LoopbackHub(tmp_path, token="right") as hub:
        assert list(api(hub).list_models()) == []
        with pytest.raises(RepositoryNotFoundError):
            api(hub).model_info("secret")
        assert [model.id for model in api(hub, "right").list_models()] == ["secret"]


@pytest.mark.parametrize(
    ("span", "expected", "status"),
    [("bytes=0-3", b"[PAD", 206), ("bytes=6-", b"[UNK]\n", 206), ("bytes=-2", b"]\n", 206),
     ("bytes=0-999", b"[PAD]\n[UNK]\n", 206), ("items=1", b"[PAD]\n[UNK]\n", 200)],
)  # fmt: skip
def test_a_range_gives_a_part(hub: LoopbackHub, span: str, expected: bytes, status: int) -> None:
    """First and last byte are both included (RFC 9110, section 14)."""
    request = urllib.request.Request(
        f"{hub.endpoint}/plain/resolve/main/vocab.txt", headers={"Range": span}
    )
    with urllib.request.urlopen(request) as reply:
        assert (reply.read(), reply.status) == (expected, status)


def test_a_broken_repository_is_served_as_it_is(zoo: Path, hub: LoopbackHub) -> None:
    """The Hub lists what people push; whoever reads it must cope."""
    (zoo / "plain/config.json").write_text("{")
    assert api(hub).model_info("plain").pipeline_tag is None


def test_the_script_serves_until_it_is_interrupted(zoo: Path) -> None:
    """It prints the address first, answers, and ends quietly."""
    command = [sys.executable, "-m", "catalog.testing", str(zoo)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        endpoint = server.stdout.readline().strip().removeprefix("HF_ENDPOINT=")
        with urllib.request.urlopen(f"{endpoint}/api/models/plain") as reply:
            assert json.load(reply)["id"] == "plain"
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
        assert server.stderr is not None
        assert server.stderr.read() == ""


FROM_PRETRAINED = """
import json
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("demo/tiny")
model = AutoModelForSequenceClassification.from_pretrained("demo/tiny")
tables = model.bert.embeddings.named_parameters()
print(json.dumps({
    "label": AutoConfig.from_pretrained("demo/tiny").id2label[1],
    "tokens": tokenizer.tokenize("a good film"),
    "shape": list(model(**tokenizer("a good film", return_tensors="pt")).logits.shape),
    "n_parameters": model.num_parameters(),
    "embedding_parameters": sum(t.numel() for name, t in tables if "LayerNorm" not in name),
}))
"""


def test_from_pretrained_loads_a_model_by_its_id(
    tmp_path: Path, tiny_repository: Callable[..., Path]
) -> None:
    """It comes over HTTP into an empty cache, and is as large as the catalog says."""
    tiny_repository(tmp_path / "hub/demo/tiny", labels=["bad", "good"], seed=0)
    known = FolderSource(tmp_path / "hub").model("demo/tiny")
    with LoopbackHub(tmp_path / "hub") as hub:
        environment = os.environ | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home")}
        done = subprocess.run(
            [sys.executable, "-c", FROM_PRETRAINED], env=environment, capture_output=True, text=True
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "label": "good", "tokens": ["a", "good", "film"], "shape": [1, 2],
        "n_parameters": known.n_parameters, "embedding_parameters": known.embedding_parameters,
    }  # fmt: skip
