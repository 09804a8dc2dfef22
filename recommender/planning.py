"""Before any label is used: the sources, the models that may answer, the pool, and the bar."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from cache.errors import BadInput, NotFound, RecommenderError, SourceUnavailable
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
from recommender.bar import Bar
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
    """A query made concrete, before any label is used."""

    query: Query
    samples: Samples  # in the fixed order
    pool: Pool
    bar: Bar
    methods: dict[str, RecipeMethod]
    baseline: Candidate | None

    @property
    def plan(self) -> Plan:
        """What is shown before the search starts."""
        return Plan(
            n_rows=self.samples.n,
            n_candidates=len(self.pool),
            n_models=len(self.pool.models),
            delta=self.query.delta,
            seed=self.query.seed,
            minimize=self.query.minimize,
            requirements=tuple(str(r) for r in self.query.requirements),
            proven=self.bar.proven,
            allowed_errors=self.bar.allowed_errors,
            download_mb=self.pool.download_mb,
            candidates=tuple((c.name, c.predicted_size_mb) for c in self.pool.candidates),
            left_out=tuple((o.name, str(o.state), o.reason) for o in self.pool.left_out),
        )


def declare(query: Query, samples: Samples, shelf: Shelf, progress: Progress) -> Declared:
    """The pool and the bar. BadInput where no candidate is left or the rows cannot prove it."""
    for metric in query.measured_metrics:
        check_metric(metric, samples.labels, query.positive)
    models = shelf.models(query, progress)
    methods = recipe_methods()
    ordered = samples.ordered(query.seed)
    pool = declare_pool(models, methods, query, labels=ordered.labels)
    if not query.models:
        pool = replace(pool, left_out=(*pool.left_out, *shelf.quarantined()))
    baseline = _baseline(query, shelf, methods)
    absolute = all(not requirement.of_baseline for requirement in query.quality)
    bar = (
        Bar.declare(query, n_rows=ordered.n, n_candidates=len(pool))
        if absolute
        else Bar((), ordered.n, query.delta / max(1, len(pool)))
    )
    if len(pool):
        bar.require_enough_rows(len(pool))
    elif pool.left_out and all(o.state is State.LABEL_MISMATCH for o in pool.left_out):
        n, first = len(pool.left_out), pool.left_out[0]
        raise BadInput(f"the labels fit none of {n} models, such as {first.name}: {first.reason}")
    return Declared(query, ordered, pool, bar, methods, baseline)


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
