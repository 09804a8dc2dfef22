"""The catalog on disk."""

import itertools
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache.errors import NotFound, StoreError
from catalog.model import File, Model, PublishedResult
from catalog.policy import Refusal
from catalog.store import Catalog, Crawl

A, B = "a" * 40, "b" * 40
TEXT = st.text("aZ09 é'\"\\\n\x00", max_size=8)  # all of Unicode takes seconds to set up
NUMBERS = itertools.count()
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
    last_modified=st.none() | TEXT, described=st.booleans(), author=st.none() | TEXT, tags=TEXTS,
    summary=st.none() | TEXT, created_at=st.none() | TEXT, private=st.booleans(),
    quantization=st.none() | TEXT, security=st.none() | TEXT, told_parameters=st.none() | COUNT,
    formats=TEXTS, aliases=TEXTS, shards=TEXTS, config_digest=st.none() | TEXT,
)  # fmt: skip


def model(id: str = "demo/ant", revision: str = A, source: str = "hub", **facts: object) -> Model:
    return Model(id, revision, source, **{"task": "text-classification", **facts})  # type: ignore[arg-type]


@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(MODELS)
def test_a_model_comes_back_as_it_was(store: Catalog, given_model: Model) -> None:
    """No field is lost, rounded or changed on the way through SQLite."""
    given_model = replace(given_model, id=f"{next(NUMBERS)} {given_model.id}")  # else they join
    store.upsert([given_model])
    assert (
        store.get(given_model.id, revision=given_model.revision, sources=[given_model.source])
        == given_model
    )


def test_only_the_newest_revision_is_listed(store: Catalog) -> None:
    """A revision that is seen later takes the place of the former, whatever its hash."""
    store.upsert([model(revision=B)])
    store.upsert([model(revision=A)])
    assert [found.revision for found in store.models()] == [A]
    assert store.get("demo/ant", revision="bbbb").revision == B


def test_a_revision_that_was_only_named_is_not_listed(store: Catalog) -> None:
    """An old revision that a user asked for leaves the listing as it was."""
    store.upsert([model(revision=A)])
    store.upsert([model(revision=B), model("demo/old")], listed=False)
    assert [found.name for found in store.models()] == [model(revision=A).name]
    assert store.get("demo/ant").revision == A


def test_naming_the_listed_revision_keeps_it_listed(store: Catalog) -> None:
    """A pinned look-up of the newest revision changes nothing in the listing."""
    store.upsert([model(revision=A)])
    store.upsert([model(revision=A)], listed=False)
    assert [found.revision for found in store.models()] == [A]


def test_a_second_upsert_renews_a_model(store: Catalog) -> None:
    """The same revision is one row, with the figures that came last."""
    assert store.upsert([model(downloads=1), model("demo/bee")]) == 2
    store.upsert([model(downloads=5)])
    assert [(found.id, found.downloads) for found in store.models()] == [
        ("demo/ant", 5),
        ("demo/bee", None),
    ]


def test_models_come_by_downloads_and_unknown_downloads_last(store: Catalog) -> None:
    """Ties come in the order in which they were first seen, the same every time."""
    counts = {"d": 1, "c": None, "b": 7, "a": 1}
    store.upsert(model(id, downloads=n) for id, n in counts.items())
    assert [found.id for found in store.models()] == ["b", "d", "a", "c"]
    assert [found.id for found in store.models(limit=1)] == ["b"]


def test_models_are_chosen_by_task_and_source(store: Catalog) -> None:
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
def test_an_unknown_id_is_answered_with_the_nearest(store: Catalog, id: str, near: str) -> None:
    """A slip, a missing owner and another case all lead to the known model."""
    store.upsert([model(), model("demo/elephant")])
    with pytest.raises(NotFound, match=f"Did you mean '{near}'"):
        store.get(id)


def test_an_unknown_revision_is_answered_with_the_known_ones(store: Catalog) -> None:
    """The id is right: the message speaks of revisions only."""
    store.upsert([model()])
    with pytest.raises(NotFound, match="no known revision 'cccc'; known: aaaaaaaa"):
        store.get("demo/ant", revision="cccc")


def test_a_crawl_is_remembered_for_its_source_and_task(store: Catalog) -> None:
    """Another task of the same source has not been crawled."""
    store.record_crawl(Crawl("hub", "fill-mask", "2026-01-01", "2026-01-02", 3, 1))
    assert store.crawled("hub", "fill-mask") == "2026-01-02"
    assert store.crawled("hub", None) is None
    assert store.crawled("folder:/x", "fill-mask") is None


def test_unlisted_models_are_still_found_by_name(store: Catalog) -> None:
    """A model that vanished from its source stays for results that name it."""
    store.upsert([model("a"), model("b"), model("c", task="fill-mask")])
    assert store.unlist("hub", keep=["a"], task="text-classification") == 1
    assert [found.id for found in store.models()] == ["a", "c"]
    assert store.get("b").id == "b"


def test_stats_count_the_newest_revisions(store: Catalog) -> None:
    """Old revisions do not count twice, and silence counts as unknown."""
    store.upsert([model(revision=A, license="mit"), model(revision=B, license="mit"), model("b")])
    store.refuse("hub", [Refusal("x", "corrupt", "no config")])
    stats = store.stats()
    assert (stats.n_models, stats.n_refused) == (2, 1)
    assert stats.by_license == {"mit": 1, "unknown": 1}


def test_a_failed_upsert_leaves_nothing_behind(store: Catalog) -> None:
    """A page is stored whole or not at all."""
    with pytest.raises(OverflowError):
        store.upsert([model("a"), model("b", downloads=2**70)])
    assert store.models() == ()


EVERYTHING: dict[str, str] = {}
CLASSIFIERS = {"task": "text-classification"}


def listed(id: str = "demo/ant", revision: str = A, **facts: object) -> Model:
    """A row of a listing."""
    return model(id, revision, described=False, **facts)


def crawl(
    store: Catalog,
    models: Sequence[Model],
    slice: Mapping[str, str] = EVERYTHING,
    *,
    complete: bool = True,
    since: str | None = None,
) -> int:
    """One crawl of a page; tells how many models it found to be gone."""
    state = store.begin("hub", slice, since=since)
    state = store.keep_page(state, models, [], cursor=None, n_requests=1)
    return store.finish(state, complete=complete)


def ids(store: Catalog) -> list[str]:
    return sorted(found.id for found in store.models())


def test_a_crawl_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    """Another process begins the same slice and gets cursor and counts; another slice is new."""
    with Catalog(tmp_path / "c.db") as store:
        state = store.begin("hub", {"task": "fill-mask", "language": "de"})
        store.keep_page(state, [model("a"), model("b")], [Refusal("c", "corrupt", "x")],
                        cursor="https://h/2", n_requests=3)  # fmt: skip
    with Catalog(tmp_path / "c.db") as store:
        again = store.begin("hub", {"language": "de", "task": "fill-mask"})
        assert (again.id, again.resumed, again.cursor) == (state.id, True, "https://h/2")
        assert (again.n_models, again.n_refused, again.n_requests) == (2, 1, 3)
        assert not store.begin("hub", {"language": "de"}).resumed
        assert not store.begin("hub", {"task": "fill-mask", "language": "de"}, fresh=True).resumed


def test_a_finished_crawl_is_not_taken_up(store: Catalog) -> None:
    """The next one is a new generation."""
    state = store.begin("hub", EVERYTHING)
    store.finish(state, complete=False)
    again = store.begin("hub", EVERYTHING)
    assert not again.resumed
    assert again.generation > state.generation


def test_a_kill_loses_at_most_the_page_in_flight(tmp_path: Path) -> None:
    """SIGKILL in the middle of the third page: two pages with their cursor are there."""
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from catalog.model import Model
        from catalog.store import Catalog
        store = Catalog(Path(sys.argv[1]))
        state = store.begin("hub", {})
        for page in (1, 2):
            rows = [Model(f"p{page}/{i}", "a" * 40, "hub", described=False) for i in range(50)]
            state = store.keep_page(state, rows, [], cursor=str(page + 1), n_requests=1)
        class Deadly(list):
            def __iter__(self):
                yield from [Model("p3/0", "a" * 40, "hub", described=False)] * 1
                os.kill(os.getpid(), signal.SIGKILL)
        store.keep_page(state, Deadly(), [], cursor="4", n_requests=1)
    """
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "c.db")])
    assert killed.returncode == -signal.SIGKILL
    with Catalog(tmp_path / "c.db") as store:
        assert len(store.models()) == 100
        state = store.begin("hub", {})
        assert (state.resumed, state.cursor, state.n_models) == (True, "3", 100)


def test_models_that_a_complete_crawl_misses_are_gone(store: Catalog) -> None:
    """`get` still finds them, and they come back when they are listed again."""
    crawl(store, [listed("a"), listed("b")])
    assert crawl(store, [listed("a")]) == 1
    assert (ids(store), store.get("b").id) == (["a"], "b")
    assert crawl(store, [listed("a"), listed("b")]) == 0
    assert ids(store) == ["a", "b"]


@pytest.mark.parametrize(
    ("complete", "since"), [(False, None), (True, "2026-01-01")], ids=["cut short", "news only"]
)
def test_a_crawl_that_did_not_ask_for_all_finds_nothing_gone(
    store: Catalog, complete: bool, since: str | None
) -> None:
    """What it did not see may well be there."""
    crawl(store, [listed("a"), listed("b")])
    assert crawl(store, [listed("a")], complete=complete, since=since) == 0
    assert ids(store) == ["a", "b"]


def test_what_a_later_crawl_saw_is_not_gone_for_an_earlier_one(store: Catalog) -> None:
    """A crawl of everything was cut short; a small one came before it went on."""
    early = store.begin("hub", EVERYTHING)
    early = store.keep_page(early, [listed("a"), listed("b")], [], cursor="x", n_requests=1)
    crawl(store, [listed("a")], {"task": "text-classification", "limit": "1"})
    assert store.finish(early, complete=True) == 0
    assert ids(store) == ["a", "b"]


def test_a_listing_without_a_commit_wedges_nothing(store: Catalog) -> None:
    """Described, then listed without its commit, described again, and then changed."""
    store.upsert([model(revision=A)])
    crawl(store, [replace(listed("demo/ant"), revision="")])
    store.describe(model(revision=A))
    crawl(store, [replace(listed("demo/ant"), revision=B)])
    assert store.get("demo/ant").revision == B
    assert store.get("demo/ant", revision="aaaa").described


def test_a_crawl_speaks_for_its_slice_only(store: Catalog) -> None:
    """A crawl of everything speaks for all slices of its source."""
    crawl(store, [listed("a", task="fill-mask")], {"task": "fill-mask"})
    crawl(store, [listed("b"), listed("c")], CLASSIFIERS)
    store.upsert([model("d", source="folder:/x")])
    assert crawl(store, [listed("b")], CLASSIFIERS) == 1
    assert ids(store) == ["a", "b", "d"]
    assert crawl(store, []) == 2
    assert ids(store) == ["d"]


def test_a_row_that_cannot_be_read_any_more_is_not_gone(store: Catalog) -> None:
    """It is still listed, only badly."""
    crawl(store, [listed("a")])
    state = store.begin("hub", EVERYTHING)
    store.keep_page(state, [], [Refusal("a", "corrupt", "x")], cursor=None, n_requests=1)
    assert store.finish(state, complete=True) == 0


def test_the_watermark_is_the_newest_change_of_complete_crawls(store: Catalog) -> None:
    """A crawl that was cut short may have missed older changes; one without news keeps it."""
    assert store.watermark("hub", CLASSIFIERS) is None
    crawl(store, [listed("a", last_modified="2026-01-01")], CLASSIFIERS, complete=False)
    assert store.watermark("hub", CLASSIFIERS) is None
    newest = [listed("a", last_modified=day) for day in ("2026-01-03", "2026-01-02")]
    crawl(store, newest, CLASSIFIERS)
    crawl(store, [], CLASSIFIERS, since="2026-01-03")
    assert store.watermark("hub", CLASSIFIERS) == "2026-01-03"
    assert store.watermark("hub", EVERYTHING) is None


def test_a_change_of_the_future_is_no_watermark(store: Catalog) -> None:
    """One lying date must not end all later crawls before their first row."""
    crawl(store, [listed("a", last_modified=day) for day in ("2099-01-01", "2026-01-01")])
    assert store.watermark("hub", EVERYTHING) == "2026-01-01"


def test_a_renamed_model_answers_to_its_old_name(store: Catalog) -> None:
    """Through two renames, in a circle, and until the old name is used again."""
    store.upsert([model("old"), model("new")])
    store.rename("hub", "oldest", "old")
    store.rename("hub", "old", "new")
    assert store.get("oldest").id == "new"
    assert ids(store) == ["new"]
    store.rename("hub", "new", "old")
    store.rename("hub", "old", "new")
    assert store.get("old").id == "new"
    store.upsert([model("old")])
    assert store.get("old").id == "old"


def test_a_description_takes_the_place_of_the_listings_row(store: Catalog) -> None:
    """One model is listed; a listing of the same commit renews only what changes without one."""
    crawl(store, [listed(downloads=1)])
    store.describe(model(labels=("no", "yes"), downloads=1))
    crawl(store, [listed(downloads=7, likes=3)])
    assert store.models() == (model(labels=("no", "yes"), downloads=7, likes=3),)


def test_a_new_commit_is_not_described(store: Catalog) -> None:
    """The former description stays for those who name it, and is used if the commit returns."""
    store.describe(model(labels=("no", "yes")))
    crawl(store, [listed()])
    crawl(store, [listed(revision=B)])
    assert [found.described for found in store.models()] == [False]
    assert store.described("hub", "demo/ant", B) is None
    assert store.described("hub", "demo/ant", A) == model(labels=("no", "yes"))
    assert store.get("demo/ant", revision="aaaa").labels == ("no", "yes")
    crawl(store, [listed(revision=A)])
    assert store.models() == (model(labels=("no", "yes")),)


def test_a_changed_file_has_no_known_hash(store: Catalog) -> None:
    """Size and time of change both belong to the key."""
    store.remember_sha256("/m", 5, 100, "abc")
    assert store.known_sha256("/m", 5, 100) == "abc"
    assert store.known_sha256("/m", 5, 101) is None
    assert store.known_sha256("/m", 6, 100) is None


def test_reading_a_catalog_needs_no_heavy_library(tmp_path: Path) -> None:
    """A second opening imports neither sqlite_utils nor huggingface_hub."""
    Catalog(tmp_path / "c.db").close()
    code = (
        "import sys; from pathlib import Path; from catalog.store import Catalog;"
        "Catalog(Path(sys.argv[1])).models();"
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
        Catalog(tmp_path / "c.db")


def test_a_newer_catalog_is_refused(tmp_path: Path) -> None:
    """A file of a later version is not touched."""
    Catalog(tmp_path / "c.db").close()
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match="newer recommender"):
        Catalog(tmp_path / "c.db")
