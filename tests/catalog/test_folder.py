"""A directory of repositories as a source."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cache.errors import BadInput, NotFound, SourceUnavailable
from catalog.model import Model
from catalog.policy import Refusal
from catalog.sources.folder import FolderSource
from catalog.store import Catalog

Write = Callable[..., Path]


def listed(source: FolderSource, task: str | None = None) -> list[str]:
    return [found.id for found in source.models(task)]


def test_models_lie_one_or_two_levels_deep(zoo: Path) -> None:
    """Ids are `name` or `owner/name`, as on the Hub."""
    assert listed(FolderSource(zoo)) == ["demo/ant", "demo/bee", "demo/cat", "demo/ner", "plain"]


def test_models_are_chosen_by_their_head(zoo: Path) -> None:
    """Without a card the architecture tells the task."""
    assert listed(FolderSource(zoo), "token-classification") == ["demo/ner"]


def test_the_card_decides_the_task(tmp_path: Path, write_repository: Write) -> None:
    """What the card says goes before what the architecture suggests."""
    write_repository(tmp_path / "a", card="---\npipeline_tag: text-ranking\nlicense: mit\n---\n")
    found = FolderSource(tmp_path).model("a")
    assert (found.task, found.license) == ("text-ranking", "mit")


def test_a_model_is_described_from_its_files(zoo: Path) -> None:
    """Parameters come from the header, labels from the config, sizes from the disk."""
    model = FolderSource(zoo).model("plain")
    assert (model.parameters, model.labels) == ({"F32": 70}, ("negative", "positive"))
    assert model.weight_files[0].size_bytes == (zoo / "plain/model.safetensors").stat().st_size
    assert len(model.revision) == 40


def test_the_revision_follows_the_contents(zoo: Path) -> None:
    """A changed vocabulary is another revision, a changed card is not."""
    source = FolderSource(zoo)
    before = source.model("plain").revision
    (zoo / "plain/README.md").write_text("# new words\n")
    assert source.model("plain").revision == before
    (zoo / "plain/vocab.txt").write_text("[UNK]\n[PAD]\n")
    assert source.model("plain").revision != before


def test_equal_contents_have_equal_revisions_anywhere(
    tmp_path: Path, write_repository: Write
) -> None:
    """Neither the place nor the time of a copy enters the revision."""
    write_repository(tmp_path / "x/a")
    write_repository(tmp_path / "y/b")
    revisions = {
        FolderSource(tmp_path / x).model(id).revision for x, id in [("x", "a"), ("y", "b")]
    }
    assert len(revisions) == 1


def test_a_remembered_hash_spares_reading_the_file(zoo: Path, store: Catalog) -> None:
    """The second look takes the hash from the store: a false one there shows in the revision."""
    before = FolderSource(zoo, memo=store).model("plain").revision
    status = (zoo / "plain/vocab.txt").stat()
    path = str((zoo / "plain/vocab.txt").resolve())
    assert store.known_sha256(path, status.st_size, status.st_mtime_ns)
    store.remember_sha256(path, status.st_size, status.st_mtime_ns, "0" * 64)
    assert FolderSource(zoo, memo=store).model("plain").revision != before


BROKEN = {
    "no config": {"config.json": None},
    "config is no JSON": {"config.json": b"{"},
    "config is a list": {"config.json": b"[]"},
    "config is too deep": {"config.json": b'{"a":' * 3000},
    "weights are cut": {"model.safetensors": b"\x10\0\0\0\0\0\0\0{}"},
}  # fmt: skip


@pytest.mark.parametrize("files", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_repository_is_a_refusal(zoo: Path, files: dict[str, bytes | None]) -> None:
    """The others are still listed."""
    for path, content in files.items():
        place = zoo / "demo/bee" / path
        place.write_bytes(content) if content is not None else place.unlink()
    found = {row.id: row for row in FolderSource(zoo).models(None)}
    assert isinstance(found["demo/bee"], Refusal)
    assert found["demo/bee"].state == "corrupt"
    assert sum(isinstance(row, Model) for row in found.values()) == 4


def test_a_pipe_is_not_opened(zoo: Path) -> None:
    """Reading one would wait for a writer for ever; its model is refused, the others are listed."""
    for path in ("demo/bee/model.safetensors", "demo/ant/extra.json"):
        (zoo / path).unlink(missing_ok=True)
        os.mkfifo(zoo / path)
    os.mkfifo(zoo / "config.json")
    found = {row.id: row for row in FolderSource(zoo).models(None)}
    refused = {id: row.reason for id, row in found.items() if isinstance(row, Refusal)}
    assert refused.keys() == {"demo/ant", "demo/bee"}
    assert refused["demo/bee"].startswith("model.safetensors is no regular file")
    (zoo / "plain/config.json").unlink()
    os.mkfifo(zoo / "plain/config.json")
    with pytest.raises(BadInput, match=r"config\.json is no regular file"):
        FolderSource(zoo).model("plain")


def test_a_link_out_of_the_folder_is_not_followed(zoo: Path, tmp_path: Path) -> None:
    """Neither what it leads to is read, nor is anything with it run."""
    secret = tmp_path / "secret"
    secret.write_text('{"key": 1}')
    (zoo / "plain/tokenizer.json").symlink_to(secret)
    (zoo / "demo/ant/tokenizer.json").symlink_to(tmp_path / "nowhere")
    (zoo / "demo/bee/vocab.txt").unlink()
    (zoo / "demo/bee/vocab.txt").symlink_to(zoo / "demo/cat/vocab.txt")
    found = {row.id: row for row in FolderSource(zoo).models(None)}
    refused = {id: row.reason for id, row in found.items() if isinstance(row, Refusal)}
    assert refused == {
        "plain": "tokenizer.json is a link that leads out of the folder; put a copy in its place",
        "demo/ant": "tokenizer.json is a link that leads nowhere; remove it, or put the file in "
        "its place",
    }


def test_a_whole_model_may_be_linked(zoo: Path, tmp_path: Path) -> None:
    """A folder of links is how its owner put it together."""
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen/mine").symlink_to(zoo / "plain")
    assert listed(FolderSource(tmp_path / "chosen")) == ["mine"]


def test_the_hubs_cache_can_be_read(tmp_path: Path, write_repository: Write) -> None:
    """Its snapshots hold links to blobs of the same repository, and no other's."""
    cache = tmp_path / "models--demo--ant"
    folder = write_repository(cache / "snapshots" / ("a" * 40))
    (cache / "blobs").mkdir()
    for file in list(folder.iterdir()):
        file.rename(cache / "blobs" / f"of-{file.name}")
        file.symlink_to(f"../../blobs/of-{file.name}")
    source = FolderSource(cache / "snapshots")
    assert listed(source) == ["a" * 40]
    (folder / "vocab.txt").unlink()
    (folder / "vocab.txt").symlink_to(tmp_path / "models--other/blobs/x")
    (tmp_path / "models--other/blobs").mkdir(parents=True)
    (tmp_path / "models--other/blobs/x").write_text("[PAD]")
    assert [type(row) for row in source.models(None)] == [Refusal]


def test_a_missing_model_is_answered_with_the_nearest(zoo: Path) -> None:
    """A slip in the name leads to the model that was meant."""
    with pytest.raises(NotFound, match="Did you mean 'demo/bee'"):
        FolderSource(zoo).model("demo/be")


@pytest.mark.parametrize("id", ["../zoo/plain", "/etc", "demo/../plain", "", "a/b/c"])
def test_an_id_cannot_leave_the_folder(zoo: Path, id: str) -> None:
    """What is no id is no model, wherever it points."""
    with pytest.raises(NotFound):
        FolderSource(zoo).model(id)


def test_another_revision_is_not_found(zoo: Path) -> None:
    """A folder keeps no history; a prefix of the present revision is enough."""
    source = FolderSource(zoo)
    revision = source.model("plain").revision
    assert source.model("plain", revision[:8]).revision == revision
    with pytest.raises(NotFound, match="present revision only"):
        source.model("plain", "0" * 40)


def test_fetch_gives_the_folder_itself(zoo: Path) -> None:
    """Nothing is copied."""
    source = FolderSource(zoo)
    assert source.fetch(source.model("demo/ant"), ["config.json", "vocab.txt"]) == zoo / "demo/ant"


def test_fetch_refuses_what_has_changed_since(zoo: Path) -> None:
    """Same size, other bytes: the listed revision is gone."""
    source = FolderSource(zoo)
    model = source.model("plain")
    (zoo / "plain/vocab.txt").write_text("[PAD]\n[UNX]\n")
    with pytest.raises(NotFound, match="crawl the folder again"):
        source.fetch(model, ["vocab.txt"])


@pytest.mark.parametrize("path", ["../plain/config.json", "missing.json"])
def test_fetch_gives_listed_files_only(zoo: Path, path: str) -> None:
    """A path that the model does not list is not found, whatever lies there."""
    source = FolderSource(zoo)
    with pytest.raises(NotFound, match="lists no file"):
        source.fetch(source.model("demo/ant"), [path])


def test_a_missing_folder_is_unavailable(tmp_path: Path) -> None:
    """The message names the folder and the layout that is expected."""
    with pytest.raises(SourceUnavailable, match="one folder a model"):
        list(FolderSource(tmp_path / "nowhere").models(None))


def test_a_folder_that_is_itself_a_model_is_wrong_use(zoo: Path) -> None:
    """The user is sent one level up."""
    with pytest.raises(BadInput, match="directory above"):
        list(FolderSource(zoo / "plain").models(None))


def test_code_in_a_repository_is_noticed(tmp_path: Path, write_repository: Write) -> None:
    """A Python file and an auto_map both count."""
    write_repository(tmp_path / "a", files={"modeling_a.py": b""})
    write_repository(tmp_path / "b", config={"auto_map": {"AutoModel": "x.Y"}})
    write_repository(tmp_path / "c")
    flags = [FolderSource(tmp_path).model(id).has_remote_code for id in "abc"]
    assert flags == [True, True, False]


def test_hidden_files_are_no_part_of_a_model(tmp_path: Path, write_repository: Write) -> None:
    """A .git folder changes with every pull and holds nothing that runs."""
    write_repository(tmp_path / "a", files={".git/HEAD": b"x", ".cache/y": b"z"})
    paths = {file.path for file in FolderSource(tmp_path).model("a").files}
    assert paths == {"config.json", "model.safetensors", "vocab.txt"}


def test_sharded_weights_are_counted_together(
    tmp_path: Path, write_repository: Write, weights_file: Callable[..., bytes]
) -> None:
    """Every part's header is read; the index is none."""
    part = weights_file({"a": ("F16", [3], 6)})
    files = {f"model-0000{i}-of-00002.safetensors": part for i in (1, 2)}
    weight_map = {f"a{i}": f"model-0000{i}-of-00002.safetensors" for i in (1, 2)}
    files["model.safetensors.index.json"] = json.dumps({"weight_map": weight_map}).encode()
    folder = write_repository(tmp_path / "a", files=files)
    (folder / "model.safetensors").unlink()
    assert FolderSource(tmp_path).model("a").parameters == {"F16": 6}
