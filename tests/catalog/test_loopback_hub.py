"""The loopback Hub answers the real client as the Hub does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    DisabledRepoError,
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


FILTERS = {
    "author": ({"author": "demo"}, {"ant", "bee", "cat", "ner"}),
    "search": ({"search": "EE"}, {"bee"}),
    "gated": ({"gated": True}, {"cat"}),
    "open": ({"gated": False, "pipeline_tag": "text-classification"}, {"ant", "bee", "plain"}),
    "base model": ({"filter": "base_model:demo/ant"}, {"bee"}),
    "tags together": ({"filter": ["de", "license:mit"]}, {"bee"}),
    "nothing": ({"filter": ["de", "license:gpl"]}, set()),
}


@pytest.mark.parametrize(("asked", "names"), FILTERS.values(), ids=FILTERS.keys())
def test_each_filter_is_the_servers_work(zoo: Path, asked: dict[str, Any], names: set[str]) -> None:
    """They hold together, and a tag may be asked for again and again."""
    (zoo / "demo/bee/README.md").write_text(
        "---\nlicense: mit\nlanguage: de\nbase_model: demo/ant\n---\n"
    )
    with LoopbackHub(zoo, gated=["demo/cat"]) as hub:
        found = {model.id.rpartition("/")[2] for model in api(hub).list_models(**asked)}
    assert found == names


@pytest.mark.parametrize("sort", ["created_at", "downloads", "last_modified", "likes"])
def test_each_order_begins_with_the_largest(zoo: Path, hub: LoopbackHub, sort: str) -> None:
    """Equal values follow by id, over all pages."""
    for place, name in enumerate(["plain", "demo/ner", "demo/ant"]):
        for path in (zoo / name).iterdir():
            os.utime(path, (0, 10**9 + place))
    rows = list(api(hub).list_models(sort=sort, full=True))
    found = [(getattr(row, sort), row.id) for row in rows]
    by_id = sorted(found, key=itemgetter(1))
    assert found == sorted(by_id, key=itemgetter(0), reverse=True)
    assert len({value for value, _ in found}) > 1
    assert len(found) == 5


def test_a_cursor_stays_right_when_rows_vanish(zoo: Path, hub: LoopbackHub) -> None:
    """It means the row after which the page begins, not how many came before (fault F06)."""
    first = api(hub).list_models(sort="downloads", expand=["downloads"])
    seen = [next(first).id, next(first).id]  # type: ignore[call-overload]  # it is a generator
    shutil.rmtree(zoo / "demo/cat")
    assert [*seen, *(model.id for model in first)] == [
        "demo/cat", "demo/bee", "demo/ant", "demo/ner", "plain",
    ]  # fmt: skip


@pytest.mark.parametrize("query", ["sort=size", "cursor=x", "limit=many", "num_parameters=x"])
def test_a_bad_query_is_refused(hub: LoopbackHub, query: str) -> None:
    """Not answered as if it had asked for something else."""
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{hub.endpoint}/api/models?{query}")


def test_a_row_has_the_expanded_fields_only(hub: LoopbackHub) -> None:
    """Its id comes with any of them."""
    with urllib.request.urlopen(f"{hub.endpoint}/api/models?expand=sha&expand=config") as reply:
        assert {tuple(row) for row in json.load(reply)} == {("id", "sha", "config")}


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
    asked = ["vocab.txt", "no", "onnx/int8"]
    found = [info.path for info in api(hub).get_paths_info("plain", asked)]
    assert found == ["vocab.txt", "onnx/int8"]


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


def test_a_disabled_model_is_listed_and_shut(zoo: Path, write_repository: Write) -> None:
    """The client knows it by the message."""
    write_repository(zoo / "plain", hub={"disabled": True})
    with LoopbackHub(zoo) as hub:
        rows = api(hub).list_models(search="plain", expand=["disabled"])
        assert [row.disabled for row in rows] == [True]
        with pytest.raises(DisabledRepoError):
            api(hub).model_info("plain")


def test_a_renamed_model_is_redirected(
    zoo: Path, hub: LoopbackHub, write_repository: Write, tmp_path: Path
) -> None:
    """Its description and its files come under the new id."""
    write_repository(zoo / "plain", hub={"renamed_from": ["demo/old"]})
    assert api(hub).model_info("demo/old", files_metadata=True).id == "plain"
    place = api(hub).hf_hub_download("demo/old", "vocab.txt", cache_dir=tmp_path / "cache")
    assert Path(place).read_text() == "[PAD]\n[UNK]\n"


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


def test_data_sets_and_spaces_are_listed_by_themselves(zoo: Path, hub: LoopbackHub) -> None:
    """They share no ids with models."""
    for kind in ("datasets", "spaces"):
        (zoo / kind / "demo/ant").mkdir(parents=True)
        (zoo / kind / "demo/ant/README.md").write_text(f"---\nlicense: mit\nsdk: {kind}\n---\n")
    (zoo / "spaces/page").mkdir()
    (zoo / "spaces/page/config.json").write_text("{}")
    assert len(list(api(hub).list_models())) == 5
    assert [data.id for data in api(hub).list_datasets(filter="license:mit")] == ["demo/ant"]
    spaces = api(hub).list_spaces(full=True)
    assert [(space.id, space.sdk) for space in spaces] == [("demo/ant", "spaces"), ("page", None)]
    assert api(hub).dataset_info("demo/ant").sha != api(hub).model_info("demo/ant").sha


LOAD = """
import json, sys
from datasets import load_dataset
reviews = load_dataset("demo/reviews")
lines = load_dataset("demo/lines", split="train")
table = load_dataset("demo/table", split="train")
sys.modules["transformers"] = None  # evaluate would import it, for seconds and for nothing
import evaluate
del sys.modules["transformers"]
scored = evaluate.load("demo/exact").compute(predictions=[1, 2], references=[1, 1])
print(json.dumps([{name: rows.num_rows for name, rows in reviews.items()},
                  lines["a"][:], table["a"][:], scored]))
"""

METRIC = """
import datasets
import evaluate

class Exact(evaluate.Metric):
    def _info(self):
        value = datasets.Value("int64")
        features = datasets.Features({"predictions": value, "references": value})
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="", features=features
        )

    def _compute(self, predictions, references):
        pairs = list(zip(predictions, references))
        return {"exact": sum(first == second for first, second in pairs) / len(pairs)}
"""


def test_datasets_and_evaluate_load_by_id(tmp_path: Path) -> None:
    """Real clients, an empty home: CSV with two splits, JSON lines, Parquet, a metric."""
    import pyarrow
    import pyarrow.parquet

    files = {
        "datasets/demo/reviews/README.md": b"---\nlicense: mit\n---\n",
        "datasets/demo/reviews/data/train.csv": b"text,label\ngood,1\nbad,0\n",
        "datasets/demo/reviews/data/test.csv": b"text,label\nfine,1\n",
        "datasets/demo/lines/train.jsonl": b'{"a": 1}\n{"a": 2}\n',
        "datasets/demo/table/train.parquet": b"",
        "spaces/demo/exact/exact.py": METRIC.encode(),
    }
    root = tmp_path / "hub"
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    table = pyarrow.table({"a": [1, 2, 3]})
    pyarrow.parquet.write_table(table, root / "datasets/demo/table/train.parquet")
    with LoopbackHub(root) as hub:
        environment = os.environ | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home")}
        done = subprocess.run(
            [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == [{"train": 2, "test": 1}, [1, 2], [1, 2, 3], {"exact": 0.5}]
