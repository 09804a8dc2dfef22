"""Selections from the catalog, against a plain reading of what they ask for."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import pytest

from cache.errors import BadInput
from catalog import facets, known_sets, order, query, words
from catalog.model import Model, PublishedResult
from catalog.select import SORTS, Selection
from catalog.store import Catalog
from catalog.words import words_in

N_MODELS = 500
WORDS = ("bert", "tiny", "news", "Financial", "gguf", "v2", "größe", "模型", "x")
LABELS = ((), ("negative", "positive"), ("NEG", "pos"), ("neutral", "negative", "positive"),
          ("LABEL_0", "LABEL_1"), ("-1", "1"))  # fmt: skip
ASCENDING = {"parameters": "n_parameters", "size": "weight_bytes", "id": "id"}
DESCENDING = {"downloads": "downloads", "likes": "likes", "newest": "created_at"}


def zoo(seed: int = 0) -> list[Model]:
    """Models that share some facts and lack others."""
    draw = random.Random(seed)

    def maybe(values: Sequence[object], share: float = 0.7) -> object:
        return draw.choice(values) if draw.random() < share else None

    def several(values: Sequence[str], most: int = 2) -> tuple[str, ...]:
        return tuple(draw.sample(values, draw.randint(0, most)))

    def made(at: int) -> Model:
        name = f"{draw.choice('abcd')}/{draw.choice(WORDS)}-{draw.choice(WORDS)}-{at}"
        n_values = maybe((3, 100, 2**19, 2**20 - 1, 2**20, 2**20 + 1, 10**9), 0.5)
        return Model(
            name, f"{at:040x}", "hub" if draw.random() < 0.8 else "folder:/x", described=False,
            task=maybe(("fill-mask", "text-classification")),
            parameters={} if n_values is None else {"F32": n_values},
            license=maybe(("mit", "apache-2.0", "Custom", "mit, gpl-3.0")),
            library=maybe(("transformers", "peft")), languages=several(("en", "de", "zh")),
            formats=several(("safetensors", "gguf")), tags=several(WORDS, 3),
            summary=maybe(("A tiny model for financial news.", "Größe zählt"), 0.3),
            labels=draw.choice(LABELS),
            base_models=(f"base/{draw.randrange(5)}",) if draw.random() < 0.3 else (),
            datasets=several(("glue", "imdb")),
            published=(PublishedResult("glue", "f1", 0.5),) if draw.random() < 0.2 else (),
            downloads=maybe((0, 1, 1, 5, 20, 21, 22, 1000, 10**9)),
            likes=maybe((0, 0, 0, 1, 7)), gated=draw.random() < 0.2,
            created_at=maybe([f"202{y}-0{m}-01T00:00:00.000Z" for y in "01" for m in "123"]),
            last_modified=maybe([f"2025-0{m}-1{d}T00:00:00.000Z" for m in "123" for d in "12"]),
        )  # fmt: skip

    return [made(at) for at in range(N_MODELS)]


@cache
def searched_words(id: str, *texts: str) -> frozenset[str]:
    return frozenset(word for text in (id, *texts) for word in words_in(text))


def searched(model: Model) -> frozenset[str]:
    return searched_words(model.id, *model.tags, *model.labels, model.summary or "")


MODELS = zoo()


@pytest.fixture(scope="module", params=[8_192, 50], ids=["rare words", "frequent words"])
def full(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Catalog]:
    """A catalog of all models; in the second, most words have become frequent on the way."""
    with (
        pytest.MonkeyPatch.context() as patch,
        Catalog(tmp_path_factory.mktemp("full") / "catalog.db") as store,
    ):
        patch.setattr(words, "FIRST_SAMPLE_AT", request.param)
        for start in range(0, N_MODELS, 100):
            store.upsert(MODELS[start : start + 100])
        yield store


def plain(label: str) -> str:
    return {"neg": "negative", "pos": "positive"}.get(label.casefold(), label.casefold())


def fits(model: Model, asked: Selection) -> bool:
    """The definition of a selection, read out model by model; lineage apart."""
    licenses = {id.strip() for id in (model.license or "").lower().split(",")}
    n, size = model.n_parameters, model.weight_bytes
    ours, theirs = set(map(plain, asked.labels)), set(map(plain, model.labels))
    label_rules = {
        "exact": set(asked.labels) == set(model.labels),
        "normalised": ours == theirs,
        "superset": ours <= theirs,
    }
    return all((
        asked.task in (None, model.task),
        not asked.sources or model.source in asked.sources,
        not asked.languages or set(asked.languages) & set(model.languages),
        not asked.licenses or {id.lower() for id in asked.licenses} & licenses,
        not asked.libraries or model.library in asked.libraries,
        not asked.authors or model.id.split("/")[0] in asked.authors,
        not asked.formats or set(asked.formats) & set(model.formats),
        asked.max_bytes is None or (size is not None and size <= asked.max_bytes),
        asked.min_parameters is None or (n is not None and n >= asked.min_parameters),
        asked.max_parameters is None or (n is not None and n <= asked.max_parameters),
        not asked.labels or label_rules[asked.label_match],
        set(words_in(asked.search or "")) <= searched(model),
        asked.trained_on is None or asked.trained_on in model.datasets,
        asked.published_on in (None, *(result.dataset for result in model.published)),
        asked.gated in (None, model.gated),
        asked.since is None or (model.last_modified or "") >= asked.since,
    ))  # fmt: skip


def expected(models: Sequence[Model], asked: Selection) -> list[Model]:
    """The models of a selection in its order, by sorting all of them."""
    found = [model for model in models if fits(model, asked)]
    if asked.sort in ASCENDING:
        column = ASCENDING[asked.sort]
        found.sort(key=lambda m: ((v := getattr(m, column)) is None, v or (0 if v is None else v)))
    else:
        column = DESCENDING.get(asked.sort, "downloads")
        known = [model for model in found if getattr(model, column) is not None]
        known.sort(key=lambda model: getattr(model, column), reverse=True)
        found = known + [model for model in found if getattr(model, column) is None]
    if asked.sort == "relevance":
        words = set(words_in(asked.search or ""))
        found.sort(key=lambda model: not words <= set(words_in(model.id)))
    end = None if asked.limit is None else asked.offset + asked.limit
    return found[asked.offset : end]


def random_selection(draw: random.Random) -> Selection:
    """A selection of one to three conditions, every kind of sort and page."""
    conditions: dict[str, Sequence[object]] = {
        "task": ("fill-mask", "nothing"), "sources": (("hub",), ("hub", "folder:/x")),
        "languages": (("de",), ("de", "zh")), "licenses": (("MIT",), ("mit", "apache-2.0")),
        "libraries": (("peft",),), "authors": (("a",), ("b", "nobody")),
        "formats": (("gguf",), ("gguf", "safetensors")), "max_bytes": (12, 400, 2**22),
        "min_parameters": (1, 100, 2**19 + 5, 2**20 + 1), "max_parameters": (3, 99, 2**20),
        "labels": (("positive", "negative"), ("-1", "1"), ("LABEL_1", "LABEL_0")),
        "label_match": ("exact", "normalised", "superset"),
        "search": ("bert", "tiny NEWS", "Grosse größe", "模型", "financial model", '"x" OR *'),
        "trained_on": ("glue", "none"), "published_on": ("glue",), "gated": (True, False),
        "since": ("2025-02-12T00:00:00.000Z", "2025-01-01", "2025-03-12T07:30:00.000Z"),
    }  # fmt: skip
    chosen = draw.sample(list(conditions), draw.randint(0, 3))
    if draw.random() < 0.4:
        chosen.append("search")
    facts = {name: draw.choice(conditions[name]) for name in chosen}
    sorts = [name for name in SORTS if name not in ("score", "relevance")]
    if "search" in facts:
        sorts += len(sorts) * ["relevance"]
    page = {"limit": draw.choice((0, 1, 10, 50, None)), "offset": draw.choice((0, 0, 3, 60))}
    return Selection(**facts, **page, sort=draw.choice(sorts))  # type: ignore[arg-type]


WAYS: dict[str, dict[str, object]] = {
    "at once": {},
    "by codes": {"READ_AT_ONCE": 3},
    "part by part": {"FEW": 2, "TOGETHER": 2, "LARGE": 30, "READ_AT_ONCE": 3},
    "on walks": {"FEW": 2, "LARGE": 5, "MANY": 2, "READ_AT_ONCE": 3, "SORTED_IN_STEPS": 99},
    "on long walks": {"FEW": 2, "LARGE": 5, "MANY": 2, "READ_IN_STEPS": 0, "STEPS": 99},
}
"""What decides how a question is answered, as if the catalog were large."""


def go(way: str, patch: pytest.MonkeyPatch) -> None:
    for name, value in WAYS[way].items():
        patch.setattr(order, name, value)
    if len(WAYS[way]) > 1:
        patch.setattr(order, "LEVELS", (2, 5, 30))
        patch.setattr(order, "AT_ONCE", 2)
        patch.setattr(query, "AT_EDGE", 2)


@pytest.mark.parametrize("way", WAYS)
def test_selections_are_what_they_say(
    full: Catalog, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way of answering is the cheaper: the same models, order and count."""
    go(way, monkeypatch)
    draw = random.Random(way)
    for _ in range(35):
        asked = random_selection(draw)
        everything = replace(asked, limit=None, offset=0, sort="id")
        wanted, all_wanted = expected(MODELS, asked), expected(MODELS, everything)
        assert [m.id for m in full.select(asked)] == [m.id for m in wanted], asked
        assert full.count(asked) == len(all_wanted), asked
        assert sorted(m.id for m in full.each(everything)) == [m.id for m in all_wanted], asked


def test_selections_follow_what_changes(store: Catalog) -> None:
    """Other facts, models that go and models that come: the indexes are as if built afresh."""
    models = [replace(model, source="hub") for model in MODELS]
    others = [
        replace(new, id=old.id, source="hub") for old, new in zip(MODELS, zoo(1), strict=True)
    ]
    state = store.begin("hub", {})
    store.keep_page(state, models, [], cursor=None, n_requests=1)
    store.finish(state, complete=True)
    state = store.begin("hub", {})
    store.keep_page(state, others[:400], [], cursor=None, n_requests=1)
    store.finish(state, complete=True)
    draw = random.Random(1)
    for _ in range(80):
        asked = replace(random_selection(draw), limit=None, offset=0)
        found = {model.id for model in store.select(asked)}
        assert found == {model.id for model in others[:400] if fits(model, asked)}, asked


@pytest.mark.parametrize("way", WAYS)
def test_bounds_on_what_is_sorted_by_are_exact(
    full: Catalog, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where many have the very value of the bound, or only the last ones fit."""
    go(way, monkeypatch)
    for low in (3, 100, 2**19, 2**20 - 1, 2**20, 2**20 + 1):
        for facts in ({"sort": "parameters"}, {"sort": "size", "labels": ("negative", "positive")}):
            asked = Selection(min_parameters=low, label_match="exact", limit=9, **facts)  # type: ignore[arg-type]
            assert full.select(asked) == tuple(expected(MODELS, asked)), asked


@pytest.mark.parametrize("way", WAYS)
def test_answers_follow_what_anybody_writes(
    store: Catalog, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process or another, whole crawls, changes and what is rolled back: the same models in
    the same order as if all were sorted afresh."""
    go(way, monkeypatch)
    draw = random.Random(way)
    news = [
        replace(new, id=old.id, source=old.source) for old, new in zip(MODELS, zoo(1), strict=True)
    ]
    known: dict[int, Model] = {}
    with Catalog(store.path) as other:
        for turn in range(8):
            some = draw.sample(range(len(known) + 40), 40)
            changed = {at: draw.choice((MODELS, news))[at] for at in sorted({*some, len(known)})}
            changed = {at: m for at, m in changed.items() if at in known or at == len(known)}
            for at in range(len(known), min(len(known) + 40, N_MODELS)):
                changed[at] = MODELS[at]
            draw.choice((store, other)).upsert(changed.values())
            known |= changed
            with pytest.raises(OverflowError):
                store.upsert([replace(MODELS[0], downloads=3, likes=2**70)])
            for asked in (replace(random_selection(draw), offset=turn % 3) for _ in range(5)):
                wanted = expected([known[at] for at in sorted(known)], asked)
                assert [m.id for m in store.select(asked)] == [m.id for m in wanted], asked


def test_an_answer_is_of_one_state(store: Catalog) -> None:
    """What another process writes meanwhile is in the next one."""
    asked = Selection(task="fill-mask")
    store.upsert(MODELS[:50])
    with Catalog(store.path) as other:
        with known_sets.one_state(store._connection):
            before = store.count(asked)
            other.upsert(MODELS[50:])
            assert store.count(asked) == store.count(asked) == before
            assert len(store.select(asked)) == before
        assert store.count(asked) == other.count(asked) > before


def listed(id: str, **facts: object) -> Model:
    return Model(id, "a" * 40, "hub", described=False, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit_bytes", [0, known_sets.LIMIT_BYTES], ids=["none", "all"])
def test_what_is_remembered_is_never_old(
    store: Catalog, limit_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what this process wrote, nor what another did; whatever there is room for."""
    monkeypatch.setattr(known_sets, "LIMIT_BYTES", limit_bytes)
    asked = [
        Selection(task="fill-mask"),
        Selection(derived_from="base/0"),
        Selection(min_parameters=3),
        Selection(since="2025-01-01"),
    ]

    def counts(which: Catalog) -> list[int]:
        return [which.count(one) for one in asked * 2]

    def wanted(models: Sequence[Model]) -> list[int]:
        lineage = sum("base/0" in model.base_models for model in models)
        found = [
            len(expected(models, replace(one, derived_from=None, limit=None))) for one in asked
        ]
        return [lineage if one.derived_from else n for one, n in zip(asked, found, strict=True)] * 2

    with Catalog(store.path) as other:
        for n in (100, 200, 300):
            (store if n == 200 else other).upsert(MODELS[n - 100 : n])
            assert counts(store) == counts(other) == wanted(MODELS[:n])
    with pytest.raises(OverflowError):
        store.upsert([*MODELS[300:400], listed("z", downloads=2**70)])
    assert counts(store) == wanted(MODELS[:300])


def test_sets_that_took_long_to_read_are_remembered_longest(
    store: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room for three: the one that took long stays while quick ones come and go."""
    n_read = {"long": 0, "quick": 0}

    def read(kind: str) -> int:
        n_read[kind] += 1
        clock.append(clock[-1] + (1.0 if kind == "long" else 0.01))
        return 1 << 8000

    clock = [0.0]
    monkeypatch.setattr(known_sets, "LIMIT_BYTES", 3 * (1 << 8000).__sizeof__())
    monkeypatch.setattr(known_sets, "perf_counter", lambda: clock[-1])
    connection = store._connection
    for at in range(20):
        known_sets.known(connection, ("long", ""), lambda: read("long"))
        known_sets.known(connection, ("quick", str(at)), lambda: read("quick"))
        known_sets.known(connection, ("quick", str(at)), lambda: read("quick"))
    assert n_read == {"long": 1, "quick": 20}
    for at in range(400):
        known_sets.known(connection, ("quick", str(100 + at)), lambda: read("quick"))
    known_sets.known(connection, ("long", ""), lambda: read("long"))
    assert n_read["long"] == 2


def test_a_facet_is_what_its_changes_make_of_it(store: Catalog) -> None:
    """Few numbers and many, in two chunks; what is there already comes again, or never was."""
    draw, members, facet = random.Random(0), set[int](), ("task", "some")
    places = [*range(70), *range(facets.CHUNK - 70, facets.CHUNK + 70)]
    for _ in range(60):
        most = draw.choice((5, 100, len(places)))
        added, removed = (draw.sample(places, draw.randint(0, most)) for _ in range(2))
        if draw.random() < 0.5:
            removed = []
        facets.change(store._connection, added={facet: added}, removed={facet: removed})
        members = (members | set(added)) - set(removed)
        assert set(facets.numbers_in(facets.members(store._connection, *facet))) == members
        assert facets.counts(store._connection, "task").get("some", 0) == len(members)


def test_large_sets_are_read_out_whole() -> None:
    """Numbers on both sides of each block and chunk, and far apart."""
    draw = random.Random(0)
    edges = {edge + near for edge in (2048, 65_536, 2**20) for near in (-1, 0, 1)}
    numbers = sorted({0, 7, 8, *edges, *draw.sample(range(2**21), 3_000)})
    assert list(facets.numbers_in(facets.as_bits(numbers))) == numbers


def test_lineage_is_followed_through_circles(store: Catalog) -> None:
    """Everything made from a base, at any remove, and not the base itself."""
    made_from = {
        "a": ["x"],
        "b": ["a"],
        "c": ["b"],
        "x": ["c"],
        "other": ["y"],
        "mixed": ["y", "a"],
    }
    store.upsert(listed(id, base_models=tuple(bases)) for id, bases in made_from.items())
    found = store.select(Selection(derived_from="x", sort="id"))
    assert [model.id for model in found] == ["a", "b", "c", "mixed"]


def test_generic_outputs_are_found_by_their_real_names(store: Catalog) -> None:
    """label2id tells them."""
    store.upsert([listed("a", labels=("LABEL_0", "LABEL_1"), label2id={"no": 0, "yes": 1})])
    assert store.count(Selection(labels=("Yes", "No"))) == 1


@pytest.mark.parametrize(
    "search",
    [
        '"',
        "tiny*",
        "tiny OR",
        "name:tiny",
        "NEAR(tiny)",
        "tiny AND -",
        "^tiny",
        "tiny'); --",
        "{tiny}",
    ],
)
def test_search_is_never_syntax(store: Catalog, search: str) -> None:
    """Signs are left out; what remains are words, all of which must be there."""
    store.upsert([listed("a/tiny")])
    if not words_in(search):
        with pytest.raises(BadInput, match="no word"):
            Selection(search=search)
        return
    assert store.count(Selection(search=search)) == int(words_in(search) == ["tiny"])


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"sort": "downloads; DROP TABLE models"}, "choose one of downloads, likes, score"),
        ({"sort": "relevance"}, "needs search"),
        ({"label_match": "fuzzy"}, "exact, normalised, superset"),
        ({"formats": ("zip",)}, "safetensors, onnx, pickle, gguf"),
        ({"languages": "de"}, r"write \('de',\)"),
        ({"limit": -1}, "whole number"),
        ({"max_bytes": 2**70}, "whole number"),
        ({"since": "yesterday"}, "is no date"),
    ],
)  # fmt: skip
def test_a_bad_value_is_answered_with_what_is_allowed(
    facts: dict[str, object], message: str
) -> None:
    """Before anything is read."""
    with pytest.raises(BadInput, match=message):
        Selection(**facts)  # type: ignore[arg-type]
