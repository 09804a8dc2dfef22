"""Documents ranked by a cross-encoder that was taught which words are animals."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from cache.key import canonical_json
from evaluators.measurement import CandidateFailed
from evaluators.plugins import task_method
from evaluators.quality.measures import measure_for
from evaluators.worker_process import Worker
from tests.conftest import nightly
from tests.evaluators.tasks.makers import built, found_on_a_hub, make_ranker, ranking_rows

METHOD = task_method("text-ranking")
TASK = METHOD.settings()


def request(row: dict) -> str:  # type: ignore[type-arg]
    return canonical_json({"documents": row["documents"], "query": row["query"]})


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ranker(tmp_path_factory.mktemp("models") / "ranker", steps=25)


@pytest.fixture(scope="module")
def folders(
    ranker: Path, worker: Worker, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("artifacts")
    texts = [request(row) for row in ranking_rows(4, seed=2)]
    return {name: built(worker, ranker, root, name, TASK, texts)
            for name in ("torch-fp32", "onnxruntime-fp32")}  # fmt: skip


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_scores_are_those_of_a_direct_computation(
    folders: dict[str, Path], ranker: Path, worker: Worker, recipe: str
) -> None:
    """Each pair alone through transformers, a document cut that is too long."""
    rows = ranking_rows(10, seed=4)
    rows[0]["documents"][1] *= 30
    tokenizer = AutoTokenizer.from_pretrained(ranker)
    model = AutoModelForSequenceClassification.from_pretrained(ranker).eval()
    worker.load(folders[recipe])
    found = worker.answers([request(row) for row in rows])
    assert found.n_cut == 1
    for row, answer in zip(rows, found.texts, strict=True):
        with torch.inference_mode():
            expected = [
                model(**tokenizer(row["query"], one, truncation=True, max_length=64,
                                  return_tensors="pt")).logits.item()
                for one in row["documents"]
            ]  # fmt: skip
        np.testing.assert_allclose(json.loads(answer), expected, rtol=1e-4, atol=1e-4)


def test_the_ranker_is_right(folders: dict[str, Path], worker: Worker) -> None:
    """The relevant document comes first, which the task's own measure sees."""
    rows = ranking_rows(40, seed=5)
    worker.load(folders["torch-fp32"])
    found = worker.answers([request(row) for row in rows]).texts
    truths = [canonical_json(row["relevances"]) for row in rows]
    assert measure_for("text-ranking", "mrr").value(found, truths) >= 0.95


def test_requests_may_have_any_number_of_documents(
    folders: dict[str, Path], worker: Worker
) -> None:
    """None, one, many, empty ones and odd characters; each has its score, in order."""
    many = ["the cat", "the red", "", "\ud800 ☃"] * 20
    rows = [{"query": "which animal ?", "documents": given} for given in ([], ["cat"], many)]
    worker.load(folders["onnxruntime-fp32"])
    found = [json.loads(text) for text in worker.answers([request(row) for row in rows]).texts]
    assert [len(scores) for scores in found] == [0, 1, 80]
    assert found[2][0] > found[2][1]
    (none,) = worker.answers([request(rows[0])]).texts
    assert none == "[]"


def test_batches_change_scores_by_rounding_only(folders: dict[str, Path], worker: Worker) -> None:
    """One pair at a time or thirty-two."""
    texts = [request(row) for row in ranking_rows(12, seed=8)]
    worker.load(folders["torch-fp32"])
    alone, many = (worker.answers(texts, batch_size=n).texts for n in (1, 32))
    np.testing.assert_allclose(
        [json.loads(a) for a in alone], [json.loads(m) for m in many], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("outputs", [2, 3])
def test_a_model_of_several_outputs_ranks_nothing(tmp_path: Path, outputs: int) -> None:
    """A classifier is turned down by its config."""
    source = make_ranker(tmp_path / "classifier", outputs=outputs)
    config = json.loads((source / "config.json").read_text())
    with pytest.raises(CandidateFailed, match=f"{outputs} outputs"):
        METHOD.labels(config, TASK)


@nightly
def test_a_search_finds_the_ranker_that_knows(
    ranker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End to end, by a Hub: the trained model is chosen, the random one is not."""
    models = {"good": ranker, "guessing": make_ranker(tmp_path / "guessing")}
    answer = found_on_a_hub(
        models, ranking_rows(120, seed=21), "mrr >= 0.8", tmp_path, monkeypatch,
        tag="text-ranking",
    )  # fmt: skip
    assert answer.choice is not None
    assert answer.choice.model == "team/good"
