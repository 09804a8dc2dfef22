"""The pool: models times recipes, declared before any label is used, cheapest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from catalog.model import File, Model
from catalog.policy import refuse
from evaluators.candidate import Candidate, Recipe
from evaluators.labels import align
from evaluators.measurement import CandidateFailed, State
from evaluators.protocols import RecipeMethod
from recommender.query import Query
from recommender.requirement import STATIC_COSTS

PREDICTION_SLACK = 1.05
"""A predicted size may be this much over a limit and the candidate still be measured."""


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
            if not candidate.model.source.startswith("folder:")
            for file in needed_files(candidate.model, candidate.recipe)
        }
        return sum(files.values()) / 1e6


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
) -> Pool:
    """Every allowed model with every recipe that this machine can run, ordered by predicted cost.

    Decided from metadata alone: policy, licence, label names, sizes. At most
    `query.max_candidates` models, in the order given (by downloads).
    """
    candidates: list[Candidate] = []
    left_out: list[LeftOut] = []
    admitted = 0
    for model in {(model.id, model.revision): model for model in models}.values():
        refusal = _refusal(model, query, labels)
        if refusal is None and admitted == query.max_candidates:
            limit = (
                f"--max-candidates {query.max_candidates} models were taken: the most downloaded, "
                "then the smallest"
            )
            refusal = LeftOut(model.name, State.SKIPPED_BY_BUDGET, limit)
        if refusal is not None:
            left_out.append(refusal)
            continue
        offered = _candidates(model, methods, query)
        if not offered:
            left_out.append(
                LeftOut(model.name, State.UNSUPPORTED, "no recipe on this machine can run it")
            )
            continue
        admitted += 1
        for candidate in offered:
            over = _over_limit(candidate, query)
            left_out.append(over) if over else candidates.append(candidate)
    ordered = sorted(
        candidates, key=lambda c: (known_cost(c, query.minimize), c.predicted_size_mb, c.name)
    )
    return Pool(tuple(ordered), tuple(left_out))


def _refusal(model: Model, query: Query, labels: Sequence[str]) -> LeftOut | None:
    refused = refuse(model)
    if refused is not None:
        return LeftOut(model.name, State(refused.state), refused.reason)
    if model.task is not None and model.task != query.task.name:
        return LeftOut(model.name, State.UNSUPPORTED, f"its task is {model.task}")
    for requirement in query.licenses:
        if not requirement.allows_license(model.license):
            found = model.license or "unknown"
            return LeftOut(model.name, State.OVER_LIMIT, f"licence {found}; {requirement} asked")
    if model.labels:
        try:
            align(model.labels, model.label2id, labels, query.label_map or None)
        except CandidateFailed as failure:
            return LeftOut(model.name, failure.state, failure.reason)
    return None


def _candidates(model: Model, methods: Mapping[str, RecipeMethod], query: Query) -> list[Candidate]:
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
