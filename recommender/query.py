"""What is asked: the task, the requirements, the candidates to look at, and the budgets."""

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cache.errors import BadInput, NotFound
from cache.key import JSONValue
from evaluators.plugins import task_method
from evaluators.protocols import TaskMethod
from evaluators.quality.specs import METRICS, MetricSpec
from evaluators.quality.tasks import (
    TASK_METRICS,
    default_metric,
    metric_for,
    metrics_of,
    registered_names,
)
from evaluators.reading.shapes import shape_of
from evaluators.samples import Samples
from evaluators.task import ANSWERS, LIKELIHOODS, SCORES, SEVERAL, TOP_K, Task
from recommender import given
from recommender.choices import DUPLICATES, MODES, SAMPLERS
from recommender.evidence.conditions import CLASS_METRICS
from recommender.plugins import check_installed, installed, unknown
from recommender.requirement import COSTS, NAME_BASELINE, Requirement, at_any_k

if TYPE_CHECKING:
    from evaluators.quality.custom import Own

DEFAULT_TASK = "text-classification"
MAX_MODELS = 50

ALL_PLACES = sys.maxsize

MAX_SEED = 2**32 - 1
"""The largest that numpy takes."""


@lru_cache
def known_metrics() -> frozenset[str]:
    """The quality metrics of all tasks; `@k` stands for a number."""
    of_tasks = (name for metrics in TASK_METRICS.values() for name in metrics)
    return frozenset([*of_tasks, *METRICS, *installed("metrics").keys() - registered_names()])


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop; None is no limit. Budgets do not enter an answer's key: an answer that a
    budget cut short is not remembered."""

    time_limit_s: float | None = None
    max_download_mb: float | None = None
    disk_mb: float | None = None

    @classmethod
    def parse(
        cls,
        *,
        time_limit_s: object = None,
        max_download_mb: object = None,
        disk_budget_mb: object = None,
    ) -> "Budget":
        """Check what is given; raises BadInput for less than 0, NaN, and what is no number."""
        return cls(
            given.budget("time_limit_s", time_limit_s, "seconds"),
            given.budget("max_download_mb", max_download_mb, "MB"),
            given.budget("disk_budget_mb", disk_budget_mb, "MB"),
        )


NO_OWN: Mapping[str, "Own"] = MappingProxyType({})


def _check_names(own: Collection[str]) -> None:
    """BadInput where a metric of the user's own is called as something that there is."""
    taken = next((name for name in own if name in COSTS or name in known_metrics()), None)
    if taken is not None:
        raise BadInput(
            f"there is a {taken} already; give your own metric another name, as in "
            f"Metric(function, name='my_{taken}')"
        )


def _checked(options: Mapping[str, object]) -> dict[str, object]:
    """The options that are numbers, flags and texts, numbers as Python's own. Raises BadInput."""
    checks: dict[str, Callable[[str, object], object]] = {
        "max_candidates": partial(given.whole, least=1),
        "threads": partial(given.whole, least=1),
        "explore": partial(given.whole, least=0),
        "seed": partial(given.whole, least=0, most=MAX_SEED),
        "confidence": partial(given.number, what="a number in [0.5, 1), such as 0.95"),
        **dict.fromkeys(("partial", "commercial", "allow_unknown_license"), given.flag),
        **dict.fromkeys(("duplicates", "sampler", "mode"), given.text),
        **dict.fromkeys(("baseline", "positive", "group"), given.optional_text),
    }
    return {name: check(name, options[name]) for name, check in checks.items() if name in options}


@dataclass(frozen=True, slots=True)
class Query:
    """Everything that a search is asked, parsed and checked.

    `models` are ids with an optional `@REVISION`; `sources` are `hub` or `folder:PATH`;
    `label_map` maps a data label to a model's label, `partial` lets in models that lack labels,
    whose rows count as wrong; `confidence` is one minus delta;
    `explore` is how many larger models are run after the answer, each in its smallest recipe;
    `duplicates` and `group` say what an independent unit is; `sampler` proposes candidates;
    `mode` is `pool` (the candidates are declared, all rows are used), `open` (screened on a fifth
    of the rows, certified on the rest) or `auto`, which is `open` where a metric has no exact test.
    `commercial` leaves out models whose licence, or that of a base model, forbids to earn money;
    `allow_unknown_license` lets unknown licences pass that and a list of licences. `task_options`
    are settings of the task, as its file in evaluators/tasks/ names them; `own` are metrics of the
    user's own, by name.
    """

    task: Task
    requirements: tuple[Requirement, ...] = ()
    minimize: str = "size_mb"
    models: tuple[str, ...] = ()
    sources: tuple[str, ...] = ("hub",)
    backends: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    baseline: str | None = None
    max_candidates: int = MAX_MODELS
    label_map: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    positive: str | None = None
    confidence: float = 0.95
    threads: int = 1
    seed: int = 0
    explore: int = 0
    duplicates: Literal["drop", "keep"] = "drop"
    group: str | None = None
    sampler: str = "cheapest"
    mode: str = "auto"
    commercial: bool = False
    allow_unknown_license: bool = False
    task_options: Mapping[str, JSONValue] = field(default_factory=dict)
    own: Mapping[str, "Own"] = field(default_factory=dict)

    @classmethod
    def parse(
        cls,
        require: str | Sequence[str],
        *,
        task: str = DEFAULT_TASK,
        minimize: str = "size_mb",
        **options: object,  # the remaining fields of this class, by name
    ) -> "Query":
        """Check names and combinations; raises BadInput or NotFound with one line and a hint."""
        texts = given.texts("require", require, '"accuracy >= 0.90"')
        given.text("task", task)
        given.text("minimize", minimize)
        options = {**options, **_checked(options)}
        own: Mapping[str, Own] = options.get("own") or NO_OWN  # type: ignore[assignment]
        _check_names(own)
        known = known_metrics() | own.keys()
        errors = {name for name, one in own.items() if not one.spec.higher_is_better}
        requirements = tuple(
            Requirement.parse(text, metrics=known, errors=errors) for text in texts
        )
        if task not in installed("tasks"):
            shape_of(task)  # tells what is not supported yet, and what is
            check_installed("tasks", [task])
        query = cls(
            task=Task(task),
            requirements=requirements,
            minimize=minimize,
            **options,  # type: ignore[arg-type]  # names are checked by the call, values below
        )
        query = query.asking(task)
        query._check()
        return query

    def _check(self) -> None:
        if self.minimize not in COSTS:
            raise BadInput(f"cannot minimize '{self.minimize}'; choose one of {sorted(COSTS)}")
        if not 0.5 <= self.confidence < 1:
            raise BadInput(
                f"confidence (--confidence) {self.confidence:g} must lie in [0.5, 1), "
                "for example 0.95"
            )
        for name, value, known in (
            ("duplicates", self.duplicates, DUPLICATES),
            ("sampler", self.sampler, SAMPLERS),
            ("mode", self.mode, MODES),
        ):
            if value not in known:
                raise BadInput(f"unknown {name} '{value}'; choose one of {', '.join(known)}")
        subjects = [r.subject + r.relative for r in self.quality]
        twice = next((name for name in subjects if subjects.count(name) > 1), None)
        if twice is not None:
            raise BadInput(f"'{twice}' is bounded twice; give each quality one bound")
        for requirement in self.quality:
            needs_class = requirement.measure in CLASS_METRICS and requirement.label is None
            of_labels = requirement.measure in METRICS and self.labelled
            if needs_class and of_labels and requirement.slice and self.positive is None:
                raise BadInput(
                    f"'{requirement}': {requirement.measure} judges one class; write "
                    f"'{requirement.measure}[LABEL, {'='.join(requirement.slice)}]', or name it "
                    "with --positive (positive=...)"
                )
        check_installed("backends", self.backends)
        every = known_metrics() | self.own.keys()
        unheard = [name for name in self.metrics if every.isdisjoint({name, at_any_k(name)})]
        if unheard:
            raise NotFound(unknown(unheard[0], sorted(every), what="metric"))
        for requirement in self.requirements:
            if requirement.of_baseline and self.baseline is None:
                raise BadInput(f"'{requirement}' needs a baseline; {NAME_BASELINE}")

    @property
    def method(self) -> TaskMethod:
        """How the task's models are loaded, fed and read."""
        return task_method(self.task.name)

    @property
    def labelled(self) -> bool:
        """Whether answers are single labels of the data, with which outputs are aligned."""
        return self.method.labelled and not self.several

    @property
    def tags(self) -> tuple[str, ...]:
        """The Hub's pipeline tags whose models can serve the task."""
        return self.method.tags

    def asking(self, task: str) -> "Query":
        """The same query for another task, with the task's own settings and the given ones."""
        settings = task_method(task).settings()
        options = {**settings.options, **self.task_options}
        return replace(self, task=replace(settings, options=options) if options else settings)

    def fitted(self, samples: Samples) -> "Query":
        """The query with the task's settings for these rows, and for the metrics that are asked.

        NotFound for a metric of another task, BadInput for one that no search can be asked for, or
        that these labels or the other metrics rule out.
        """
        query = replace(self, task=self.method.fitted(self.task, samples))
        asked = {name: query.spec(name) for name in query.asked_metrics}
        for name, spec in asked.items():
            depth = query.task.options.get(TOP_K)
            if isinstance(depth, int) and spec.k is not None and spec.k > depth:
                raise BadInput(
                    f"{name} looks at {spec.k} documents, answers have the best {depth}; "
                    f"add --task-option {TOP_K}={spec.k}, in Python "
                    f"task_options={{'{TOP_K}': {spec.k}}}"
                )
            if query.labelled and spec.k is not None and spec.k >= len(samples.labels):
                raise BadInput(
                    f"{name} of {len(samples.labels)} labels is always 1; ask for accuracy, or "
                    f"accuracy@{max(1, len(samples.labels) - 1)} at most"
                )
        options = {**query.task.options, **query._options(asked)}
        return replace(query, task=replace(query.task, options=options)) if options else query

    def _options(self, asked: Mapping[str, MetricSpec]) -> Mapping[str, JSONValue]:
        """The task's settings that these metrics need. BadInput where they do not go together."""
        needed = {spec.needs: name for name, spec in asked.items()}
        if "scores" in needed and self.several:
            return {ANSWERS: SCORES}
        if "likelihoods" not in needed and not self.task.options.get(LIKELIHOODS):
            return {}
        other = next((name for name, spec in asked.items() if spec.needs != "likelihoods"), None)
        if other is not None:
            raise BadInput(
                f"{other} judges what is written, and {needed.get('likelihoods', 'perplexity')} "
                "how likely the given texts are; ask for them in two searches"
            )
        return {LIKELIHOODS: True}

    def names_model(self, id: str) -> bool:
        """Whether a model was asked for by its id."""
        return any(asked.partition("@")[0] == id for asked in self.models)

    @property
    def asked_metrics(self) -> tuple[str, ...]:
        """The quality metrics that are named, each once."""
        bounded = (requirement.measure for requirement in self.quality)
        return tuple(dict.fromkeys((*self.metrics, *bounded)))

    @property
    def places(self) -> int:
        """How many labels an answer holds with their scores; 0 where no metric needs any."""
        if not (self.labelled or self.task.options.get(ANSWERS) == SCORES):
            return 0
        asked = [self.spec(name) for name in self.asked_metrics]
        if any(spec.needs == "scores" for spec in asked):
            return ALL_PLACES
        return max((spec.k or 0 for spec in asked if spec.needs == "best first"), default=0)

    @property
    def usable_metrics(self) -> list[str]:
        """The task's metrics that a search can be asked for."""
        every = metrics_of(self.task.name, multi_label=self.several)
        return list(every)

    def needing_quality(self) -> "Query":
        """Itself, when it asks for quality; else BadInput with an example."""
        if not self.quality:
            raise BadInput(
                "nothing says how good is good enough; add a quality requirement, "
                'for example --require "accuracy >= 0.90", in Python require="accuracy >= 0.90" '
                "(to see models without one, use: recommender measure)"
            )
        return self

    @property
    def measured_metrics(self) -> tuple[str, ...]:
        """The task's first metric, and every other that is asked or bounded as a whole."""
        whole = (r for r in self.quality if r.label is None and r.slice is None)
        bounded = (requirement.measure for requirement in whole)
        first = default_metric(self.task.name, multi_label=self.several)
        shown = () if self.task.options.get(LIKELIHOODS) else (first,)
        return tuple(dict.fromkeys((*shown, *self.metrics, *bounded)))

    @property
    def several(self) -> bool:
        """Whether a row may have any number of labels."""
        return bool(self.task.options.get(SEVERAL))

    def spec(self, metric: str) -> MetricSpec:
        """What is known of a metric of the task. NotFound with the nearest name."""
        if metric in self.own:
            return self.own[metric].spec
        return metric_for(self.task.name, metric, multi_label=self.several)

    @property
    def quality(self) -> tuple[Requirement, ...]:
        """The requirements on quality."""
        return tuple(r for r in self.requirements if r.is_quality)

    @property
    def slice_columns(self) -> tuple[str, ...]:
        """The columns of the data that the requirements name."""
        named = (requirement.slice for requirement in self.quality)
        return tuple(dict.fromkeys(found[0] for found in named if found))

    @property
    def limits(self) -> tuple[Requirement, ...]:
        """The requirements on costs."""
        return tuple(r for r in self.requirements if r.measure in COSTS)

    @property
    def licenses(self) -> tuple[Requirement, ...]:
        """The requirements on the licence."""
        return tuple(r for r in self.requirements if r.relation == "in")

    @property
    def allowed_licenses(self) -> tuple[str, ...]:
        """The licences that a list names."""
        return tuple(name for requirement in self.licenses for name in requirement.allowed)

    @property
    def delta(self) -> float:
        """The allowed chance that anything called sufficient is not."""
        return round(1 - self.confidence, 12)  # 0.05, not 0.050000000000000044

    def to_json(self) -> dict[str, JSONValue]:
        """All that an answer depends on, for its key and for people."""
        return {
            "task": self.task.to_json(),
            "requirements": [str(r) for r in self.requirements],
            "minimize": self.minimize,
            "models": list(self.models),
            "sources": list(self.sources),
            "backends": list(self.backends),
            "metrics": list(self.metrics),
            "baseline": self.baseline,
            "max_candidates": self.max_candidates,
            "label_map": dict(self.label_map),
            **({"partial": True} if self.partial else {}),
            **({"own_metrics": {n: one.digest for n, one in self.own.items()}} if self.own else {}),
            "positive": self.positive,
            "confidence": self.confidence,
            "threads": self.threads,
            "seed": self.seed,
            "explore": self.explore,
            "duplicates": self.duplicates,
            "group": self.group,
            "sampler": self.sampler,
            "mode": self.mode,
            "commercial": self.commercial,
            "allow_unknown_license": self.allow_unknown_license,
        }
