"""Before any label is used: the sources, the models, the pool, its ledger, and the bar."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import exp, inf
from pathlib import Path

from cache.errors import BadInput, NotFound, RecommenderError, SourceUnavailable
from cache.measurements import Measurements
from cache.paths import Home
from catalog.model import Model
from catalog.protocols import Source
from catalog.store import CatalogStore
from evaluators.candidate import Candidate
from evaluators.measurement import State
from evaluators.plugins import recipe_methods
from evaluators.protocols import RecipeMethod
from evaluators.quality.specs import check_metric
from evaluators.samples import Samples
from evaluators.units import Units, arranged_units, ordered_units, units_of
from recommender.bar import Asked, Bar, asked_of
from recommender.bench import line_key
from recommender.bookkeeping import Declaration, Opened, open_ledger, published_at, scope_of
from recommender.evidence.conditions import Condition
from recommender.evidence.ledger import Line, Mode, Question, Reference
from recommender.evidence.split import n_screened
from recommender.evidence.weights import Metadata, merged, weights
from recommender.facts import Facts
from recommender.plugins import installed, plugin
from recommender.progress import Progress
from recommender.query import Query
from recommender.recommendation import Plan
from recommender.space import LeftOut, Pool, declare_pool

CRAWL_LIMIT = 200
"""Models that `find` lists by itself when the catalog knows nothing for the task."""


def open_source(name: str, catalog: CatalogStore) -> Source:
    """The source behind `hub` or `folder:PATH`; an unknown kind is answered with the list."""
    kind, _, place = name.partition(":")
    if kind == "folder":
        if not place:
            raise BadInput("'folder' needs a path; write --source folder:PATH")
        if not Path(place).expanduser().is_dir():
            raise NotFound(f"there is no folder {place}; write --source folder:PATH of one")
        source: Source = plugin("sources", "folder")(Path(place).expanduser(), memo=catalog)
        return source
    if kind not in installed("sources") and Path(name).expanduser().is_dir():
        raise BadInput(f"'{name}' is a folder; write --source folder:{name}")
    found: Source = plugin("sources", kind)(place) if place else plugin("sources", kind)()
    return found


@dataclass(frozen=True, slots=True)
class Shelf:
    """The catalog with the sources that a query names."""

    catalog: CatalogStore
    sources: dict[str, Source]

    @classmethod
    @contextmanager
    def open(cls, home: Home, names: Sequence[str]) -> Iterator["Shelf"]:
        """The catalog of a home, open for the time of a search."""
        with CatalogStore(home.catalog) as catalog:
            opened = [open_source(name, catalog) for name in names]
            yield cls(catalog, {source.name: source for source in opened})

    def models(self, query: Query, progress: Progress) -> tuple[Model, ...]:
        """The named models, or the catalog's models for the task, crawled first where needed."""
        if query.models:
            return tuple(self.model(name) for name in query.models)
        for source in self.sources.values():
            self._crawl(source, query.task.name, progress)
        known = self.catalog.models(task=query.task.name, sources=list(self.sources))
        return tuple(sorted(known, key=_popularity))

    def _crawl(self, source: Source, task: str, progress: Progress) -> None:
        """A folder is listed each time (its hashes are remembered), the Hub once."""
        from catalog.crawl import crawl

        local = source.name.startswith("folder:")
        if not local and self.catalog.crawled(source.name, task):
            return
        if not local:
            progress.say(f"the catalog knows no {task} models of {source.name}: crawling it once")
        crawl(source, self.catalog, task=task, limit=None if local else CRAWL_LIMIT)

    def quarantined(self) -> list[LeftOut]:
        """Repositories that could not be read when the sources were listed."""
        found = self.catalog.refusals(sources=list(self.sources))
        return [LeftOut(refusal.id, State(refusal.state), refusal.reason) for refusal in found]

    def model(self, name: str) -> Model:
        """A model by `ID` or `ID@REVISION`: from a folder as it is now, the catalog, or the Hub."""
        wanted, _, revision = name.partition("@")
        folders = [s for s in self.sources.values() if s.name.startswith("folder:")]
        hubs = [s for s in self.sources.values() if not s.name.startswith("folder:")]
        found = self._ask(folders, wanted, revision or None)
        if isinstance(found, Model):
            return found
        if hubs:
            try:
                known = self.catalog.get(
                    wanted, revision=revision or None, sources=[hub.name for hub in hubs]
                )
                if not known.gated:  # else perhaps no longer, or not for the token that is set
                    return known
            except NotFound as unknown:
                found = found or unknown
            found = self._ask(hubs, wanted, revision or None) or found
        if isinstance(found, Model):
            return found
        raise found or NotFound(f"no source is named to look for {wanted} in")

    def _ask(
        self, sources: Sequence[Source], wanted: str, revision: str | None
    ) -> Model | RecommenderError | None:
        """The model from the first source that has it, else the last source's error."""
        last: RecommenderError | None = None
        for source in sources:
            try:
                model = source.model(wanted, revision)
            except (NotFound, SourceUnavailable) as error:
                last = error
                continue
            self.catalog.upsert([model], listed=revision is None)
            return model
        return last


@dataclass(frozen=True, slots=True)
class Declared:
    """A query made concrete, before any label is used.

    `samples` are in the fixed order, and `metadata` in the pool's. `warnings` are what the reader
    should know of the labels. `held_out` is the number of units that the open mode keeps back.
    """

    query: Query
    samples: Samples
    units: Units
    pool: Pool
    bar: Bar
    opened: Opened | None
    methods: dict[str, RecipeMethod]
    baseline: Candidate | None
    metadata: tuple[Metadata, ...]
    mode: Mode
    warnings: tuple[str, ...] = ()
    cost: str = ""

    @property
    def plan(self) -> Plan:
        """What is shown before the search starts."""
        return Plan(
            n_rows=self.samples.n,
            n_units=self.units.n,
            n_candidates=len(self.pool),
            n_models=len(self.pool.models),
            delta=self.query.delta,
            seed=self.query.seed,
            minimize=self.query.minimize,
            requirements=tuple(str(r) for r in self.query.requirements),
            estimand=self.units.estimand,
            mode=self.mode,
            ledger=self.opened.hash if self.opened else "",
            coverage=self.opened.coverage.sentence if self.opened else "",
            exact=self.bar.exact,
            resolution=self._resolution(),
            cost=self.cost,
            download_mb=self.pool.download_mb,
            candidates=tuple((c.name, c.predicted_size_mb) for c in self.pool.candidates),
            left_out=tuple((o.name, str(o.state), o.reason) for o in self.pool.left_out),
        )

    @property
    def facts(self) -> Facts:
        """The rows' truths and units, for the tests."""
        samples, units = self.samples, self.units
        return Facts(
            truths=tuple(row.label for row in samples.rows),
            unit_of_row=units.of_row,
            slices=tuple(dict(row.slices) for row in samples.rows),
            labels=samples.labels,
            weights=units.weights,
            grouped=samples.group_column is not None,
        )

    @property
    def n_screened(self) -> int:
        """The units that the open mode may search freely."""
        return n_screened(self.units.n)

    @property
    def reference_goals(self) -> dict[str, float]:
        """What the baseline's upper bound must reach, for each quality that waits for it."""
        found = {}
        for one in self.bar.asked:
            if one.waits and self.opened is not None and self.baseline is not None:
                name = named(one, line_key(self.baseline, self.query))
                goal = self.opened.ledger.goal(self.opened.ledger.reference_share(name))
                found[one.condition.key] = inf if goal is None else goal
        return found

    @property
    def level(self) -> float:
        """What a candidate with the median goal owns of delta."""
        goals = sorted(self.bar.goals.values())
        return exp(-goals[len(goals) // 2]) if goals else self.query.delta

    def _resolution(self) -> str:
        """What these labels can prove, for the first quality that has a fixed exact target."""
        from recommender.evidence.planner import resolution_sentence

        plain = [a for a in self.bar.asked if a.exact and not a.requirement.relative]
        if not plain or self.mode == "open" or not len(self.pool):
            return ""
        first = plain[0]
        return resolution_sentence(
            self.units.n, len(self.pool), target=first.requirement.bound, level=self.level,
            harmonic=first.condition.metric == "f1", quality=first.subject,
        )  # fmt: skip


def declare(
    query: Query,
    samples: Samples,
    shelf: Shelf,
    store: Measurements,
    progress: Progress,
    *,
    read_only: bool = False,
) -> Declared:
    """The pool, the ledger and the bar. BadInput where the rows can prove it for no candidate.

    With `read_only` the ledger is the one that a search would have, and none is written.
    """
    for metric in query.measured_metrics:
        check_metric(metric, samples.labels, query.positive)
    for requirement in query.quality:
        requirement.check_data(samples.labels, samples.slice_values)
    asked = asked_of(query)
    mode = _mode(query, asked)
    methods = recipe_methods()
    models = shelf.models(query, progress)
    pool = declare_pool(models, methods, query, labels=samples.labels)
    if not query.models:
        pool = replace(pool, left_out=(*pool.left_out, *shelf.quarantined()))
    _require_fitting_labels(pool)
    baseline = _baseline(query, shelf, methods)
    rows, units = ordered_units(samples, units_of(samples, query.duplicates), query.seed)
    metadata, earned = _metadata(query, pool, store, rows)
    if not len(pool):
        empty = Bar(asked, units.n, (units.n,), {})
        return Declared(query, rows, units, pool, empty, None, methods, baseline, (), mode)
    declaration = _declaration(query, asked, pool, baseline, metadata, methods, mode)
    _require_enough_units(declaration, asked, units.n)
    labels = {key: row.label for key, row in zip(units.row_keys, rows.rows, strict=True)}
    opened = open_ledger(
        declaration, units.members, store.ledgers, labels=labels, read_only=read_only
    )
    rows, units = arranged_units(rows, units, opened.order)
    pool, metadata = _covered(query, pool, metadata, opened)
    goals = {key: goal for key, goal in opened.goals.items() if goal is not None}
    bar = Bar(asked, units.n, opened.batch_ends, goals)
    warnings = [*([opened.note] if opened.note else []), *earned]
    if not opened.is_new:
        warnings.insert(0, f"labels used before: {opened.coverage.sentence}")
    return Declared(
        query, rows, units, pool, bar, opened, methods, baseline, metadata, mode, tuple(warnings)
    )


def _mode(query: Query, asked: Sequence[Asked]) -> Mode:
    """Pool mode, unless a metric has no exact test or the query says otherwise."""
    approximate = [one.subject for one in asked if not one.exact]
    if approximate and query.mode == "pool":
        raise BadInput(
            f"{approximate[0]} has no exact test, so it cannot be certified in the mode 'pool'; "
            "use --mode auto, or ask for accuracy, f1, precision or recall of a class"
        )
    mode: Mode = "open" if approximate or query.mode == "open" else "pool"
    relative = next((str(one.requirement) for one in asked if one.requirement.relative), None)
    if mode == "open" and relative is not None:
        raise BadInput(
            f"'{relative}' is relative to a baseline, which is tested on all rows, so it cannot be "
            "asked in the open mode; ask for it alone, without --mode open"
        )
    return mode


def _metadata(
    query: Query, pool: Pool, store: Measurements, samples: Samples
) -> tuple[tuple[Metadata, ...], list[str]]:
    """What is known of each candidate without these labels, and what was left out of it."""
    read_from = store.ledgers.sources_of([row.key for row in samples.rows])
    own = frozenset([samples.dataset or samples.name, *read_from])
    metric = query.quality[0].measure if query.quality else "accuracy"
    found: list[Metadata] = []
    left_out: list[str] = []
    for candidate in pool.candidates:
        known, without = Metadata.of(candidate.model, candidate.recipe, metric=metric, own_data=own)
        found.append(known)
        left_out += without
    distinct = list(dict.fromkeys(left_out))
    notes = [f"not used, since earned on this data set: {name}" for name in distinct[:3]]
    if len(distinct) > len(notes):
        notes.append(f"and {len(distinct) - len(notes)} more such figures were not used")
    return tuple(found), notes


def _declaration(
    query: Query, asked: Sequence[Asked], pool: Pool, baseline: Candidate | None,
    metadata: Sequence[Metadata], methods: Mapping[str, RecipeMethod], mode: Mode,
) -> Declaration:  # fmt: skip
    """The ledger that this search would have on rows that were never used."""
    keys = [line_key(candidate, query) for candidate in pool.candidates]
    kinds = merged(keys)
    first = asked[0].requirement.bound if asked and not asked[0].requirement.relative else 0.9
    shares = weights([metadata[kind[0]] for kind in kinds], first)
    lines = tuple(
        Line(keys[kind[0]], pool.candidates[kind[0]].name, share)
        for kind, share in zip(kinds, shares, strict=True)
    )
    dates = {key: published_at(c.model) for key, c in zip(keys, pool.candidates, strict=True)}
    return Declaration(
        delta=query.delta,
        seed=query.seed,
        question=_question(query, asked, baseline),
        lines=lines,
        scope=scope_of(query, list(methods)),
        menu=_menu(query),
        duplicates=query.duplicates,
        group=query.group,
        mode=mode,
        published={key: date for key, date in dates.items() if date},
    )


def _question(query: Query, asked: Sequence[Asked], baseline: Candidate | None) -> Question:
    """What is asked jointly; plain measuring is declared as looking at accuracy."""
    if not asked:
        return Question(("accuracy",), (0.0,))
    reference_key = line_key(baseline, query) if baseline else ""
    conditions = tuple(named(one, reference_key) for one in asked)
    targets = tuple(one.requirement.bound for one in asked)
    waiting = tuple(c for c, one in zip(conditions, asked, strict=True) if one.waits)
    reference = None
    if waiting and baseline is not None:
        reference = Reference(line_key(baseline, query), baseline.name, waiting)
    return Question(conditions, targets, reference)


def named(asked: Asked, baseline_key: str) -> str:
    """A condition as the ledger names it: with the baseline that it is relative to."""
    reference = f" ~{baseline_key[:16]}" if asked.requirement.relative else ""
    return asked.condition.key + reference


def _menu(query: Query) -> tuple[str, ...]:
    """The exact qualities that may be asked later: fixed by the labels' names alone."""
    names = ["accuracy", "f1_micro"]
    keys = [Condition(name).key for name in names]
    if query.positive is not None:
        keys += [Condition(name, query.positive).key for name in ("f1", "precision", "recall")]
    return tuple(keys)


def _require_enough_units(declaration: Declaration, asked: Sequence[Asked], n: int) -> None:
    """BadInput where not even a faultless candidate could be certified with these labels."""
    from recommender.evidence.planner import faultless_needed

    best = max(line.weight for line in declaration.lines)
    level = declaration.delta * declaration.ledger(()).reserves.pool * best
    if declaration.mode == "open":
        return
    for one in asked:
        if not one.exact or one.requirement.relative:
            continue
        harmonic = one.condition.metric == "f1"
        needed = faultless_needed(one.requirement.bound, level, harmonic=harmonic)
        if needed is None:
            raise BadInput(f"'{one.requirement}' can be proven by no number of rows")
        if needed > n:
            raise BadInput(
                f"{n} rows cannot prove '{one.requirement}' for {len(declaration.lines)} "
                f"candidates, not even without an error; give at least {needed} rows, "
                "or name fewer candidates (--model, --backend, --max-candidates)"
            )


def _covered(
    query: Query, pool: Pool, metadata: Sequence[Metadata], opened: Opened
) -> tuple[Pool, tuple[Metadata, ...]]:
    """The candidates that the ledger covers; the others are left out, with the reason."""
    if not query.quality:  # estimates claim nothing
        return pool, tuple(metadata)
    keys = [line_key(candidate, query) for candidate in pool.candidates]
    inside = [at for at, key in enumerate(keys) if opened.goals.get(key) is not None]
    reason = "made or named after these labels were used; label new rows to test it"
    if opened.coverage.uncovered_conditions:
        asked = ", ".join(opened.coverage.uncovered_conditions)
        reason = f"{asked}: not declared before these labels were used; label new rows to test it"
    outside = tuple(
        LeftOut(candidate.name, State.NOT_COVERED, reason)
        for at, candidate in enumerate(pool.candidates)
        if at not in set(inside)
    )
    kept = Pool(tuple(pool.candidates[at] for at in inside), (*pool.left_out, *outside))
    return kept, tuple(metadata[at] for at in inside)


def _require_fitting_labels(pool: Pool) -> None:
    if len(pool) or not pool.left_out:
        return
    if all(o.state is State.LABEL_MISMATCH for o in pool.left_out):
        n, first = len(pool.left_out), pool.left_out[0]
        raise BadInput(f"the labels fit none of {n} models, such as {first.name}: {first.reason}")


def _baseline(query: Query, shelf: Shelf, methods: dict[str, RecipeMethod]) -> Candidate | None:
    """The baseline as it is: torch, fp32."""
    if query.baseline is None:
        return None
    model = shelf.model(query.baseline)
    method = methods["torch-fp32"]
    recipes = method.recipes(model)
    if not recipes:
        raise BadInput(f"the baseline {model.id} has no safetensors weights that torch could load")
    size_mb = method.predicted_size_bytes(model, recipes[0]) / 1e6
    return Candidate(model, recipes[0], size_mb, model.download_bytes / 1e6)


def _popularity(model: Model) -> tuple[float, float, str]:
    """The most downloaded first; where downloads are unknown, the smallest first."""
    return (-(model.downloads or 0), model.n_parameters or inf, model.id)


def nothing_to_try(declared: Declared) -> str | None:
    """One line that says why the pool is empty, or None where it is not."""
    if len(declared.pool):
        return None
    left_out = declared.pool.left_out
    if not left_out:
        places = ", ".join(declared.query.sources)
        return (
            f"no {declared.query.task.name} model is known from {places}; crawl with "
            "'recommender catalog crawl', or name a source: --source folder:PATH"
        )
    first = "; ".join(f"{o.name}: {o.state}: {o.reason}" for o in left_out[:3])
    return f"no candidate is left to try ({len(left_out)} turned down). {first}"
