"""The pool: models times recipes, declared before any label is used, cheapest first."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import inf

from catalog.model import File, Model
from catalog.policy import Refusal
from catalog.score import candidate_score
from catalog.twins import merged, twin_groups
from evaluators.candidate import Candidate, Recipe
from evaluators.labels import LabelMap, align, may_infer
from evaluators.measurement import CandidateFailed, State
from evaluators.protocols import RecipeMethod
from recommender.evidence.weights import without_own
from recommender.gates import NO_GATES, Barred, Gates
from recommender.query import Query
from recommender.requirement import STATIC_COSTS

PREDICTION_SLACK = 1.05
"""A predicted size may be this much over a limit and the candidate still be measured."""


MOST_DESCRIBED = 4
"""Models that are asked about in full, for each place in the pool: each costs a few requests."""

MOST_NAMED = 100
"""Models without a place that are left out by name."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A model or candidate that metadata alone turned down."""

    name: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates in their fixed order, and who was left out and why."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def models(self) -> tuple[Model, ...]:
        """The distinct models, in the order of their first candidate."""
        return tuple({c.model.name: c.model for c in self.candidates}.values())

    @property
    def download_mb(self) -> float:
        """What running every candidate would download from a Hub; a file counts once."""
        files = {
            (candidate.model.name, file.path): file.size_bytes
            for candidate in self.candidates
            if not candidate.model.is_local
            for file in needed_files(candidate.model, candidate.recipe)
        }
        return sum(files.values()) / 1e6


Describe = Callable[[Sequence[Model]], Sequence[Model | Refusal]]
"""Tells all of models that only a listing named, each in its place."""


def _as_listed(models: Sequence[Model]) -> Sequence[Model | Refusal]:
    return models


def named_labels(
    outputs: Sequence[str], model: Model, labels: Sequence[str], query: Query
) -> LabelMap:
    """The map that a model's names and the query tell. Raises LabelMismatch where none does."""
    explicit = query.label_map or None
    return align(
        outputs, model.label2id, labels, explicit,
        partial=query.partial, asked=query.names_model(model.id),
    )  # fmt: skip


def may_be_inferred(
    outputs: Sequence[str], model: Model, labels: Sequence[str], query: Query
) -> bool:
    """Whether rows may tell what the names do not (evaluators.labels.may_infer)."""
    return may_infer(
        outputs, model.label2id, labels, query.label_map or None,
        partial=query.partial, asked=query.names_model(model.id),
    )  # fmt: skip


def needed_files(model: Model, recipe: Recipe) -> tuple[File, ...]:
    """The repository's files that building a recipe reads."""
    own = tuple(file for file in model.onnx_files if file.path == recipe.file)
    return (own or model.weight_files) + model.tokenizer_files + model.config_files


def declare_pool(
    models: Iterable[Model],
    methods: Mapping[str, RecipeMethod],
    query: Query,
    *,
    labels: Sequence[str],
    gates: Gates = NO_GATES,
    describe: Describe = _as_listed,
) -> Pool:
    """Every allowed model with every recipe that this machine can run, ordered by predicted cost.

    Decided from metadata alone: policy, licence, label names, sizes, this machine. At most
    `query.max_candidates` models, the most promising first (catalog.score). `describe` tells more
    of models that only a listing named, and is asked for no more of them than are needed.
    """
    search = _Admission(methods, query, tuple(labels), gates)
    distinct = {(model.id, model.revision): model for model in models}
    waiting = [model for model in distinct.values() if search.allows(model)]
    queue = deque(sorted(waiting, key=search.rank))
    n_asked = 0
    while queue and search.n_free and n_asked < MOST_DESCRIBED * query.max_candidates:
        batch = [queue.popleft() for _ in range(min(len(queue), search.n_free))]
        listed = [model for model in batch if not model.described]
        n_asked += len(listed)
        told = dict(zip((model.name for model in listed), describe(listed), strict=True))
        search.consider([told.get(model.name, model) for model in batch])
    search.skip(queue)
    ordered = sorted(
        search.candidates,
        key=lambda c: (known_cost(c, query.minimize), c.predicted_size_mb, c.name),
    )
    return Pool(tuple(ordered), tuple(search.left_out))


def affordable(pool: Pool, gates: Gates) -> tuple[Pool, tuple[int, ...]]:
    """The candidates within this search's budgets and this hour's disk, and their places before.

    Asked after the pool was declared: a budget that is lifted later brings a candidate back.
    """
    barred = [gates.bar_now(candidate) for candidate in pool.candidates]
    kept = tuple(at for at, reason in enumerate(barred) if reason is None)
    out = tuple(
        LeftOut(candidate.name, *reason)
        for candidate, reason in zip(pool.candidates, barred, strict=True)
        if reason is not None
    )
    return Pool(tuple(pool.candidates[at] for at in kept), (*pool.left_out, *out)), kept


@dataclass(slots=True)
class _Admission:
    """The candidates that were let in so far, and who was left out."""

    methods: Mapping[str, RecipeMethod]
    query: Query
    labels: tuple[str, ...]
    gates: Gates
    candidates: list[Candidate] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    n_admitted: int = 0

    @property
    def n_free(self) -> int:
        """How many more models may be let in."""
        return self.query.max_candidates - self.n_admitted

    def rank(self, model: Model) -> tuple[float, float, str]:
        """The most promising first; of equals, the smallest."""
        metric = self.query.quality[0].measure if self.query.quality else "accuracy"
        asked = [self.query.label_map.get(label, label) for label in self.labels]
        known, _ = without_own(model, self.gates.own_data)
        score = candidate_score(known, labels=asked, metric=metric)
        return (-round(score, 9), float(model.n_parameters or inf), model.id)

    def allows(self, model: Model) -> bool:
        """Whether nothing that is known of the model speaks against it; else it is left out."""
        barred = self.gates.bar_model(model, self.query) or self._bar_labels(model)
        if barred is not None:
            self.left_out.append(LeftOut(model.name, *barred))
        return barred is None

    def consider(self, described: Sequence[Model | Refusal]) -> None:
        """Let models in with those of their candidates that no limit forbids; twins as one."""
        for refusal in described:
            if isinstance(refusal, Refusal):
                self.left_out.append(LeftOut(refusal.id, State(refusal.state), refusal.reason))
        for twins in twin_groups(row for row in described if isinstance(row, Model)):
            model = merged(twins)
            if self.allows(model):
                self._admit(model)
                state, end = State.NOT_NEEDED, ", which stands for both"
            else:
                state, end = self.left_out[-1].state, f": {self.left_out[-1].reason}"
            reason = f"same weights and files as {model.name}{end}"
            others = (twin.name for twin in twins if twin.name != model.name)
            self.left_out += [LeftOut(name, state, reason) for name in others]

    def _admit(self, model: Model) -> None:
        offered = offered_candidates(model, self.methods, self.query)
        if not offered:
            reason = "no recipe on this machine can run it"
            self.left_out.append(LeftOut(model.name, State.UNSUPPORTED, reason))
        n_before = len(self.candidates)
        for candidate in offered:
            over = _over_limit(candidate, self.query) or self._bar(candidate)
            self.left_out.append(over) if over else self.candidates.append(candidate)
        self.n_admitted += len(self.candidates) > n_before

    def _bar(self, candidate: Candidate) -> LeftOut | None:
        barred = self.gates.bar_candidate(candidate)
        return LeftOut(candidate.name, *barred) if barred else None

    def _bar_labels(self, model: Model) -> Barred | None:
        outputs = self.query.method.known_labels(model.labels, self.query.task)
        if not outputs:
            return None
        try:
            named_labels(outputs, model, self.labels, self.query)
        except CandidateFailed as failure:
            if not may_be_inferred(outputs, model, self.labels, self.query):
                return failure.state, failure.reason
        return None

    def skip(self, models: Collection[Model]) -> None:
        """Leave out those that there was no place for; many of them in one line."""
        limit = (
            f"--max-candidates {self.query.max_candidates} models were taken: the most promising "
            "by their metadata"
        )
        shown = list(islice(models, MOST_NAMED))
        self.left_out += [LeftOut(m.name, State.SKIPPED_BY_BUDGET, limit) for m in shown]
        if more := len(models) - len(shown):
            name = f"{more:,} more models"
            self.left_out.append(LeftOut(name, State.SKIPPED_BY_BUDGET, limit))


def offered_candidates(
    model: Model, methods: Mapping[str, RecipeMethod], query: Query
) -> list[Candidate]:
    """A model with every recipe that this machine can run, among the asked backends."""
    generates = query.method.generates
    return [
        Candidate(
            model,
            recipe,
            predicted_size_mb=method.predicted_size_bytes(model, recipe) / 1e6,
            download_mb=sum(file.size_bytes for file in needed_files(model, recipe)) / 1e6,
        )
        for method in methods.values()
        for recipe in method.recipes(model)
        if not query.backends or recipe.backend in query.backends
        if not generates or recipe.backend == "torch"
    ]


def known_cost(candidate: Candidate, measure: str) -> float:
    """A cost that metadata tells, infinite where it does not; 0 for one that must be measured."""
    if measure == "download_mb":
        return candidate.download_mb
    if measure == "n_parameters":
        return float(candidate.model.n_parameters or inf)
    return candidate.predicted_size_mb if measure == "size_mb" else 0.0


def _over_limit(candidate: Candidate, query: Query) -> LeftOut | None:
    for limit in query.limits:
        if limit.measure not in STATIC_COSTS:
            continue
        slack = PREDICTION_SLACK if limit.measure == "size_mb" else 1.0
        cost = known_cost(candidate, limit.measure)
        if limit.violation(cost / slack) > 0:
            predicted = "predicted " if limit.measure == "size_mb" else ""
            reason = f"{predicted}{limit.measure} {cost:.3g} misses '{limit}'"
            return LeftOut(candidate.name, State.OVER_LIMIT, reason)
    return None
