"""What Python programs call: they plug the parts together."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from cache.errors import BadInput, NotFound
from cache.evaluations import Limits
from cache.key import JSONValue
from cache.measurements import Measurements
from cache.paths import Home
from evaluators.hardware import machine as this_machine
from evaluators.quality.tasks import supported_tasks
from evaluators.reading.shapes import shape_of
from evaluators.samples import Samples, read_samples
from recommender import given
from recommender.evaluated import rows_digest
from recommender.finding import answer
from recommender.finding import plan as plan_only
from recommender.leaderboard import Leaderboard, moment_of, read_leaderboard
from recommender.own_metrics import opened
from recommender.plugins import unknown
from recommender.progress import Progress
from recommender.query import DEFAULT_TASK, MAX_MODELS, Budget, Query
from recommender.recommendation import Plan, Recommendation
from recommender.runs import explain_run

__all__ = ["Leaderboard", "find", "leaderboard", "measure", "plan", "why"]

Metrics = Any  # a name, a function, a module of evaluate, a Metric, or several of these
Data = str | Path | Any  # a path, a Hub data set id, a Dataset, a DataFrame, or a list of dicts


def find(
    data: Data,
    require: str | Sequence[str],
    *,
    task: str | None = None,
    text: str | None = None,
    label: str | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    task_options: Mapping[str, JSONValue] | None = None,
    split: str | None = None,
    metrics: Metrics = (),
    allow_metric_code: bool = False,
    models: Sequence[str] = (),
    sources: Sequence[str] = ("hub",),
    backends: Sequence[str] = (),
    baseline: str | None = None,
    minimize: str = "size_mb",
    max_candidates: int = MAX_MODELS,
    commercial: bool = False,
    allow_unknown_license: bool = False,
    label_map: Mapping[str, str] | None = None,
    partial: bool = False,
    positive: str | None = None,
    confidence: float = 0.95,
    threads: int = 1,
    seed: int = 0,
    explore: int = 0,
    duplicates: str = "drop",
    group: str | None = None,
    sampler: str = "cheapest",
    mode: str = "auto",
    time_limit_s: float | None = None,
    max_download_mb: float | None = None,
    disk_budget_mb: float | None = None,
    home: Path | Home | None = None,
    progress: bool = False,
    command: str = "",
    with_examples: int = 0,
) -> Recommendation:
    """The smallest candidate that is shown to meet the requirements on the labelled rows.

    `data` is a file (csv, tsv, jsonl, parquet, ...), a folder of images or sounds, a `datasets` id
    with `split`, a Dataset, a DataFrame, or a list of dicts. `task` is a Hub pipeline tag, guessed
    from the data if left out; `columns` maps a role of its rows to a column (`{"text_pair":
    "hypothesis"}`); `task_options` are the task's own settings, such as `{"target_language": "de"}`
    (docs/data.md). `metrics` are measured beside what is required: names, or metrics of your own,
    which requirements can name then: a function, a module of `evaluate`, a `Metric`, or the text
    `FILE.py:FUNCTION` or `OWNER/NAME` of a Hub, whose code runs in a process without network, the
    latter only with `allow_metric_code`. `require` holds texts as "accuracy >= 0.90" or
    "latency_p95_ms <= 20". `models` are ids with an optional @REVISION, `sources` are "hub" or
    "folder:PATH". `explore` models larger than the choice are run as well, each in its smallest
    recipe, to show what more size would buy. `duplicates` ("drop" or "keep") and `group` (a column)
    say what counts as one independent draw. `commercial` leaves out models whose licence, or that
    of a base model, does not allow to earn money; `allow_unknown_license` lets unknown licences
    pass. What searches downloaded is kept below `disk_budget_mb`. `sampler` proposes the candidates
    ("cheapest", or "tpe", "gp", "nsga2", "random" for comparison); `mode` is "pool", "open" or
    "auto" (docs/guarantee.md). `label_map` maps a label of the data to the model's name for it;
    `partial` lets in models that lack some labels, whose rows count as wrong. `with_examples` puts
    at most so many wrongly answered rows into the result's `examples`, for a report; they are in no
    store. An interrupt (Ctrl-C) ends the search with what is known, and `Recommendation.ended` says
    so.

    Raises RecommenderError (BadInput, NotFound, AccessRequired, ...) with one line and a hint.
    """
    rows = Rows(task, text, label, columns, split, group)
    budget = Budget.parse(
        time_limit_s=time_limit_s, max_download_mb=max_download_mb, disk_budget_mb=disk_budget_mb
    )
    n_examples = given.whole("with_examples", with_examples, least=0)
    with (
        Progress(shown=progress) as shown,
        opened(
            metrics,
            allow_code=allow_metric_code,
            home=home_of(home),
            sources=names(sources, what="sources"),
        ) as (asked, own),
    ):
        query = Query.parse(
            require,
            task=task or DEFAULT_TASK,
            task_options=settings(task_options),
            minimize=minimize,
            models=names(models, what="models"),
            sources=names(sources, what="sources"),
            backends=names(backends, what="backends"),
            baseline=baseline,
            max_candidates=max_candidates,
            commercial=commercial,
            allow_unknown_license=allow_unknown_license,
            label_map=mapping(label_map),
            partial=partial,
            positive=positive,
            confidence=confidence,
            threads=threads,
            seed=seed,
            explore=explore,
            duplicates=duplicates,
            group=group,
            sampler=sampler,
            mode=mode,
            metrics=asked,
            own=own,
        ).needing_quality()
        return answer(
            *rows.read(data, query, home_of(home)),
            home=home_of(home),
            budget=budget,
            progress=shown,
            command=command,
            n_examples=n_examples,
        )


def plan(
    data: Data,
    require: str | Sequence[str],
    *,
    task: str | None = None,
    text: str | None = None,
    label: str | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    task_options: Mapping[str, JSONValue] | None = None,
    split: str | None = None,
    metrics: Metrics = (),
    allow_metric_code: bool = False,
    models: Sequence[str] = (),
    sources: Sequence[str] = ("hub",),
    backends: Sequence[str] = (),
    baseline: str | None = None,
    minimize: str = "size_mb",
    max_candidates: int = MAX_MODELS,
    commercial: bool = False,
    allow_unknown_license: bool = False,
    label_map: Mapping[str, str] | None = None,
    partial: bool = False,
    positive: str | None = None,
    confidence: float = 0.95,
    threads: int = 1,
    seed: int = 0,
    duplicates: str = "drop",
    group: str | None = None,
    sampler: str = "cheapest",
    mode: str = "auto",
    max_download_mb: float | None = None,
    disk_budget_mb: float | None = None,
    home: Path | Home | None = None,
    progress: bool = False,
) -> Plan:
    """What `find` would do: candidates, time and bytes, what the rows can prove, who is left out.

    The arguments are those of `find`. Nothing is downloaded but metadata, nothing is run.
    """
    rows = Rows(task, text, label, columns, split, group)
    budget = Budget.parse(max_download_mb=max_download_mb, disk_budget_mb=disk_budget_mb)
    with (
        Progress(shown=progress) as shown,
        opened(
            metrics,
            allow_code=allow_metric_code,
            home=home_of(home),
            sources=names(sources, what="sources"),
        ) as (asked, own),
    ):
        query = Query.parse(
            require,
            task=task or DEFAULT_TASK,
            task_options=settings(task_options),
            minimize=minimize,
            models=names(models, what="models"),
            sources=names(sources, what="sources"),
            backends=names(backends, what="backends"),
            baseline=baseline,
            max_candidates=max_candidates,
            commercial=commercial,
            allow_unknown_license=allow_unknown_license,
            label_map=mapping(label_map),
            partial=partial,
            positive=positive,
            confidence=confidence,
            threads=threads,
            seed=seed,
            duplicates=duplicates,
            group=group,
            sampler=sampler,
            mode=mode,
            metrics=asked,
            own=own,
        ).needing_quality()
        query, samples = rows.read(data, query, home_of(home))
        return plan_only(query, samples, home_of(home), shown, budget)


def measure(
    data: Data,
    *,
    models: Sequence[str] = (),
    metrics: Metrics = (),
    allow_metric_code: bool = False,
    task: str | None = None,
    text: str | None = None,
    label: str | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    task_options: Mapping[str, JSONValue] | None = None,
    split: str | None = None,
    sources: Sequence[str] = ("hub",),
    backends: Sequence[str] = (),
    max_candidates: int = MAX_MODELS,
    commercial: bool = False,
    allow_unknown_license: bool = False,
    label_map: Mapping[str, str] | None = None,
    partial: bool = False,
    positive: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    duplicates: str = "drop",
    group: str | None = None,
    threads: int = 1,
    time_limit_s: float | None = None,
    max_download_mb: float | None = None,
    disk_budget_mb: float | None = None,
    home: Path | Home | None = None,
    progress: bool = False,
    command: str = "",
    with_examples: int = 0,
) -> Recommendation:
    """Every candidate on every row, with its costs, without asking for anything.

    The arguments are those of `find`; `metrics` are measured beside accuracy. The
    result has no choice and proves nothing: its figures are estimates with intervals. It uses the
    labels: on them, `find` can later certify no other candidates, under no other settings.
    """
    rows = Rows(task, text, label, columns, split, group)
    budget = Budget.parse(
        time_limit_s=time_limit_s, max_download_mb=max_download_mb, disk_budget_mb=disk_budget_mb
    )
    n_examples = given.whole("with_examples", with_examples, least=0)
    with (
        Progress(shown=progress) as shown,
        opened(
            metrics,
            allow_code=allow_metric_code,
            home=home_of(home),
            sources=names(sources, what="sources"),
        ) as (asked, own),
    ):
        query = Query.parse(
            (),
            task=task or DEFAULT_TASK,
            task_options=settings(task_options),
            models=names(models, what="models"),
            sources=names(sources, what="sources"),
            backends=names(backends, what="backends"),
            max_candidates=max_candidates,
            commercial=commercial,
            allow_unknown_license=allow_unknown_license,
            label_map=mapping(label_map),
            partial=partial,
            positive=positive,
            confidence=confidence,
            seed=seed,
            duplicates=duplicates,
            group=group,
            threads=threads,
            metrics=asked,
            own=own,
        )
        return answer(
            *rows.read(data, query, home_of(home)),
            home=home_of(home),
            budget=budget,
            progress=shown,
            command=command,
            n_examples=n_examples,
        )


def leaderboard(
    data: Data | None = None,
    *,
    task: str | None = None,
    text: str | None = None,
    label: str | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    split: str | None = None,
    fingerprint: str | None = None,
    machine: str | None = None,
    since: str | date | None = None,
    home: Path | Home | None = None,
) -> Leaderboard:
    """What the store knows about a set of rows, best first; measures nothing.

    The rows are `data`, as `find` takes it, or those whose digest starts with `fingerprint`; else
    those that were evaluated last, of `task` where it is given, and a note names the others.
    `machine` is a part of a machine's description, `since` a date or a time in UTC: only what was
    evaluated there and since then counts. Quality counts wherever it was measured; timings are this
    machine's where it has some, else those of the machine that `origins` names.

    Raises NotFound where nothing was evaluated.
    """
    if task is not None and not isinstance(task, str):
        raise BadInput("the task is no text such as 'text-classification'; give rows as data=...")
    if task is not None and task not in supported_tasks():
        raise NotFound(unknown(task, list(supported_tasks()), what="task"))
    if data is not None and fingerprint:
        raise BadInput("the data and a fingerprint are given; either one says which rows are meant")
    limits = Limits(task or "", fingerprint or "", machine or "", moment_of(since))
    name = "rows whose fingerprint starts with"
    if data is not None:
        samples = Rows(task, text, label, columns, split).samples(data, home_of(home))
        limits = replace(limits, task=samples.task, fingerprint=rows_digest(samples))
        name = f"{samples.name},"
    with Measurements(home_of(home).measurements) as store:
        return read_leaderboard(store, limits, here=this_machine().describe(), name=name)


def why(model: str, *, run: str | None = None, home: Path | Home | None = None) -> str:
    """What became of each candidate of a model in the newest search that had it, and why.

    `model` is a part of its name, `run` the first digits of another search's id. Raises NotFound
    where no search had it.
    """
    with Measurements(home_of(home).measurements) as store:
        return explain_run(store, model, run=run)


def names(listed: str | Sequence[str], *, what: str = "sources") -> tuple[str, ...]:
    """One name or several, as a tuple; BadInput for anything else. `what` is the argument."""
    return given.texts(what, listed, EXAMPLES[what])


EXAMPLES = {
    "models": "'OWNER/NAME'",
    "sources": "'hub' or 'folder:PATH'",
    "backends": "'torch', 'onnxruntime' or 'openvino'",
}


def mapping(label_map: Mapping[str, str] | None) -> dict[str, str]:
    """A label map as texts; BadInput for anything that is no mapping."""
    found = given.mapping("label_map", label_map, "{'0': 'negative', '1': 'positive'}")
    return {ours: str(theirs) for ours, theirs in found.items()}


def settings(task_options: Mapping[str, JSONValue] | None) -> dict[str, object]:
    """The task's own settings; BadInput for anything that is no mapping."""
    return given.mapping("task_options", task_options, "{'target_language': 'de'}")


@dataclass(frozen=True, slots=True)
class Rows:
    """How the labelled rows are to be read; what is None is guessed, and a note says how."""

    task: str | None = None
    text: str | None = None
    label: str | None = None
    columns: Mapping[str, str | Sequence[str]] | None = None
    split: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        for name in ("task", "text", "label", "split", "group"):
            given.optional_text(name, getattr(self, name))
        given.mapping("columns", self.columns, "{'text_pair': 'hypothesis'}")

    def read(self, data: Data, query: Query, home: Home) -> tuple[Query, Samples]:
        """The query for the task of the rows, and the rows with the columns that it names."""
        samples = self.samples(data, home, slices=query.slice_columns)
        return (query if query.task.name == samples.task else query.asking(samples.task)), samples

    def samples(self, data: Data, home: Home, *, slices: Sequence[str] = ()) -> Samples:
        """The labelled rows behind a path, an id, or an object in memory."""
        shape = shape_of(self.task) if self.task else None
        how: dict[str, Any] = {
            "text": self.text, "label": self.label, "columns": self.columns, "shape": shape,
            "group": self.group, "slices": slices, "files": home.files,
        }  # fmt: skip
        if isinstance(data, str | Path):
            return read_samples(data, split=self.split, **how)
        return Samples.of(data, **how)


def home_of(home: Path | Home | None) -> Home:
    """The named folder, or this user's own (RECOMMENDER_HOME, else the cache folder).

    BadInput for what is no path.
    """
    if isinstance(home, Home):
        return home
    if not isinstance(home, Path):
        given.optional_text("home", home)
    return Home(Path(home).absolute()) if home else Home.parse(os.environ)
