"""How each metric of a task is computed from answers and truths in their string form."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from cache.errors import BadInput
from evaluators.quality import (
    correlation,
    detection,
    generation,
    multilabel,
    ranking,
    roc,
    rouge,
    spans,
    speech,
    squad,
    translation,
)
from evaluators.quality.forms import Measure
from evaluators.quality.tasks import metric_for

Labels = Sequence[str]

OF_ROWS: Mapping[str, Callable[[], Measure]] = MappingProxyType(
    {
        "subset_accuracy": multilabel.subset_accuracy,
        "squad_exact_match": squad.exact_match,
        "squad_f1": squad.f1,
        "spearman": correlation.spearman,
        "pearson": correlation.pearson,
        "mrr": ranking.reciprocal_rank,
        "exact_match": generation.exact_match,
        "regex_match": generation.regex_match,
        "accuracy": generation.equal,
        "perplexity": generation.perplexity,
        "bits_per_byte": generation.bits_per_byte,
        "rouge_l": rouge.rouge_l,
        "rouge1": partial(rouge.rouge_n, 1),
        "rouge2": partial(rouge.rouge_n, 2),
        "chrf": translation.chrf,
        "sentence_bleu": translation.sentence_bleu,
        "corpus_bleu": translation.corpus_bleu,
        "coco_map": detection.mean_average_precision,
        "coco_map50": detection.mean_average_precision_50,
        "wer": speech.word_error_rate,
        "cer": speech.character_error_rate,
    }
)
"""By entry point; measures that need nothing but answers and truths."""

OF_LABELS: Mapping[str, Callable[[Labels], Measure]] = MappingProxyType(
    {
        "multi_label_f1_micro": partial(multilabel.micro, "f1"),
        "multi_label_precision_micro": partial(multilabel.micro, "precision"),
        "multi_label_recall_micro": partial(multilabel.micro, "recall"),
        "multi_label_f1_macro": multilabel.f1_macro,
        "multi_label_f1_weighted": multilabel.f1_weighted,
        "multi_label_f1_samples": multilabel.f1_samples,
        "roc_auc": roc.roc_auc,
        "multi_label_roc_auc": partial(roc.roc_auc, multi_label=True),
    }
)
"""Measures that need all labels of the data, in a fixed order."""

OF_K: Mapping[str, Callable[[int], Measure]] = MappingProxyType(
    {"ndcg": ranking.ndcg, "recall_at_k": ranking.recall_at, "accuracy_at_k": ranking.accuracy_at}
)
"""Measures with a number in their name."""

OF_TYPE: Mapping[str, str] = MappingProxyType(
    {"entity_f1": "f1", "entity_precision": "precision", "entity_recall": "recall"}
)
"""Measures that can be asked of one type of entity."""


def measure_for(
    task: str,
    name: str,
    *,
    labels: Labels = (),
    kind: str | None = None,
    multi_label: bool = False,
) -> Measure:
    """The computation behind `metric_for(task, name)`.

    `labels` are all labels of the data, `kind` is a type of entity (`f1[PER]`). Raises NotFound for
    an unknown metric, MissingExtra for one whose library is not installed, BadInput where labels
    are lacking or one is asked of a type that has none, ValueError for metrics of label counts
    other than accuracy, which counts.py computes.
    """
    spec = metric_for(task, name, multi_label=multi_label)
    registered = spec.registered or name
    if kind is not None and not spec.per_type:
        raise BadInput(f"{name} of {task} judges no one type, such as {kind!r}.")
    if registered in OF_TYPE:
        return spans.entity_metric(OF_TYPE[registered], kind=kind)
    if registered in OF_K and spec.k is not None:
        return OF_K[registered](spec.k)
    if registered in OF_LABELS:
        return OF_LABELS[registered](_needed(labels, name))
    if registered in OF_ROWS:
        return OF_ROWS[registered]()
    raise ValueError(f"{name} of {task} is computed from counts of labels")


def _needed(labels: Labels, name: str) -> Labels:
    if not labels:
        raise BadInput(f"{name} needs the labels of the data.")
    return labels
