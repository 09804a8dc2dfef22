"""An exported catalog as a source: what it lists, and where the files come from."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cache.errors import BadInput, NotFound, SourceUnavailable
from catalog.exported import export_catalog
from catalog.model import File, Model
from catalog.policy import Refusal
from catalog.repository import read_repository
from catalog.sources.snapshot import SnapshotSource
from catalog.store import Catalog

SHA = "0123456789abcdef0123456789abcdef01234567"
PATHS = ["config.json", "model.safetensors"]


@pytest.fixture
def repository(tmp_path: Path, write_repository: Callable[..., Path]) -> Path:
    return write_repository(
        tmp_path / "elsewhere" / "demo" / "ant", card="---\nlicense: mit\n---\n"
    )


@pytest.fixture
def model(repository: Path) -> Model:
    """A model of the Hub as it is described, with the hash of each file."""
    return replace(read_repository(repository, id="demo/ant", source="hub"), revision=SHA)


@pytest.fixture
def export(store: Catalog, model: Model, tmp_path: Path) -> Path:
    """A file with one described model, and one that only a listing told of."""
    row = Model(
        id="demo/bee", revision=SHA, source="hub", described=False, task="text-classification",
        downloads=7, gated=True,
    )  # fmt: skip
    store.upsert([model, row])
    folder = tmp_path / "carried"
    folder.mkdir()
    export_catalog(store, folder / "all.gz")
    return folder / "all.gz"


def in_cache(cache: Path, repository: Path, id: str) -> Path:
    """The files as the Hub's cache keeps them."""
    folder = cache / f"models--{id.replace('/', '--')}" / "snapshots" / SHA
    shutil.copytree(repository, folder)
    return folder


def test_it_lists_what_was_exported_as_its_own(export: Path, model: Model) -> None:
    """The models carry the snapshot as their source; a task and a limit choose among them."""
    source = SnapshotSource(export)
    assert source.name == f"snapshot:{export}"
    found = list(source.models("text-classification"))
    assert {each.id for each in found} == {"demo/ant", "demo/bee"}
    assert replace(model, source=source.name) in found
    assert list(source.models("translation")) == []
    assert len(list(source.models(None, limit=1))) == 1


def test_one_model_is_found_by_id_and_revision(export: Path) -> None:
    """An unknown one is answered with the nearest, and a file that is none with one line."""
    source = SnapshotSource(export)
    assert source.model("demo/ant", SHA[:7]).labels == ("negative", "positive")
    with pytest.raises(NotFound, match="Did you mean 'demo/ant'"):
        source.model("demo/amt")
    with pytest.raises(NotFound, match="another revision"):
        source.model("demo/ant", "beef")
    with pytest.raises(BadInput, match="snapshot:FILE"):
        SnapshotSource()
    export.write_bytes(b"not a catalog")
    with pytest.raises(BadInput, match="is no whole exported catalog"):
        source.model("demo/ant")


def test_files_come_from_the_copied_cache(
    export: Path, repository: Path, model: Model, tmp_path: Path
) -> None:
    """Whole and checked: a damaged file, and one that is missing, are not given out."""
    cached = in_cache(tmp_path / "cache", repository, "demo/ant")
    source = SnapshotSource(export, tmp_path / "cache")
    assert source.fetch(model, PATHS) == cached
    content = (cached / PATHS[1]).read_bytes()
    (cached / PATHS[1]).write_bytes(content[:-1] + b"!")
    with pytest.raises(SourceUnavailable, match="copy models--demo--ant"):
        source.fetch(model, PATHS)
    (cached / PATHS[1]).unlink()
    with pytest.raises(SourceUnavailable, match="or go online"):
        source.fetch(model, PATHS)


def test_files_come_from_a_folder_beside_the_export(
    export: Path, repository: Path, model: Model, tmp_path: Path
) -> None:
    """`FOLDER/OWNER/NAME` next to the exported file is enough."""
    beside = shutil.copytree(repository, export.parent / "demo" / "ant")
    source = SnapshotSource(export, tmp_path / "no cache")
    assert source.fetch(model, PATHS) == beside
    secret = "../../elsewhere/demo/ant/config.json"
    for liar in (model, replace(model, files=(File(secret, model.files[0].size_bytes),))):
        with pytest.raises(NotFound, match="lists no file"):
            source.fetch(liar, [secret])


def test_a_listed_model_is_described_by_its_files(
    export: Path, repository: Path, tmp_path: Path
) -> None:
    """Labels and sizes come from the cache, popularity and revision from the listing."""
    source = SnapshotSource(export, tmp_path / "cache")
    listed = next(each for each in source.models(None) if each.id == "demo/bee")
    assert isinstance(listed, Model)
    away = source.describe(listed)
    assert isinstance(away, Refusal)
    assert away.state == "unreachable"
    with pytest.raises(SourceUnavailable, match="copy models--demo--bee"):
        source.model("demo/bee")

    in_cache(tmp_path / "cache", repository, "demo/bee")
    found = source.describe(listed)
    assert isinstance(found, Model)
    assert (found.labels, found.license) == (("negative", "positive"), "mit")
    assert (found.revision, found.downloads, found.gated) == (SHA, 7, False)
    assert source.fetch(found, PATHS).name == SHA


def test_a_replaced_file_is_noticed(
    export: Path, store: Catalog, model: Model, tmp_path: Path
) -> None:
    """For each task that was read to its end, by the next program too; a lost one is no news."""
    task = "text-classification"
    source = SnapshotSource(export, memo=store)
    assert source.is_changed(task)
    list(source.listing({"task": task}, limit=1))
    assert source.is_changed(task)
    list(source.listing({"task": task}))
    assert not SnapshotSource(export, memo=store).is_changed(task)
    assert source.is_changed(None)
    assert source.is_changed("translation")
    list(source.listing({}))
    assert not source.is_changed("translation")
    store.upsert([replace(model, id="demo/cat")])
    export_catalog(store, export)
    assert source.is_changed(task)
    export.unlink()
    assert not source.is_changed(task)
