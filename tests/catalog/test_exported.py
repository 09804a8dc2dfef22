"""An exported catalog: what was written is read back, and a stranger's file does no harm."""

import gzip
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cache.errors import BadInput, NotFound, StoreError
from catalog import exported
from catalog.exported import export_catalog, import_catalog
from catalog.exported_rows import READERS, read_record, to_record
from catalog.model import File, Model, PublishedResult
from catalog.policy import Refusal
from catalog.select import Selection
from catalog.store import Catalog

SHA = "0123456789abcdef0123456789abcdef01234567"
N_LINES = 100_000 if os.environ.get("RECOMMENDER_NIGHTLY") == "1" else 400

WHOLE = Model(
    id="demo/ant",
    revision=SHA,
    source="hub",
    task="text-classification",
    parameters={"F32": 66_000_000},
    files=(File("config.json", 700), File("model.safetensors", 264_000_000, "ab" * 32)),
    architecture="BertForSequenceClassification",
    model_type="bert",
    labels=("negative", "positive", ""),
    label2id={"negative": 0, "positive": 1},
    n_layers=6,
    embedding_parameters=23_000_000,
    max_length=512,
    has_remote_code=True,
    license="apache-2.0",
    languages=("de", "en"),
    library="transformers",
    base_models=("demo/base",),
    datasets=("imdb",),
    published=(PublishedResult("imdb", "accuracy", 0.93),),
    downloads=1234,
    likes=5,
    gated=True,
    disabled=True,
    last_modified="2026-01-31T12:00:00.000Z",
    described=False,
    author="demo",
    tags=("finance",),
    summary="Reads the news. Grüße, 你好.",
    created_at="2025-01-31T12:00:00.000Z",
    private=True,
    quantization="gptq",
    security="safe",
    told_parameters=333_312,
    formats=("safetensors", "onnx"),
    aliases=("demo/twin",),
    shards=("model.safetensors",),
    config_digest="c" * 64,
)


def listed(number: int, **changes: Any) -> Model:
    model = Model(id=f"demo/m{number}", revision=f"{number:040x}", source="hub", described=False)
    return replace(model, downloads=number, task="text-classification", **changes)


def write_export(path: Path, lines: Sequence[Mapping[str, Any] | bytes], **changes: object) -> Path:
    """A file as a stranger may make one: any header and lines, and a right end."""
    header: dict[str, Any] = {"format": "recommender-catalog", "version": 1}
    header |= {"written_at": "2026-01-31"} | changes
    raw = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in (header, *lines)]
    body = b"".join(line + b"\n" for line in raw)
    end = {"end": {"n_lines": len(raw), "sha256": hashlib.sha256(body).hexdigest()}}
    text = json.dumps(end, separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(body + text + b"\n"))
    return path


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Catalog]:
    """The catalog of another machine."""
    with Catalog(tmp_path / "other" / "catalog.db") as store:
        yield store


def test_folders_of_this_machine_stay_here(store: Catalog, tmp_path: Path) -> None:
    """Their paths and labels are nobody's business, unless they are asked for."""
    store.upsert([listed(1), replace(listed(2), source="folder:/home/ada/models")])
    assert export_catalog(store, tmp_path / "all.jsonl.gz").n_models == 1
    named = Selection(sources=("folder:/home/ada/models",), limit=None)
    assert export_catalog(store, tmp_path / "some.jsonl.gz", selection=named).n_models == 1


def test_every_field_of_a_model_goes_over_and_back() -> None:
    """No field is forgotten, also none that is added later, and a default takes no space."""
    assert set(READERS) == {one.name for one in fields(Model)}
    assert all(getattr(WHOLE, one.name) != one.default for one in fields(Model))
    assert read_record(json.loads(json.dumps(to_record(WHOLE))), 1) == WHOLE
    bare = Model(id="a", revision="", source="folder:/x")
    assert to_record(bare) == {"id": "a", "revision": "", "source": "folder:/x"}


def test_what_was_exported_on_one_machine_answers_on_another(
    store: Catalog, other: Catalog, tmp_path: Path
) -> None:
    """Models arrive with their sources, and need not be crawled again; private ones stay."""
    told = replace(WHOLE, described=True, private=False)
    secret = listed(7, private=True)
    store.upsert([listed(1), listed(2), told, secret])
    assert export_catalog(store, tmp_path / "all.jsonl.gz").n_models == 3
    assert b"m7" not in gzip.decompress((tmp_path / "all.jsonl.gz").read_bytes())

    report = import_catalog(other, tmp_path / "all.jsonl.gz")
    assert (report.n_models, report.n_older, report.n_refused) == (3, 0, 0)
    assert other.get("demo/ant") == told
    assert {m.id for m in other.models()} == {"demo/m1", "demo/m2", "demo/ant"}
    assert other.crawled("hub", "text-classification") is not None
    assert other.crawled("hub", "translation") is None


def test_a_selection_alone_is_exported(store: Catalog, tmp_path: Path) -> None:
    """The filters of `catalog list` choose what is written."""
    store.upsert([listed(1, license="mit"), listed(2, license="gpl-3.0")])
    chosen = Selection(licenses=("mit",), limit=None)
    assert export_catalog(store, tmp_path / "mit.gz", selection=chosen).n_models == 1


def test_an_import_takes_nothing_back(store: Catalog, other: Catalog, tmp_path: Path) -> None:
    """Rows that are newer here, are gone since, or were described here are not replaced."""
    store.upsert([listed(1, last_modified="2026-01-01"), listed(2, last_modified="2026-01-01")])
    lie = replace(WHOLE, private=False, described=True, labels=("evil",), downloads=9999)
    store.upsert([lie])
    export_catalog(store, tmp_path / "old.gz")
    newer = replace(listed(1, last_modified="2026-02-01"), revision="f" * 40)
    ours = replace(WHOLE, private=False, described=True)
    other.upsert([newer, ours, listed(2)])
    other.unlist("hub", keep=[newer.id, ours.id], task=None)
    report = import_catalog(other, tmp_path / "old.gz")
    assert (report.n_models, report.n_older) == (1, 2)
    assert {model.id for model in other.models()} == {newer.id, ours.id}
    assert other.get("demo/m1").revision == "f" * 40
    assert other.get("demo/ant").labels == ours.labels
    assert other.get("demo/ant").downloads == 9999


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-40],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: b"",
        lambda raw: gzip.compress(b"\n".join(gzip.decompress(raw).splitlines()[:-1]) + b"\n"),
        lambda raw: gzip.compress(gzip.decompress(raw).replace(b"demo/m1", b"evil/m1")),
        lambda raw: raw + gzip.compress(b'{"model":{"id":"x","revision":"","source":"hub"}}\n'),
        lambda raw: gzip.decompress(raw),
        lambda raw: gzip.compress(b'{"a": 1}\n'),
        lambda raw: gzip.compress(b"[" * 100_000),
    ],
    ids=["cut", "half", "empty", "no end", "edited", "longer", "plain", "json", "deep"],
)
def test_a_file_that_is_not_whole_is_refused(
    store: Catalog, other: Catalog, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    """One line says so, and nothing of it is kept."""
    store.upsert([listed(1), listed(2)])
    path = tmp_path / "all.gz"
    export_catalog(store, path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadInput, match="is no whole exported catalog") as told:
        import_catalog(other, path)
    assert "\n" not in str(told.value)
    assert other.models() == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"version": 2}, "of format 2, and this release reads 1"),
        ({"version": "1"}, "of format 0"),
        ({"format": "parquet"}, "another format"),
        ({"written_at": "soon"}, "when it was written"),
    ],
)
def test_a_header_of_another_kind_is_refused(
    other: Catalog, tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    """A newer format, and what is none of ours, is told apart."""
    with pytest.raises(BadInput, match=told):
        import_catalog(other, write_export(tmp_path / "made.gz", [], **changes))


def test_a_bomb_is_refused_before_it_fills_the_disk(
    other: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that unpacks to more than an export can, and one of too many lines."""
    lines = [
        {"model": RIGHT | {"id": f"demo/m{n}", "summary": "x" * 9000, "task": f"t{n}"}}
        for n in range(200)
    ]
    file = write_export(tmp_path / "bomb.gz", lines)
    monkeypatch.setattr(exported, "SMALL_BYTES", 1_000_000)
    with pytest.raises(BadInput, match="unpacks to more than 1 MB, as no export does"):
        import_catalog(other, file)
    monkeypatch.undo()
    monkeypatch.setattr(exported, "LINES_LIMIT", 199)
    with pytest.raises(BadInput, match="more than 199 lines"):
        import_catalog(other, file)
    monkeypatch.undo()
    monkeypatch.setattr(exported, "BATCH_BYTES", 100_000)
    seen: list[int] = []
    assert import_catalog(other, file, progress=seen.append).n_models == 200
    assert seen[0] < 20
    monkeypatch.setattr(exported, "TASKS_LIMIT", 5)
    n_crawls = len(other.crawls())
    import_catalog(other, file)
    assert len(other.crawls()) < n_crawls + 20


def test_an_import_stops_before_the_disk_is_full(
    store: Catalog, other: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first model where it cannot fit, else with whole models, to be gone on with."""
    store.upsert([listed(number) for number in range(25)])
    export_catalog(store, tmp_path / "all.gz")
    monkeypatch.setattr(exported, "STORED", 10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=200_010_000))
    with pytest.raises(StoreError, match=r"lacks [\d.]+ MB for .*all.gz; free some space") as told:
        import_catalog(other, tmp_path / "all.gz")
    assert "\n" not in str(told.value)
    assert other.models() == ()
    monkeypatch.setattr(exported, "BATCH", 10)
    free = iter([10**12, 10**12, 0])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    with pytest.raises(StoreError, match="lacks 200 MB"):
        import_catalog(other, tmp_path / "all.gz")
    assert other.count(Selection()) == other.stats().by_task["text-classification"] == 20
    assert other.crawled("hub", "text-classification") is None
    monkeypatch.undo()
    assert import_catalog(other, tmp_path / "all.gz").n_models == 25


def test_an_unfinished_crawl_goes_on_after_an_import(
    store: Catalog, other: Catalog, tmp_path: Path
) -> None:
    """The import counts as a crawl for a search, and ends none."""
    store.upsert([listed(1)])
    export_catalog(store, tmp_path / "all.gz")
    slice = {"task": "text-classification"}
    begun = other.begin("hub", slice)
    other.keep_page(begun, [listed(2)], [], cursor="page 2", n_requests=1)
    import_catalog(other, tmp_path / "all.gz")
    assert other.crawled("hub", "text-classification") is not None
    going_on = other.begin("hub", slice)
    assert (going_on.id, going_on.cursor, going_on.resumed) == (begun.id, "page 2", True)
    other.finish(going_on, complete=True)
    assert other.begin("hub", slice).id != begun.id


@pytest.mark.parametrize("source", ["folder:/home/ada/models", "snapshot:/home/ada/all.gz"])
def test_paths_of_another_machine_are_not_imported(
    store: Catalog, other: Catalog, tmp_path: Path, source: str
) -> None:
    """They would point at files of this one; the line says what lists them."""
    store.upsert([replace(listed(1), source=source), listed(2)])
    chosen = Selection(sources=(source, "hub"), limit=None)
    export_catalog(store, tmp_path / "all.gz", selection=chosen)
    report = import_catalog(other, tmp_path / "all.gz")
    assert (report.n_models, report.n_refused) == (1, 1)
    assert "--source snapshot:FILE" in report.refusals[0].reason
    assert [model.id for model in other.models()] == ["demo/m2"]
    assert [crawl.source for crawl in other.crawls()] == ["hub"]


OURS = replace(WHOLE, private=False, described=True, security=None)
TOLD: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a verdict of the same files": ({"security": "safe"}, {"security": "safe"}),
    "no verdict either": ({"labels": ("evil",)}, {"labels": OURS.labels, "security": None}),
    "a verdict of other files": (
        {"security": "safe", "files": (File("x", 1),)}, {"files": OURS.files, "security": None},
    ),
    "another revision of that time": ({"revision": "f" * 40}, {"revision": SHA}),
    "no revision": (
        {"revision": "", "last_modified": "2026-02-01", "labels": ("evil",)}, {"described": False},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("told", "kept"), TOLD.values(), ids=TOLD.keys())
def test_what_this_machine_described_is_not_overwritten(
    other: Catalog, tmp_path: Path, told: dict[str, Any], kept: dict[str, Any]
) -> None:
    """Only how the Hub's scan ended is learnt, and no better than it is told."""
    other.upsert([OURS])
    line = {"model": to_record(replace(OURS, **told))}
    import_catalog(other, write_export(tmp_path / "made.gz", [line]))
    found = other.get("demo/ant")
    assert {name: getattr(found, name) for name in kept} == kept
    assert other.described("hub", "demo/ant", SHA) is not None


def test_a_missing_file_is_named(other: Catalog, tmp_path: Path) -> None:
    """So is one that cannot be written, and what was there before stays."""
    with pytest.raises(NotFound, match="catalog export"):
        import_catalog(other, tmp_path / "nothing.gz")
    with pytest.raises(NotFound, match="catalog export"):
        import_catalog(other, tmp_path)
    with pytest.raises(BadInput, match="cannot write"):
        export_catalog(other, tmp_path / "no" / "folder.gz")


def test_an_export_that_fails_leaves_the_old_file(store: Catalog, tmp_path: Path) -> None:
    """The file appears whole or not at all, and nothing is left beside it."""
    path = tmp_path / "out" / "all.gz"
    path.parent.mkdir()
    path.write_bytes(b"before")
    store.upsert([listed(number) for number in range(600)])

    def interrupt(_n_models: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_catalog(store, path, progress=interrupt)
    assert [each.read_bytes() for each in path.parent.iterdir()] == [b"before"]


RIGHT = {"id": "demo/a", "revision": SHA, "source": "hub"}


@pytest.mark.parametrize(
    "record",
    [
        None, [], 7, {}, {"id": "demo/a"}, RIGHT | {"id": "../../etc"}, RIGHT | {"id": 7},
        RIGHT | {"id": "a\x1b[31m"}, RIGHT | {"revision": "main"}, RIGHT | {"revision": None},
        RIGHT | {"source": "evil:x"}, RIGHT | {"source": "hub:https://user:hf_token@host"},
        RIGHT | {"source": "hub:file:///etc/passwd"}, RIGHT | {"source": "hub:http://[::1"},
        RIGHT | {"labels": "positive"}, RIGHT | {"labels": [1]}, RIGHT | {"gated": 1},
        RIGHT | {"downloads": -1}, RIGHT | {"downloads": 2**70}, RIGHT | {"likes": True},
        RIGHT | {"parameters": {"F32": "many"}}, RIGHT | {"files": [["../../x", 1, None]]},
        RIGHT | {"files": [["a", 1, "sha"]]}, RIGHT | {"files": [["a"]]},
        RIGHT | {"files": [["a", 1, None], ["A", 1, None]]},
        RIGHT | {"published": [["imdb", "accuracy", "nan"]]}, RIGHT | {"aliases": ["../x"]},
    ],
)  # fmt: skip
def test_a_line_with_a_wrong_value_is_refused(record: Any) -> None:
    """Its reason is short, and never a traceback."""
    found = read_record(record, 4)
    assert isinstance(found, Refusal)
    assert found.state == "corrupt"
    assert 0 < len(found.reason) <= 200
    assert "hf_token" not in found.reason


def test_bad_lines_are_counted_and_the_others_kept(other: Catalog, tmp_path: Path) -> None:
    """Lines that are no JSON, too long, or hold no model; unknown fields are passed over."""
    good = {"model": RIGHT | {"field_of_the_future": [1]}}
    long = b'{"model":{"id":"demo/long","summary":"' + b"x" * 11_000_000 + b'"}}'
    lines = [b"{", b"\xff\xfe", {"model": 7}, long, {"crawl": {}}, b"", good]
    report = import_catalog(other, write_export(tmp_path / "made.gz", lines))
    assert report.n_models == 1
    assert report.n_refused >= 5
    assert [model.id for model in other.models()] == ["demo/a"]


ODD = (
    None, True, 0, -1, 2**70, 0.5, float("nan"), float("inf"), "", " ", "x", "\ud800", "\x00\x1b",
    "../../x", "nan", [], [[]], ["x"], [None], [["a", 1, None]], [["imdb", "f1", 0.5]], {}, {"": 1},
    {"F32": 7}, {"x": []}, SHA, "hub:https://a@b", "hub:http://h:x", "folder:/x",
)  # fmt: skip


def test_no_record_breaks_the_reader() -> None:
    """Whatever a stranger writes is a model or a refusal, and a model goes over and back."""
    draw = random.Random(0)
    n_models = 0
    for position in range(3000):
        names = draw.sample([*READERS, "unknown"], k=draw.randint(0, 4))
        found = read_record(RIGHT | {name: draw.choice(ODD) for name in names}, position)
        if isinstance(found, Model):
            n_models += 1
            assert read_record(json.loads(json.dumps(to_record(found))), 0) == found
    assert 100 < n_models < 2900


def spoil(value: Any, draw: random.Random) -> Any:
    """The value with odd ones in some places, at any depth."""
    if draw.random() < 0.03:
        return draw.choice(ODD)
    if isinstance(value, dict):
        return {name: spoil(item, draw) for name, item in value.items() if draw.random() > 0.02}
    return [spoil(item, draw) for item in value] if isinstance(value, list) else value


def garble(line: bytes, draw: random.Random) -> bytes:
    """The line, now and then with a few bytes cut out or changed; never a second line."""
    if draw.random() < 0.8:
        return line
    start = draw.randrange(len(line))
    noise = bytes(draw.choice(b'{}[]",:\\\x00\xff0e') for _ in range(draw.randint(0, 3)))
    return line[:start] + noise + line[start + draw.randint(0, 5) :]


def test_no_line_breaks_an_import(other: Catalog, tmp_path: Path) -> None:
    """Whatever the lines hold, each is a model or counted as refused, and the store keeps it."""
    draw = random.Random(1)
    lines = []
    for number in range(N_LINES):
        model = replace(WHOLE, id=f"demo/m{number}", private=False, described=number % 2 == 0)
        line = json.dumps(spoil({"model": to_record(model)}, draw)).encode()
        lines.append(garble(line, draw))
    report = import_catalog(other, write_export(tmp_path / "made.gz", lines))
    assert min(report.n_models, report.n_refused) > N_LINES // 10
    assert report.n_models + report.n_older + report.n_refused == N_LINES
    kept = other.models()
    assert {model.source.partition(":")[0] for model in kept} == {"hub"}
    assert all(model.revision or not model.described for model in kept)
    assert export_catalog(other, tmp_path / "again.gz").n_models == sum(not m.private for m in kept)
