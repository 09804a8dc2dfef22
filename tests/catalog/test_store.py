"""The catalog on disk."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache.errors import NotFound, StoreError
from catalog.model import File, Model, PublishedResult
from catalog.policy import Refusal
from catalog.store import CatalogStore, Crawl

A, B = "a" * 40, "b" * 40
TEXT = st.text("aZ09 é'\"\\\n\x00", max_size=8)  # all of Unicode takes seconds to set up
COUNT = st.integers(0, 2**53 - 1)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
FILES = st.builds(File, TEXT, COUNT, st.none() | TEXT)
RESULTS = st.builds(PublishedResult, TEXT, TEXT, st.floats(allow_nan=False, allow_infinity=False))
MODELS = st.builds(
    Model,
    id=TEXT, revision=st.text("0123456789abcdef", min_size=40, max_size=40), source=TEXT,
    task=st.none() | TEXT,
    parameters=st.dictionaries(TEXT, COUNT, max_size=2),
    files=st.lists(FILES, max_size=3).map(tuple),
    architecture=st.none() | TEXT, model_type=st.none() | TEXT, labels=TEXTS,
    label2id=st.dictionaries(TEXT, COUNT, max_size=2), n_layers=st.none() | COUNT,
    embedding_parameters=st.none() | COUNT, max_length=st.none() | COUNT,
    has_remote_code=st.booleans(), license=st.none() | TEXT, languages=TEXTS,
    library=st.none() | TEXT, base_models=TEXTS, datasets=TEXTS,
    published=st.lists(RESULTS, max_size=2).map(tuple), downloads=st.none() | COUNT,
    likes=st.none() | COUNT, gated=st.booleans(), disabled=st.booleans(),
    last_modified=st.none() | TEXT,
)  # fmt: skip


def model(id: str = "demo/ant", revision: str = A, source: str = "hub", **facts: object) -> Model:
    return Model(id, revision, source, **{"task": "text-classification", **facts})  # type: ignore[arg-type]


@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(MODELS)
def test_a_model_comes_back_as_it_was(store: CatalogStore, given_model: Model) -> None:
    """No field is lost, rounded or changed on the way through SQLite."""
    store.upsert([given_model])
    assert (
        store.get(given_model.id, revision=given_model.revision, sources=[given_model.source])
        == given_model
    )


def test_only_the_newest_revision_is_listed(store: CatalogStore) -> None:
    """A revision that is seen later takes the place of the former, whatever its hash."""
    store.upsert([model(revision=B)])
    store.upsert([model(revision=A)])
    assert [found.revision for found in store.models()] == [A]
    assert store.get("demo/ant", revision="bbbb").revision == B


def test_a_revision_that_was_only_named_is_not_listed(store: CatalogStore) -> None:
    """An old revision that a user asked for leaves the listing as it was."""
    store.upsert([model(revision=A)])
    store.upsert([model(revision=B), model("demo/old")], listed=False)
    assert [found.name for found in store.models()] == [model(revision=A).name]
    assert store.get("demo/ant").revision == A


def test_naming_the_listed_revision_keeps_it_listed(store: CatalogStore) -> None:
    """A pinned look-up of the newest revision changes nothing in the listing."""
    store.upsert([model(revision=A)])
    store.upsert([model(revision=A)], listed=False)
    assert [found.revision for found in store.models()] == [A]


def test_a_second_upsert_renews_a_model(store: CatalogStore) -> None:
    """The same revision is one row, with the figures that came last."""
    assert store.upsert([model(downloads=1), model("demo/bee")]) == 2
    store.upsert([model(downloads=5)])
    assert [(found.id, found.downloads) for found in store.models()] == [
        ("demo/ant", 5),
        ("demo/bee", None),
    ]


def test_models_come_by_downloads_and_unknown_downloads_last(store: CatalogStore) -> None:
    """Ties are ordered by id, so that a listing is the same every time."""
    counts = {"d": 1, "c": None, "b": 7, "a": 1}
    store.upsert(model(id, downloads=n) for id, n in counts.items())
    assert [found.id for found in store.models()] == ["b", "a", "d", "c"]
    assert [found.id for found in store.models(limit=1)] == ["b"]


def test_models_are_chosen_by_task_and_source(store: CatalogStore) -> None:
    """Both conditions hold together."""
    store.upsert([model("a"), model("b", source="folder:/x"), model("c", task="fill-mask")])
    found = store.models(task="text-classification", sources=["folder:/x", "folder:/y"])
    assert [each.id for each in found] == ["b"]


@pytest.mark.parametrize(
    ("id", "near"),
    [
        ("demo/ent", "demo/ant"),
        ("ant", "demo/ant"),
        ("other/ANT", "demo/ant"),
        ("demo/an", "demo/ant"),
        ("eleph", "demo/elephant"),
    ],
)
def test_an_unknown_id_is_answered_with_the_nearest(
    store: CatalogStore, id: str, near: str
) -> None:
    """A slip, a missing owner and another case all lead to the known model."""
    store.upsert([model(), model("demo/elephant")])
    with pytest.raises(NotFound, match=f"Did you mean '{near}'"):
        store.get(id)


def test_an_unknown_revision_is_answered_with_the_known_ones(store: CatalogStore) -> None:
    """The id is right: the message speaks of revisions only."""
    store.upsert([model()])
    with pytest.raises(NotFound, match="no known revision 'cccc'; known: aaaaaaaa"):
        store.get("demo/ant", revision="cccc")


def test_a_crawl_is_remembered_for_its_source_and_task(store: CatalogStore) -> None:
    """Another task of the same source has not been crawled."""
    store.record_crawl(Crawl("hub", "fill-mask", "2026-01-01", "2026-01-02", 3, 1))
    assert store.crawled("hub", "fill-mask") == "2026-01-02"
    assert store.crawled("hub", None) is None
    assert store.crawled("folder:/x", "fill-mask") is None


def test_unlisted_models_are_still_found_by_name(store: CatalogStore) -> None:
    """A model that vanished from its source stays for results that name it."""
    store.upsert([model("a"), model("b"), model("c", task="fill-mask")])
    assert store.unlist("hub", keep=["a"], task="text-classification") == 1
    assert [found.id for found in store.models()] == ["a", "c"]
    assert store.get("b").id == "b"


def test_stats_count_the_newest_revisions(store: CatalogStore) -> None:
    """Old revisions do not count twice, and silence counts as unknown."""
    store.upsert([model(revision=A, license="mit"), model(revision=B, license="mit"), model("b")])
    store.refuse("hub", [Refusal("x", "corrupt", "no config")])
    stats = store.stats()
    assert (stats.n_models, stats.n_refused) == (2, 1)
    assert stats.by_license == {"mit": 1, "unknown": 1}


def test_a_failed_upsert_leaves_nothing_behind(store: CatalogStore) -> None:
    """A page is stored whole or not at all."""
    with pytest.raises(OverflowError):
        store.upsert([model("a"), model("b", downloads=2**70)])
    assert store.models() == ()


def test_a_changed_file_has_no_known_hash(store: CatalogStore) -> None:
    """Size and time of change both belong to the key."""
    store.remember_sha256("/m", 5, 100, "abc")
    assert store.known_sha256("/m", 5, 100) == "abc"
    assert store.known_sha256("/m", 5, 101) is None
    assert store.known_sha256("/m", 6, 100) is None


def test_reading_a_catalog_needs_no_heavy_library(tmp_path: Path) -> None:
    """A second opening imports neither sqlite_utils nor huggingface_hub."""
    CatalogStore(tmp_path / "c.db").close()
    code = (
        "import sys; from pathlib import Path; from catalog.store import CatalogStore;"
        "CatalogStore(Path(sys.argv[1])).models();"
        "print(sorted({'sqlite_utils', 'huggingface_hub', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c.db")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_a_damaged_catalog_is_named(tmp_path: Path) -> None:
    """The error says which file it is and what to do."""
    (tmp_path / "c.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"c\.db.*move"):
        CatalogStore(tmp_path / "c.db")


def test_a_newer_catalog_is_refused(tmp_path: Path) -> None:
    """A file of a later version is not touched."""
    CatalogStore(tmp_path / "c.db").close()
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match="newer recommender"):
        CatalogStore(tmp_path / "c.db")
