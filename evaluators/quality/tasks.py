"""Which metrics a task has; reading it imports neither evaluate nor numpy."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from math import inf
from types import MappingProxyType

from cache.errors import BadInput, NotFound
from evaluators.quality.specs import GROUP, METRICS, MetricSpec, metric_spec

MULTI_LABEL = "multi-label"
"""Added to a task's name where its rows have any number of labels."""

MOST_K = 1000

_EXACT = MetricSpec(form="mean", evidence="exact")
_SHARE = replace(_EXACT, per_example=True)
_SUMS = MetricSpec(form="sums")
_ERROR = replace(_EXACT, higher_is_better=False)
_ENTITY = MetricSpec(form="sums", evidence="exact", per_type=True, extra="text")
_CORRELATION = MetricSpec(form="all rows", low=-1.0)
_TRANSLATION = replace(_EXACT, extra="text")
_DETECTION = MetricSpec(form="all rows", extra="image")

_ROC_AUC = MetricSpec(form="all rows", needs="scores", registered="roc_auc")
_AT_K = {"accuracy@k": replace(_SHARE, registered="accuracy_at_k", needs="best first")}
_LABELS = {**METRICS, **_AT_K, "roc_auc": _ROC_AUC}

_SEVERAL_LABELS = {
    "accuracy": replace(_SHARE, registered="subset_accuracy"),
    "f1_micro": MetricSpec(form="sums", evidence="exact", registered="multi_label_f1_micro"),
    "f1_macro": replace(_SUMS, registered="multi_label_f1_macro"),
    "f1_weighted": replace(_SUMS, registered="multi_label_f1_weighted"),
    "f1_samples": replace(_EXACT, registered="multi_label_f1_samples"),
    "precision_micro": MetricSpec(
        form="sums", evidence="exact", registered="multi_label_precision_micro"
    ),
    "recall_micro": MetricSpec(
        form="sums", evidence="exact", registered="multi_label_recall_micro"
    ),
    "roc_auc": replace(_ROC_AUC, registered="multi_label_roc_auc"),
}

_SIMILARITY = {"spearman": _CORRELATION, "pearson": replace(_CORRELATION, form="sums")}
_RANKING = {"ndcg@k": replace(_EXACT, registered="ndcg"), "mrr": _EXACT}
_RETRIEVAL = {**_RANKING, "recall@k": replace(_EXACT, registered="recall_at_k")}
TASK_METRICS: Mapping[str, Mapping[str, MetricSpec]] = MappingProxyType(
    {
        "text-classification": _LABELS,
        f"text-classification {MULTI_LABEL}": _SEVERAL_LABELS,
        "token-classification": {
            "f1": replace(_ENTITY, registered="entity_f1"),
            "precision": replace(_ENTITY, registered="entity_precision"),
            "recall": replace(_ENTITY, registered="entity_recall"),
        },
        "question-answering": {
            "exact_match": replace(_SHARE, registered="squad_exact_match"),
            "f1": replace(_EXACT, registered="squad_f1"),
        },
        "zero-shot-classification": _LABELS,
        "feature-extraction": _RETRIEVAL,
        "sentence-similarity": _SIMILARITY,
        "text-ranking": _RANKING,
        "fill-mask": {"accuracy@k": replace(_SHARE, registered="accuracy_at_k")},
        "text-generation": {
            "exact_match": _SHARE,
            "regex": replace(_SHARE, registered="regex_match"),
            "accuracy": replace(_SHARE, registered="accuracy"),
            "perplexity": replace(
                _SUMS, low=1.0, high=inf, higher_is_better=False, needs="likelihoods"
            ),
            "bits_per_byte": replace(_SUMS, high=inf, higher_is_better=False, needs="likelihoods"),
        },
        "summarization": {
            "rougeL": replace(_EXACT, registered="rouge_l", extra="text"),
            "rouge1": replace(_EXACT, extra="text"),
            "rouge2": replace(_EXACT, extra="text"),
        },
        "translation": {
            "chrf": _TRANSLATION,
            "sentence_bleu": _TRANSLATION,
            "corpus_bleu": replace(_SUMS, extra="text"),
        },
        "image-classification": _LABELS,
        "object-detection": {
            "map": replace(_DETECTION, registered="coco_map"),
            "map@50": replace(_DETECTION, registered="coco_map50"),
        },
        "automatic-speech-recognition": {
            "wer": replace(_ERROR, extra="audio"),
            "cer": replace(_ERROR, extra="audio"),
        },
        "audio-classification": _LABELS,
    }
)
"""Each task's metrics, the default first. `@k` stands for a number, as in `ndcg@10`."""

DEFAULT_K: Mapping[str, int] = MappingProxyType({"ndcg@k": 10, "accuracy@k": 1})
"""Of metrics that are a task's default."""


def metric_for(task: str, name: str, *, multi_label: bool = False) -> MetricSpec:
    """What is known of a task's metric; a plug-in's is assumed to lie between 0 and 1.

    NotFound for a task without metrics, or with the nearest name for an unknown metric.
    """
    known = metrics_of(task, multi_label=multi_label)
    if name in known and not name.endswith("@k"):
        return known[name]
    number = re.fullmatch(r"(.+)@([1-9][0-9]{0,3})", name)
    if number and f"{number[1]}@k" in known and int(number[2]) <= MOST_K:
        return replace(known[f"{number[1]}@k"], k=int(number[2]))
    if _is_of_no_task(name):
        return metric_spec(name)
    near = difflib.get_close_matches(name.casefold(), known, 1, 0.5)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise NotFound(f"{task} has no metric {name!r}; it has {', '.join(known)}.{hint}")


def metrics_of(task: str, *, multi_label: bool = False) -> Mapping[str, MetricSpec]:
    """A task's metrics by name, the default first; NotFound for a task that is not supported."""
    if task not in TASK_METRICS:
        raise NotFound(f"{task} is not supported yet; {', '.join(supported_tasks())} are.")
    if not multi_label:
        return TASK_METRICS[task]
    if f"{task} {MULTI_LABEL}" not in TASK_METRICS:
        raise BadInput(f"{task} has one truth a row, and the data has lists of labels.")
    return TASK_METRICS[f"{task} {MULTI_LABEL}"]


def supported_tasks() -> tuple[str, ...]:
    """The tasks that have metrics, as the Hub calls them."""
    return tuple(task for task in TASK_METRICS if not task.endswith(MULTI_LABEL))


def default_metric(task: str, *, multi_label: bool = False) -> str:
    """The metric that a task is judged by where none is asked."""
    first = next(iter(metrics_of(task, multi_label=multi_label)))
    return first.replace("@k", f"@{DEFAULT_K[first]}") if first in DEFAULT_K else first


def registered_names() -> frozenset[str]:
    """The entry points of all metrics."""
    every = (item for metrics in TASK_METRICS.values() for item in metrics.items())
    return frozenset(spec.registered or name for name, spec in every)


def _is_of_no_task(name: str) -> bool:
    """Whether it is a stranger's plug-in."""
    return name in entry_points(group=GROUP).names and name not in registered_names()
