"""Pairs of texts, zero-shot labels and several labels a text, on small NLI and topic models."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, pipeline

from cache.key import canonical_json
from evaluators.plugins import task_method
from evaluators.samples import Samples
from evaluators.task import Task
from evaluators.worker_process import Worker
from tests.conftest import nightly
from tests.evaluators.tasks.makers import (
    KINDS,
    OTHERS,
    built,
    found_on_a_hub,
    teach,
    tiny_bert,
    write_tokenizer,
)

RELATIONS = ("contradiction", "entailment")


def names_in(draw: random.Random, kinds: Sequence[str]) -> str:
    words = [*draw.choices(OTHERS, k=draw.randint(2, 8)), *(draw.choice(KINDS[k]) for k in kinds)]
    draw.shuffle(words)
    return " ".join(words)


def pair_rows(n: int, *, seed: int) -> list[dict[str, str]]:
    """A text, and whether it names the kind that the hypothesis is."""
    draw = random.Random(seed)
    rows = []
    for _ in range(n):
        asked, label = draw.choice(list(KINDS)), draw.choice(RELATIONS)
        others = [kind for kind in KINDS if kind != asked]
        there = asked if label == "entailment" else draw.choice(others)
        words = [*draw.choices(OTHERS, k=draw.randint(1, 4)), there]
        draw.shuffle(words)
        rows.append({"premise": " ".join(words), "hypothesis": asked, "label": label})
    return rows


def topic_rows(n: int, *, seed: int) -> list[dict[str, str]]:
    draw = random.Random(seed)
    kinds = [draw.choice(list(KINDS)) for _ in range(n)]
    return [{"text": f"we saw {kind} there", "label": kind} for kind in kinds]


def several_rows(n: int, *, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    chosen = [draw.sample(list(KINDS), k=draw.randint(0, 3)) for _ in range(n)]
    return [{"text": names_in(draw, kinds), "labels": sorted(kinds)} for kinds in chosen]


def make_judge(folder: Path, *, steps: int) -> Path:
    """An NLI model of the small language; random without steps."""
    tokenizer = write_tokenizer(folder)
    names = dict(enumerate(RELATIONS))
    model = tiny_bert(
        AutoModelForSequenceClassification, n_layers=2, id2label=names,
        label2id={name: at for at, name in names.items()},
    )  # fmt: skip

    def loss(rows: Sequence[dict[str, str]]) -> Any:
        batch = tokenizer(
            [row["premise"] for row in rows], [row["hypothesis"] for row in rows],
            padding=True, return_tensors="pt",
        )  # fmt: skip
        wanted = torch.tensor([RELATIONS.index(row["label"]) for row in rows])
        return lambda model: model(**batch, labels=wanted).loss

    rows = pair_rows(32 * steps, seed=11)
    teach(model, (loss(rows[32 * at : 32 * at + 32]) for at in range(steps)), rate=3e-3)
    model.save_pretrained(folder)
    return folder


def make_topics(folder: Path, *, steps: int) -> Path:
    """A model that tells all kinds that a text names; random without steps."""
    tokenizer = write_tokenizer(folder)
    names = dict(enumerate(KINDS))
    model = tiny_bert(
        AutoModelForSequenceClassification, id2label=names,
        label2id={name: at for at, name in names.items()},
        problem_type="multi_label_classification",
    )  # fmt: skip

    def loss(rows: Sequence[dict[str, Any]]) -> Any:
        batch = tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")
        wanted = torch.tensor([[float(kind in row["labels"]) for kind in KINDS] for row in rows])
        return lambda model: model(**batch, labels=wanted).loss

    rows = several_rows(32 * steps, seed=13)
    teach(model, (loss(rows[32 * at : 32 * at + 32]) for at in range(steps)))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_judge(tmp_path_factory.mktemp("models") / "judge", steps=200)


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_topics(tmp_path_factory.mktemp("models") / "topics", steps=40)


def fitted(rows: Sequence[dict[str, Any]], task: str) -> Task:
    method = task_method(task)
    from evaluators.reading.shapes import shape_of

    return method.fitted(method.settings(), Samples.of(rows, shape=shape_of(task)))


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_pairs_are_read_as_the_pipeline_reads_them(
    recipe: str, judge: Path, worker: Worker, tmp_path: Path
) -> None:
    """Both texts, in their order, with the model's own separator."""
    rows = pair_rows(16, seed=1)
    task = fitted(rows, "text-classification")
    requests = [
        canonical_json({"text": row["premise"], "text_pair": row["hypothesis"]}) for row in rows
    ]
    worker.load(built(worker, judge, tmp_path, recipe, task, requests[:3]))
    scores = worker.scores(requests).logits
    ask = pipeline("text-classification", str(judge), top_k=None)
    for row, line in zip(rows, scores, strict=True):
        told = ask({"text": row["premise"], "text_pair": row["hypothesis"]})
        expected = {one["label"]: np.log(one["score"]) for one in told}
        found = dict(zip(RELATIONS, line - np.logaddexp(*line), strict=True))
        assert found == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_zero_shot_is_that_of_the_pipeline(
    recipe: str, judge: Path, worker: Worker, tmp_path: Path
) -> None:
    """The label whose hypothesis is entailed most; labels are the data's."""
    rows = topic_rows(12, seed=2)
    task = fitted(rows, "zero-shot-classification")
    texts = [row["text"] for row in rows]
    loaded = worker.load(built(worker, judge, tmp_path, recipe, task, texts[:3]))
    assert loaded.labels == tuple(sorted(KINDS))
    found = worker.scores(texts).logits.argmax(axis=1)
    ask = pipeline("zero-shot-classification", str(judge))
    template = "This example is {}."
    for text, at in zip(texts, found, strict=True):
        told = ask(text, candidate_labels=sorted(KINDS), hypothesis_template=template)
        assert told["labels"][0] == loaded.labels[at]


def test_a_model_without_entailment_is_refused(
    topics: Path, worker: Worker, tmp_path: Path
) -> None:
    """It is no NLI model: its outputs say nothing of a hypothesis."""
    from evaluators.measurement import CandidateFailed

    task = fitted(topic_rows(12, seed=2), "zero-shot-classification")
    with pytest.raises(CandidateFailed, match=r"called entailment|several labels"):
        built(worker, topics, tmp_path, "torch-fp32", task, ["red"])


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_several_labels_are_those_above_one_half(
    recipe: str, topics: Path, worker: Worker, tmp_path: Path
) -> None:
    """Also none; names are matched however they are spelled."""
    rows = several_rows(40, seed=3)
    task = fitted([{**row, "labels": [label.title() for label in row["labels"]]} for row in rows],
                  "text-classification")  # fmt: skip
    texts = [row["text"] for row in rows]
    worker.load(built(worker, topics, tmp_path, recipe, task, texts[:3]))
    answers = [json.loads(answer) for answer in worker.answers(texts).texts]
    ask = pipeline("text-classification", str(topics), top_k=None)
    for text, answer in zip(texts, answers, strict=True):
        told = [one["label"].title() for one in ask([text])[0] if one["score"] > 0.5]
        assert answer == sorted(told)
    assert any(not answer for answer in answers) or any(len(answer) > 1 for answer in answers)


@nightly
def test_pairs_and_several_labels_are_found_on_a_hub(
    judge: Path, topics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with the one model that knows."""
    tag = "text-classification"
    found = found_on_a_hub(
        {"judge": judge, "blind": make_judge(tmp_path / "blind", steps=0)},
        pair_rows(200, seed=5), "accuracy >= 0.8", tmp_path / "pairs", monkeypatch, tag=tag,
    )  # fmt: skip
    assert found.choice is not None
    assert found.choice.model == "team/judge"
    found = found_on_a_hub(
        {"topics": topics, "blank": make_topics(tmp_path / "blank", steps=0)},
        several_rows(200, seed=6), "f1_micro >= 0.8", tmp_path / "several", monkeypatch, tag=tag,
    )  # fmt: skip
    assert found.choice is not None
    assert found.choice.model == "team/topics"
