"""Metrics that need more than one answer a row: every label's score, the first k, likelihoods."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from recommender import find, measure
from tests.conftest import nightly
from tests.evaluators.tasks.makers import KINDS, OTHERS, teach, tiny_bert, write_tokenizer

Rows = list[dict[str, Any]]


def kind_rows(n: int, *, seed: int) -> Rows:
    """Texts that name their kind; some name another one, and some none."""
    draw = random.Random(seed)
    rows = []
    for _ in range(n):
        kind, other = draw.sample(list(KINDS), k=2)
        shown = draw.choices([KINDS[kind], KINDS[other], OTHERS], [8, 1, 1])[0]
        words = [*draw.choices(OTHERS, k=draw.randint(2, 4)), draw.choice(shown)]
        draw.shuffle(words)
        rows.append({"text": " ".join(words), "label": kind})
    return rows


def several_rows(n: int, *, seed: int) -> Rows:
    draw = random.Random(seed)
    return [
        {"text": row["text"], "labels": [row["label"]] if draw.random() < 0.8 else []}
        for row in kind_rows(n, seed=seed)
    ]


def make_teller(folder: Path, *, steps: int = 70) -> Path:
    """A model of kinds, half taught, with one output that the data lacks."""
    tokenizer = write_tokenizer(folder)
    names = dict(enumerate([*KINDS, "weather"]))
    model = tiny_bert(
        AutoModelForSequenceClassification, id2label=names,
        label2id={name: at for at, name in names.items()},
    )  # fmt: skip

    def loss(rows: Sequence[dict[str, Any]]) -> Any:
        batch = tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")
        wanted = torch.tensor([list(KINDS).index(row["label"]) for row in rows])
        return lambda model: model(**batch, labels=wanted).loss

    rows = kind_rows(32 * steps, seed=13)
    teach(model, (loss(rows[32 * at : 32 * at + 32]) for at in range(steps)))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tellers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tellers")
    make_teller(root / "team" / "teller")
    return root


def asked(tellers: Path, home: Path) -> dict[str, Any]:
    return {
        "sources": [f"folder:{tellers}"], "backends": ["onnxruntime"], "home": home,
        "task": "text-classification",
    }  # fmt: skip


def by_hand(source: Path, rows: Rows) -> np.ndarray:
    """Logits of all outputs, one forward a text."""
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForSequenceClassification.from_pretrained(source).eval()
    with torch.inference_mode():
        lines = [model(**tokenizer(row["text"], return_tensors="pt")).logits for row in rows]
    return torch.cat(lines).numpy()


BOTH = ("accuracy@2 >= 0.6", "f1_micro >= 0.4")


@pytest.fixture(scope="module")
def measured(tellers: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A search for labels beside scores, every metric of scores, and the home that remembers."""
    home, rows = tmp_path_factory.mktemp("home"), kind_rows(160, seed=21)
    both = find(rows, BOTH, **asked(tellers, home))
    metrics = ["roc_auc", "accuracy@1", "accuracy@2", "f1_macro"]
    return both, measure(rows, metrics=metrics, **asked(tellers, home)), rows, home


@nightly
def test_scores_give_what_the_model_by_hand_gives(tellers: Path, measured: Any) -> None:
    """roc_auc, the first k and the labels themselves, also with an output that the data lacks."""
    _, found, rows, _ = measured
    kinds = sorted(KINDS)
    wanted = np.array([kinds.index(row["label"]) for row in rows])
    logits = by_hand(tellers / "team" / "teller", rows).astype(np.float64)
    order = [list(KINDS).index(kind) for kind in kinds]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    area = roc_auc_score(np.eye(len(kinds))[wanted], chances[:, order], average="macro")
    outcome = next(o for o in found.candidates if o.recipe.name == "onnxruntime-fp32")
    assert outcome.value("roc_auc") == pytest.approx(area, abs=1e-3)
    best = np.argsort(-logits, axis=1)[:, :2]
    right = [order[at] in line for at, line in zip(wanted, best, strict=True)]
    assert outcome.value("accuracy@2") == pytest.approx(np.mean(right))
    plain = [order[at] == line[0] for at, line in zip(wanted, best, strict=True)]
    assert outcome.value("accuracy") == outcome.value("accuracy@1") == pytest.approx(np.mean(plain))
    assert outcome.n_wrong == len(rows) - sum(plain)
    assert 0.5 < np.mean(plain) < np.mean(right) < 1.0  # else nothing is tested
    low, high = outcome.measurements["roc_auc"].low, outcome.measurements["roc_auc"].high
    assert low < area < high


@nightly
def test_answers_that_are_known_need_no_new_ones(
    tellers: Path, measured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored logits answer every metric: the same predictions, the same keys, and no worker."""
    from evaluators import worker_process

    _, first, rows, home = measured
    monkeypatch.setattr(worker_process.Worker, "start", None)
    again = measure(rows, metrics=["roc_auc"], **asked(tellers, home))
    assert again.plan.ledger == first.plan.ledger
    for one, other in zip(first.candidates, again.candidates, strict=True):
        assert one.value("roc_auc") == other.value("roc_auc")
        assert one.value("accuracy") == other.value("accuracy")


@nightly
def test_labels_have_the_same_evidence_beside_scores(tellers: Path, measured: Any) -> None:
    """accuracy@k is certified exactly; a label's own test is the one it has alone."""
    both, _, rows, home = measured
    alone = find(rows, "f1_micro >= 0.4", **asked(tellers, home))
    assert both.choice is not None
    assert alone.choice is not None
    assert both.choice.name == alone.choice.name
    assert [claim.exact for claim in both.choice.claims] == [True, True]
    assert both.choice.claims[1].estimate == alone.choice.claims[0].estimate
    assert both.choice.n_wrong == alone.choice.n_wrong


@nightly
def test_a_baseline_is_compared_by_its_first_k(tellers: Path, tmp_path: Path) -> None:
    """Paired differences are of the same scores, for labels and for the first k."""
    found = find(
        kind_rows(160, seed=21), ["accuracy@2 within 0.2 of baseline", "accuracy >= 0.2"],
        baseline="team/teller", **asked(tellers, tmp_path),
    )  # fmt: skip
    assert found.choice is not None
    assert found.choice.claims[0].estimate == pytest.approx(0.0, abs=0.05)


@nightly
def test_an_area_is_certified_in_large_samples(tellers: Path, tmp_path: Path) -> None:
    """roc_auc has no exact test: the open mode, and the word approximate."""
    found = find(kind_rows(400, seed=8), "roc_auc >= 0.6", **asked(tellers, tmp_path))
    assert found.choice is not None
    assert found.choice.model == "team/teller"
    assert not found.choice.claims[0].exact


@nightly
def test_several_labels_have_scores_too(tellers: Path, tmp_path: Path) -> None:
    """Logits of each label; labels above one half are as without scores."""
    rows, options = several_rows(120, seed=4), asked(tellers, tmp_path)
    scored = measure(rows, metrics=["roc_auc", "f1_micro"], **options)
    plain = measure(rows, metrics=["f1_micro"], **options)
    pairs = zip(scored.candidates, plain.candidates, strict=True)
    assert all(one.value("f1_micro") == other.value("f1_micro") for one, other in pairs)
    kinds = sorted(KINDS)
    held = np.array([[kind in row["labels"] for kind in kinds] for row in rows])
    logits = by_hand(tellers / "team" / "teller", rows)
    area = roc_auc_score(held, logits[:, [list(KINDS).index(kind) for kind in kinds]])
    outcome = next(o for o in scored.candidates if o.recipe.name == "onnxruntime-fp32")
    assert outcome.value("roc_auc") == pytest.approx(area, abs=1e-3)
