"""Queries and a corpus, on an encoder that was taught which names are of one kind."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from cache.errors import BadInput, NotFound
from evaluators.answerers.retrieval import Index, _largest
from evaluators.corpus import Documents, corpus_digest, corpus_file, keep_corpus
from evaluators.cost.size import artifact_size_bytes
from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import task_method
from evaluators.quality.measures import measure_for
from evaluators.reading.shapes import shape_of
from evaluators.requests import request_of
from evaluators.samples import Samples, read_samples
from evaluators.sentence_modules import SearchModules
from evaluators.task import Task
from evaluators.worker_process import Worker
from recommender.query import Query
from tests.conftest import nightly
from tests.evaluators.tasks.makers import (
    KINDS,
    OTHERS,
    built,
    found_on_a_hub,
    make_encoder,
    similarity_rows,
)

METHOD = task_method("feature-extraction")
PACKAGE = "sentence_transformers.models"


def write_folder(folder: Path, *, n_queries: int, n_documents: int, seed: int) -> Path:
    """As BEIR lays it out: documents of one kind of name each; queries want those of their kind.

    One document is empty, one stands there twice.
    """
    draw = random.Random(seed)
    documents = {f"d{at}": text(draw, at) for at in range(n_documents - 2)}
    documents |= {"empty": "", "again": documents["d0"]}
    queries = {f"q{at}": text(draw, at) for at in range(n_queries)}
    lines = [f"{q}\t{d}\t{1 + int(d[1:]) % 2}" for q in queries for d in documents
             if d[0] == "d" and kind_of(int(d[1:])) == kind_of(int(q[1:]))
             and int(d[1:]) % 7 == int(q[1:]) % 7]  # fmt: skip
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", documents), ("queries", queries)):
        written = [json.dumps({"_id": key, "title": "", "text": one}) for key, one in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(written), encoding="utf-8")
    table = "\n".join(["query-id\tcorpus-id\tscore", *lines, ""])
    (folder / "qrels" / "test.tsv").write_text(table, encoding="utf-8")
    return folder


def kind_of(at: int) -> str:
    return list(KINDS)[at % len(KINDS)]


def text(draw: random.Random, at: int) -> str:
    words = [*draw.choices(OTHERS, k=draw.randint(1, 6)), *draw.choices(KINDS[kind_of(at)], k=2)]
    draw.shuffle(words)
    return " ".join(words)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("models") / "encoder", steps=20)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    folder = tmp_path_factory.mktemp("data") / "beir"
    return read_samples(write_folder(folder, n_queries=24, n_documents=90, seed=3), shape=None)


@pytest.fixture(scope="module")
def task(samples: Samples) -> Task:
    return METHOD.fitted(METHOD.settings(), samples)


@pytest.fixture(scope="module")
def scores(encoder: Path, samples: Samples) -> np.ndarray:
    """The cosine of each query with each document, by transformers alone."""
    documents = vectors(encoder, list(samples.corpus.values()))
    return cosines(vectors(encoder, queries_of(samples)), documents)


def made(
    worker: Worker, source: Path, root: Path, recipe: str, task: Task, samples: Samples
) -> Path:
    """An artifact with the corpus beside it."""
    keep_corpus(root, samples.corpus, str(task.options["corpus"]))
    return built(worker, source, root, recipe, task, [request_of(row) for row in samples.rows[:3]])


def vectors(source: Path, texts: Sequence[str], limit: int = 64) -> np.ndarray:
    """The mean over tokens by transformers alone, one text at a time."""
    tokenizer, model = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source)
    found = []
    for one in texts:
        batch = tokenizer(one, truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            found.append(model.eval()(**batch).last_hidden_state[0].mean(0).numpy())
    return np.stack(found)


def cosines(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    return (queries @ documents.T) / np.outer(
        np.linalg.norm(queries, axis=1), np.linalg.norm(documents, axis=1)
    )


def queries_of(samples: Samples) -> list[str]:
    return [json.loads(row.text)["query"] for row in samples.rows]


def check_order(answer: str, scores: Mapping[str, float], k: int) -> None:
    """The k largest scores, and the documents in their order but for rounding."""
    found = json.loads(answer)
    assert len(found) == len(set(found)) == k
    ours = [scores[document] for document in found]
    np.testing.assert_allclose(ours, sorted(scores.values(), reverse=True)[:k], atol=2e-6)


def dcg(relevances: Sequence[float]) -> float:
    return float(sum(one / np.log2(rank + 1) for rank, one in enumerate(relevances, start=1)))


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_documents_and_scores_are_those_of_a_direct_computation(
    encoder: Path, samples: Samples, task: Task, worker: Worker, tmp_path: Path,
    scores: np.ndarray, recipe: str,
) -> None:  # fmt: skip
    """The nearest by the cosine, and ndcg, mrr and recall from their definitions."""
    folder = made(worker, encoder, tmp_path, recipe, task, samples)
    assert worker.load(folder).is_ready is False
    worker.prepare(lambda: None)
    answers = worker.answers([request_of(row) for row in samples.rows]).texts
    ids = list(samples.corpus)
    gains, firsts, shares = [], [], []
    for answer, line, row in zip(answers, scores, samples.rows, strict=True):
        check_order(answer, dict(zip(ids, line.tolist(), strict=True)), len(ids))
        truth, found = json.loads(row.label), json.loads(answer)
        best = sorted(truth.values(), reverse=True)[:10]
        gains.append(dcg([truth.get(one, 0.0) for one in found[:10]]) / dcg(best))
        firsts.append(1 / next(rank for rank, one in enumerate(found, start=1) if one in truth))
        shares.append(len(set(found[:5]) & set(truth)) / len(truth))
    for name, values in (("ndcg@10", gains), ("mrr", firsts), ("recall@5", shares)):
        value = measure_for("feature-extraction", name).value(answers, [r.label for r in samples.rows])  # noqa: E501  # fmt: skip
        assert value == pytest.approx(np.mean(values), abs=1e-9)


def test_the_corpus_is_embedded_once_and_weighs_nothing(
    encoder: Path, samples: Samples, task: Task, worker: Worker, tmp_path: Path
) -> None:
    """The next worker finds the vectors; they and the documents are in no artifact."""
    folder = made(worker, encoder, tmp_path, "torch-fp32", task, samples)
    size = artifact_size_bytes(folder)
    requests = [request_of(row) for row in samples.rows[:4]]
    worker.load(folder)
    first = worker.answers(requests).texts
    (kept,) = tmp_path.glob("*.vectors.npy")
    assert np.load(kept).shape == (len(set(samples.corpus.values())), 32)
    assert artifact_size_bytes(folder) == size
    np.save(kept, -np.load(kept))  # were they made anew, nothing would change
    worker.load(folder)
    backwards = worker.answers(requests).texts
    assert json.loads(backwards[0])[0] == json.loads(first[0])[-1]
    kept.write_bytes(b"damaged")
    worker.load(folder)
    assert worker.answers(requests).texts == first
    corpus_file(tmp_path, str(task.options["corpus"])).unlink()
    worker.load(folder)
    with pytest.raises(CandidateFailed, match="cannot be read"):
        worker.answers(requests)


def test_equal_documents_come_together_and_ties_have_one_order(
    encoder: Path, samples: Samples, task: Task, worker: Worker, tmp_path: Path
) -> None:
    """A text that stands twice is embedded once; one query or many, the answers are the same."""
    worker.load(made(worker, encoder, tmp_path, "torch-fp32", task, samples))
    requests = [request_of(row) for row in samples.rows]
    many, alone = (worker.answers(requests, batch_size=n).texts for n in (32, 1))
    assert sum(a != b for a, b in zip(many, alone, strict=True)) <= 1  # a tie but for rounding
    for answer in many:
        found = json.loads(answer)
        assert abs(found.index("d0") - found.index("again")) == 1
        assert "empty" in found
    pair = [one for one in Documents.of(samples.corpus).ids if one in ("d0", "again")]
    assert [one for one in json.loads(many[0]) if one in pair] == pair


def test_the_order_of_ties_does_not_depend_on_the_file() -> None:
    """A model that scores everything the same gains nothing from how documents were written."""
    corpus = {f"d{at}": "the same" for at in range(20)}
    forwards = Documents.of(corpus)
    backwards = Documents.of(dict(reversed(corpus.items())))
    assert forwards.ids == backwards.ids
    assert list(forwards.ids) not in (sorted(corpus), sorted(corpus, reverse=True))
    assert (forwards.texts, forwards.places.tolist()) == (("the same",), [0] * 20)
    scores = np.array([0.5, 0.7, 0.5, 0.7, 0.5])
    assert [_largest(scores, k).tolist() for k in (3, 5)] == [[1, 3, 0], [1, 3, 0, 2, 4]]


def test_texts_without_tokens_have_zeros() -> None:
    """Whatever comes first; a corpus of nothing else has no width."""
    index = Index.empty(Documents.of({"a": "x y", "b": ""}))
    assert [index.documents.texts[at] for at in index.order] == ["x y", ""]
    index.add(np.ones((1, 3), np.float32))
    index.add(np.zeros((1, 0), np.float32))
    assert index.is_whole
    assert index.vectors[list(index.order)].tolist() == [[1, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, SearchModules()),
        (
            {"prompts": {"query": "q: ", "passage": "p: "}, "similarity_fn_name": "dot"},
            SearchModules("q: ", "p: ", "dot", True),
        ),
        ({"prompts": {"query": "q: ", "document": "", "other": "o: "},
          "default_prompt_name": "other"}, SearchModules("q: ", "")),
        ({"prompts": {"other": "o: "}, "default_prompt_name": "other"},
         SearchModules("o: ", "o: ")),
    ],
    ids=["none", "passage", "empty", "default"],
)  # fmt: skip
def test_prompts_and_comparison_are_read(
    tmp_path: Path, config: dict[str, Any], expected: SearchModules
) -> None:
    """As sentence-transformers' encode_query and encode_document choose them."""
    modules = [{"type": f"{PACKAGE}.{name}", "path": ""} for name in ("Transformer", "Normalize")]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(config))
    assert SearchModules.read(tmp_path) == expected
    config |= {"similarity_fn_name": "hamming"}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(config))
    with pytest.raises(CandidateFailed, match="compares by hamming") as failure:
        SearchModules.read(tmp_path)
    assert failure.value.state is State.UNSUPPORTED


def test_prompts_and_dot_products_are_used(
    encoder: Path, samples: Samples, worker: Worker, tmp_path: Path
) -> None:
    """The repository's for documents, the asked one for queries; vectors as they are."""
    source = tmp_path / "model"
    source.mkdir()
    for file in encoder.iterdir():
        (source / file.name).write_bytes(file.read_bytes())
    config = {"prompts": {"query": "old ", "document": "we saw "}, "similarity_fn_name": "dot"}
    (source / "config_sentence_transformers.json").write_text(json.dumps(config))
    asked = Task(METHOD.name, options={"top_k": 7, "query_prompt": "near "})
    task = METHOD.fitted(asked, samples)
    worker.load(made(worker, source, tmp_path, "torch-fp32", task, samples))
    rows = samples.rows[:5]
    answers = worker.answers([request_of(row) for row in rows]).texts
    queries = vectors(encoder, [f"near {one}" for one in queries_of(samples)[:5]])
    documents = vectors(encoder, [f"we saw {one}".strip() for one in samples.corpus.values()])
    for answer, line in zip(answers, queries @ documents.T, strict=True):
        scores = dict(zip(samples.corpus, line.tolist(), strict=True))
        found = [scores[one] for one in json.loads(answer)]
        np.testing.assert_allclose(found, sorted(line, reverse=True)[:7], atol=1e-4)


def test_the_documents_are_part_of_every_key(samples: Samples, task: Task) -> None:
    """One more document, or another text, is another task; their order is none."""
    corpus = dict(samples.corpus)
    assert corpus_digest(dict(reversed(corpus.items()))) == task.options["corpus"]
    assert corpus_digest({**corpus, "new": "x"}) != task.options["corpus"]
    assert corpus_digest({**corpus, "d0": "x"}) != task.options["corpus"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"top_k": 0}, "top_k 0"), ({"top_k": 5, "query_prompt": 3}, "query_prompt 3")],
)
def test_settings_that_mean_nothing_are_refused(
    samples: Samples, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        METHOD.fitted(Task(METHOD.name, options=options), samples)


def test_metrics_must_not_look_further_than_answers(samples: Samples) -> None:
    """The 100 nearest documents tell nothing of recall@500."""
    query = Query.parse("recall@500 >= 0.5", task="feature-extraction")
    with pytest.raises(BadInput, match="--task-option top_k=500"):
        query.fitted(samples)
    wider = Query.parse("recall@500 >= 0.5", task="feature-extraction", task_options={"top_k": 500})
    assert wider.fitted(samples).task.options["top_k"] == 500
    with pytest.raises(NotFound, match="it has ndcg@k, mrr, recall@k"):
        Query.parse("spearman >= 0.5", task="feature-extraction").fitted(samples)


def test_relevances_without_documents_are_refused() -> None:
    rows = [{"query": f"q{at}", "relevances": {"d1": 1}} for at in range(3)]
    samples = Samples.of(rows, shape=shape_of("feature-extraction"))
    with pytest.raises(BadInput, match=r"no documents to search in\. Give a folder with corpus"):
        METHOD.fitted(METHOD.settings(), samples)


def test_pairs_with_a_number_are_sentence_similarity() -> None:
    """The same embeddings, judged by another measure, whatever the task is called; and back."""
    rows = similarity_rows(20, seed=1)
    found = Samples.of(rows, shape=shape_of("feature-extraction"))
    assert (found.task, found.rows[0].label) == ("sentence-similarity", str(rows[0]["score"]))
    assert any("feature-extraction is for queries" in note for note in found.notes)
    numbered = [
        {"text1": row["sentence1"], "text2": row["sentence2"], "label": round(5 * row["score"])}
        for row in rows
    ]
    assert Samples.of(numbered, shape=shape_of("feature-extraction")).task == found.task
    queries = [{"query": f"q{at}", "positive": f"a{at}"} for at in range(3)]
    assert Samples.of(queries, shape=shape_of("sentence-similarity")).task == "feature-extraction"


@nightly
def test_a_search_finds_the_encoder_that_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End to end, by a Hub; the evidence is exact."""
    rows = [
        {"query": f"{words} {at}", "positive": other}
        for at, (words, other) in enumerate(
            (text(random.Random(at), at), text(random.Random(999 + at % 3), at))
            for at in range(150)
        )
    ]
    models = {
        "good": make_encoder(tmp_path / "good", steps=80),
        "guessing": make_encoder(tmp_path / "guessing"),
    }
    answer = found_on_a_hub(
        models, rows, "recall@1 >= 0.6", tmp_path, monkeypatch, tag="feature-extraction"
    )
    assert answer.choice is not None
    assert answer.choice.model == "team/good"
    assert all(claim.exact for claim in answer.choice.claims)
