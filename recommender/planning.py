"""Before any label is used: the sources, the models, the pool, its ledger, and the bar."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from math import exp, inf
from pathlib import Path

from cache.errors import BadInput, NotFound, RecommenderError, SourceUnavailable
from cache.measurements import Measurements
from cache.paths import Home
from catalog.deliveries import Prefetching
from catalog.details import describe_all, lacks_scan
from catalog.downloads import Downloads
from catalog.model import Model
from catalog.policy import Refusal
from catalog.protocols import Source
from catalog.store import Catalog
from evaluators.candidate import Candidate
from evaluators.labels import LabelMismatch
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
from recommender.gates import NO_GATES, Gates
from recommender.label_slice import LabelSlice, slice_size
from recommender.naming import check_told_labels, unused_label_map
from recommender.plugins import installed, plugin
from recommender.progress import Progress
from recommender.query import Query
from recommender.recommendation import Plan
from recommender.space import LeftOut, Pool, affordable, declare_pool, named_labels

SHOWN_MODELS = 3

OTHER_MAP = (
    "another prediction function than the one of this name that was declared (--label-map or "
    "--task-option differs)"
)

CRAWL_LIMIT = 200
"""Models that `find` lists by itself when the catalog knows nothing for the task."""

MOST_LISTED = 20
"""Models of a Hub that are ranked for a query, for each place in the pool."""


def _nothing(line: str) -> None:
    """Says nothing."""


def open_source(
    name: str,
    catalog: Catalog,
    *,
    downloads: Downloads | None = None,
    say: Callable[[str], None] = _nothing,
) -> Source:
    """The source behind a name like `folder:PATH`; an unknown kind is answered with the list.

    `say` is told of longer waits.
    """
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
    if kind == "hub":
        counted = catalog.path.with_name("requests.db")  # by all processes with this home
        hub: Source = plugin("sources", "hub")(
            place or None,
            memo=catalog,
            downloads=downloads,
            allowance_path=counted,
            on_wait=lambda wait_s: say(f"waiting {wait_s:.0f} s: the Hub's quota of requests"),
        )
        return hub
    if kind == "snapshot":
        snapshot: Source = plugin("sources", "snapshot")(place, memo=catalog)
        return snapshot
    found: Source = plugin("sources", kind)(place) if place else plugin("sources", kind)()
    return found


@dataclass(frozen=True, slots=True)
class Shelf:
    """The catalog with the sources that a query names."""

    catalog: Catalog
    sources: dict[str, Source]

    @classmethod
    @contextmanager
    def open(
        cls,
        home: Home,
        names: Sequence[str],
        *,
        disk_mb: float | None = None,
        say: Callable[[str], None] = _nothing,
    ) -> Iterator["Shelf"]:
        """The catalog of a home, open for the time of a search.

        What searches downloaded is kept below `disk_mb` by removing what was used least recently.
        """
        budget_bytes = None if disk_mb is None else int(disk_mb * 1e6)
        with ExitStack() as stack:
            catalog = stack.enter_context(Catalog(home.catalog))
            downloads = stack.enter_context(Downloads(home.downloads, budget_bytes=budget_bytes))
            sources = [open_source(name, catalog, downloads=downloads, say=say) for name in names]
            for source in sources:
                if isinstance(source, Prefetching):
                    stack.callback(source.close)
            yield cls(catalog, {source.name: source for source in sources})

    def models(self, query: Query, progress: Progress) -> tuple[Model, ...]:
        """The named models, or the catalog's models for the task, crawled first where needed."""
        if query.models:
            return tuple(self.model(name) for name in query.models)
        found: list[Model] = []
        self.renew(query.task.name, progress.say)
        for source, tag in product(self.sources.values(), query.tags):
            self._crawl(source, tag, progress)
            found += self._listed(source, tag, query)
        return tuple(found)

    def renew(self, task: str | None, say: Callable[[str], None]) -> None:
        """Reads those exported files among the sources that are not the ones that were read."""
        from catalog.crawl import crawl

        for source in self.sources.values():
            is_whole = self.catalog.crawled(source.name, None) is not None
            is_known = is_whole or self.catalog.crawled(source.name, task) is not None
            if _is_changed(source, task) or (_is_snapshot(source) and not is_known):
                say(f"reading {source.name.partition(':')[2]}")
                crawl(source, self.catalog, task=None if is_whole else task)

    def _crawl(self, source: Source, task: str, progress: Progress) -> None:
        """A folder is listed each time (its hashes are remembered), all else once."""
        from catalog.crawl import crawl

        local = source.name.startswith("folder:")
        if _is_snapshot(source) or (not local and self.catalog.crawled(source.name, task)):
            return
        if not local:
            progress.say(f"the catalog knows no {task} models of {source.name}: crawling it once")
        limit = CRAWL_LIMIT if source.tells_changes else None
        crawl(source, self.catalog, task=task, limit=limit)

    def _listed(self, source: Source, task: str, query: Query) -> Sequence[Model]:
        """A folder's models for the task; of all else the most downloaded, more than are needed."""
        local = source.name.startswith("folder:")
        limit = None if local else MOST_LISTED * query.max_candidates
        # By downloads: the stored score holds results that may be of the user's own rows.
        found = self.catalog.select(task=task, sources=(source.name,), limit=limit)
        # One that lacks the scan's verdict is asked about again before it becomes a candidate.
        return [replace(m, described=False) if lacks_scan(m) else m for m in found]

    def base_model(self, id: str) -> Model | None:
        """A model up somebody's lineage, as far as the catalog knows it."""
        try:
            return self.catalog.get(id)
        except NotFound:
            return None

    def describe(self, models: Sequence[Model]) -> tuple[Model | Refusal, ...]:
        """All that their sources tell of listed models, in the same order."""
        told: dict[str, Model | Refusal] = {}
        for name, source in self.sources.items():
            listed = [model for model in models if model.source == name]
            if listed:
                found = describe_all(listed, source, self.catalog)
                told |= zip((model.name for model in listed), found, strict=True)
        return tuple(told.get(model.name, model) for model in models)

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
                # A gated one is perhaps so no longer, or not for the token that is set.
                is_old = _is_changed(self.sources[known.source], known.task)
                if known.described and not known.gated and not is_old:
                    return self._scanned(known)
            except NotFound as unknown:
                found = found or unknown
            found = self._ask(hubs, wanted, revision or None) or found
        if isinstance(found, Model):
            return found
        raise found or NotFound(f"no source is named to look for {wanted} in")

    def _scanned(self, known: Model) -> Model:
        """A described model, asked about again where the scan's verdict is lacking."""
        (found,) = self.describe([known])
        return found if isinstance(found, Model) else known

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


def _is_snapshot(source: Source) -> bool:
    return source.name.startswith("snapshot:")


def _is_changed(source: Source, task: str | None) -> bool:
    """Whether a source is an exported file that was not read yet as it is now."""
    if not _is_snapshot(source):
        return False
    from catalog.sources.snapshot import SnapshotSource

    return isinstance(source, SnapshotSource) and source.is_changed(task)


@dataclass(frozen=True, slots=True)
class Declared:
    """A query made concrete, before any label is used.

    `samples` are in the fixed order, and `metadata` in the pool's. `warnings` are what the reader
    should know of the labels. `own_data` are the names of the data set that the rows come from.
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
    own_data: frozenset[str] = frozenset()

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
            left_out=tuple(
                dict.fromkeys((o.name, str(o.state), o.reason) for o in self.pool.left_out)
            ),
            warnings=self.warnings,
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
            task=self.query.task.name,
            several=self.query.several,
            scored=bool(self.query.places),
            own=self.query.own,
        )

    @property
    def label_slice(self) -> LabelSlice | None:
        """The units on which labels may be inferred; they depend on no label of a row."""
        if not self.query.labelled or not self.bar.batch_ends:
            return None
        rows, units = self.samples, self.units
        n = slice_size(self.bar.batch_ends[0], len(rows.labels))
        n = min(n, self.n_screened) if self.mode == "open" else n
        return LabelSlice.of(n, (row.key for row in rows.rows), rows.rows, units.of_row)

    def reordered_goal(self, candidate: Candidate) -> float:
        """The wealth at which a candidate is certified with its labels in another order."""
        if self.opened is None:
            return inf
        ledger, question = self.opened.ledger, self.opened.question
        line = line_key(candidate, self.query)
        shares = [ledger.reordered_share(line, name, question) for name in question.conditions]
        goals = [ledger.goal(share) for share in shares]
        return max((inf if goal is None else goal for goal in goals), default=inf)

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
        """What these labels can prove, for the first quality that has a fixed exact target.

        For one that all units speak of, where there is one; of a class the labels would tell.
        """
        from recommender.evidence.planner import resolution_sentence

        plain = [a for a in self.bar.asked if a.exact and not a.requirement.relative]
        if not plain or self.mode == "open" or not len(self.pool):
            return ""
        first = next((a for a in plain if a.condition.is_of_all), plain[0])
        sentence = resolution_sentence(
            self._n_in_slice(first.condition), len(self.pool), target=first.level,
            level=self.level, units="rows" if self.units.n == self.samples.n else "units",
            harmonic=first.condition.metric == "f1", quality=first.subject,
        )  # fmt: skip
        if first.condition.label is None:
            return sentence
        return f"{sentence}, if all of them counted; those that the class has no part in do not"

    def _n_in_slice(self, condition: Condition) -> int:
        """The units of which a row lies in the condition's slice; all without one."""
        if condition.slice is None:
            return self.units.n
        column, value = condition.slice
        placed = zip(self.units.of_row, self.samples.rows, strict=True)
        return len({unit for unit, row in placed if dict(row.slices).get(column) == value})


def declare(
    query: Query,
    samples: Samples,
    shelf: Shelf,
    store: Measurements,
    progress: Progress,
    *,
    gates: Gates = NO_GATES,
    read_only: bool = False,
) -> Declared:
    """The pool, the ledger and the bar. BadInput where the rows can prove it for no candidate.

    `gates` turn models down on this machine and within the budgets. With `read_only` the ledger is
    the one that a search would have, and none is written.
    """
    check_told_labels(query, samples.labels)
    for metric in query.measured_metrics:
        if query.spec(metric).form == "counts":
            check_metric(metric, samples.labels, query.positive)
    for requirement in query.quality:
        kinds = samples.labels if query.spec(requirement.measure).form == "counts" else None
        requirement.check_data(kinds, samples.slice_values)
    asked = asked_of(query)
    mode = _mode(query, asked)
    methods = recipe_methods()
    models = shelf.models(query, progress)
    own_data = _own_data(store, samples)
    gates = replace(gates, own_data=own_data, lookup=shelf.base_model)
    pool = declare_pool(
        models, methods, query, labels=samples.labels, gates=gates, describe=shelf.describe
    )
    if not query.models:
        pool = replace(pool, left_out=(*pool.left_out, *shelf.quarantined()))
    _require_fitting_labels(pool)
    baseline = _baseline(query, shelf, methods)
    rows, units = ordered_units(samples, units_of(samples, query.duplicates), query.seed)
    metadata, earned = _metadata(query, pool, own_data)
    if not len(pool):
        empty = Bar(asked, units.n, (units.n,), {})
        return Declared(query, rows, units, pool, empty, None, methods, baseline, (), mode)
    known = gates.warnings(pool.models, pool.candidates)
    known += unused_label_map(query, [*pool.models, *([baseline.model] if baseline else [])])
    declaration = _declaration(query, asked, pool, baseline, metadata, methods, mode)
    _require_enough_units(declaration, asked, units.n)
    labels = {key: row.label for key, row in zip(units.row_keys, rows.rows, strict=True)}
    opened = open_ledger(
        declaration, units.members, store.ledgers, labels=labels, read_only=read_only
    )
    rows, units = arranged_units(rows, units, opened.order)
    pool, metadata = _covered(query, pool, metadata, opened)
    pool, kept = affordable(pool, gates)
    metadata = tuple(metadata[at] for at in kept)
    goals = {key: goal for key, goal in opened.goals.items() if goal is not None}
    bar = Bar(asked, units.n, opened.batch_ends, goals)
    warnings = [*([opened.note] if opened.note else []), *known, *earned]
    if not opened.is_new:
        warnings.insert(0, f"labels used before: {opened.coverage.sentence}")
    declared = Declared(
        query, rows, units, pool, bar, opened, methods, baseline, metadata, mode, tuple(warnings)
    )
    told = (*declared.warnings, *_labels_to_infer(declared))
    return replace(declared, warnings=told, own_data=own_data)


def _labels_to_infer(declared: Declared) -> list[str]:
    """A warning for models whose names say nothing of the labels, as far as metadata tells."""
    query, wanted, slice = declared.query, declared.samples.labels, declared.label_slice
    found = []
    for model in declared.pool.models if slice else ():
        outputs = query.method.known_labels(model.labels, query.task)
        try:
            named_labels(outputs, model, wanted, query)
        except LabelMismatch:
            found += [model.id] if outputs else []
    if not found or slice is None:
        return []
    return [
        f"labels to be inferred on {slice.n_units:,} rows, which are then no evidence for these "
        f"models: {', '.join(found[:SHOWN_MODELS])}"
        + (f" and {len(found) - SHOWN_MODELS} more" if len(found) > SHOWN_MODELS else "")
    ]


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


def _own_data(store: Measurements, samples: Samples) -> frozenset[str]:
    """The names of the data set that the rows come from, as far as that is known."""
    read_from = store.ledgers.sources_of([row.key for row in samples.rows])
    return frozenset([samples.dataset or samples.name, *read_from])


def _metadata(
    query: Query, pool: Pool, own_data: frozenset[str]
) -> tuple[tuple[Metadata, ...], list[str]]:
    """What is known of each candidate without these labels, and what was left out of it."""
    metric = query.quality[0].measure if query.quality else "accuracy"
    found: list[Metadata] = []
    left_out: list[str] = []
    for candidate in pool.candidates:
        known, without = Metadata.of(
            candidate.model, candidate.recipe, metric=metric, own_data=own_data
        )
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
    first = asked[0].level if asked and not asked[0].requirement.relative else 0.9
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
        claims=bool(query.quality),
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
    outside = tuple(
        LeftOut(candidate.name, State.NOT_COVERED, _why_not_covered(candidate, opened))
        for at, candidate in enumerate(pool.candidates)
        if at not in set(inside)
    )
    kept = Pool(tuple(pool.candidates[at] for at in inside), (*pool.left_out, *outside))
    return kept, tuple(metadata[at] for at in inside)


def _why_not_covered(candidate: Candidate, opened: Opened) -> str:
    if opened.coverage.uncovered_conditions:
        asked = ", ".join(opened.coverage.uncovered_conditions)
        return f"{asked}: not declared before these labels were used; label new rows to test it"
    reason = "made or named after these labels were used; label new rows to test it"
    if any(line.name == candidate.name for line in opened.ledger.lines):
        return f"{OTHER_MAP}, {reason}"
    return reason


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
    states = Counter(one.state for one in left_out)
    examples = {one.state: one for one in reversed(left_out)}
    told = (
        f"{n} {state}, for instance {examples[state].name}: {examples[state].reason}"
        for state, n in states.most_common()
    )
    return f"no candidate is left to try. Turned down: {'; '.join(told)}"
