"""Cosines of embeddings, pooled as a repository says, by an encoder that was taught kinds."""

import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from cache.key import canonical_json
from evaluators.answerers.embedding import POOLINGS
from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import task_method
from evaluators.quality.measures import measure_for
from evaluators.repository import header_tensors
from evaluators.sentence_modules import SentenceModules
from evaluators.testing import model_of
from evaluators.worker_process import Worker
from recommender.space import needed_files
from tests.conftest import nightly
from tests.evaluators.tasks.makers import (
    built,
    found_on_a_hub,
    make_encoder,
    similarity_rows,
)

METHOD = task_method("sentence-similarity")
TASK = METHOD.settings()
PACKAGE = "sentence_transformers.models"


def request(row: dict[str, Any]) -> str:
    return canonical_json({"text": row["sentence1"], "text_pair": row["sentence2"]})


def write_modules(folder: Path, pooling: dict[str, Any], *more: tuple[str, str], **limits: Any) -> None:  # fmt: skip  # noqa: E501
    """The files that sentence-transformers would write."""
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), *more]
    modules = [{"idx": at, "path": path, "type": f"{PACKAGE}.{kind}"}
               for at, (kind, path) in enumerate(kinds)]  # fmt: skip
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text(json.dumps(limits))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("models") / "encoder", steps=80)


@pytest.fixture(scope="module")
def folders(
    encoder: Path, worker: Worker, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("artifacts")
    texts = [request(row) for row in similarity_rows(4, seed=2)]
    return {name: built(worker, encoder, root, name, TASK, texts)
            for name in ("torch-fp32", "onnxruntime-fp32")}  # fmt: skip


def directly(source: Path, rows: list[dict[str, Any]], pool: Any, limit: int = 64) -> list[float]:
    """Each text alone through transformers; `pool` makes a vector of hidden states (n, width)."""
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModel.from_pretrained(source).eval()

    def vector(text: str) -> Any:
        batch = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            return pool(model(**batch).last_hidden_state[0])

    pairs = [(vector(row["sentence1"]), vector(row["sentence2"])) for row in rows]
    return [float(torch.cosine_similarity(*pair, dim=0)) for pair in pairs]


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_cosines_are_those_of_a_direct_computation(
    folders: dict[str, Path], encoder: Path, worker: Worker, recipe: str
) -> None:
    """Without files of its own, a repository's texts are the mean over their tokens."""
    rows = similarity_rows(20, seed=4)
    rows[0]["sentence1"] *= 30
    worker.load(folders[recipe])
    found = worker.answers([request(row) for row in rows])
    assert found.n_cut == 1
    expected = directly(encoder, rows, lambda hidden: hidden.mean(0))
    np.testing.assert_allclose([float(text) for text in found.texts], expected, atol=1e-4)


def weighted(hidden: Any) -> Any:
    weights = torch.arange(1.0, len(hidden) + 1)[:, None]
    return (hidden * weights).sum(0) / weights.sum()


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        ({"pooling_mode_cls_token": True}, lambda hidden: hidden[0]),
        ({"pooling_mode_max_tokens": True}, lambda hidden: hidden.max(0).values),
        ({"pooling_mode_weightedmean_tokens": True}, weighted),
        ({"pooling_mode": "lasttoken"}, lambda hidden: hidden[-1]),
        (
            {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
            lambda hidden: torch.cat([hidden[0], hidden.mean(0)]),
        ),
        ({"pooling_mode_mean_tokens": False}, lambda hidden: hidden.mean(0)),
    ],
    ids=["cls", "max", "weighted mean", "last", "cls and mean", "none"],
)
def test_the_pooling_is_the_one_that_the_repository_says(
    encoder: Path, worker: Worker, tmp_path: Path, pooling: dict[str, Any], pool: Any
) -> None:
    """The older flags and the newer name, one mode or several; the limit of length too."""
    source = tmp_path / "model"
    source.mkdir()
    for file in encoder.iterdir():
        copyfile(file, source / file.name)
    write_modules(source, pooling, ("Normalize", "2_Normalize"), max_seq_length=8)
    rows = similarity_rows(8, seed=5)
    folder = built(worker, source, tmp_path, "torch-fp32", TASK, ["the cat"])
    worker.load(folder)
    found = [float(text) for text in worker.answers([request(row) for row in rows]).texts]
    np.testing.assert_allclose(found, directly(source, rows, pool, limit=8), atol=1e-4)


def test_padding_on_the_left_changes_no_pooling() -> None:
    """Every pooling reads a text's own tokens only, wherever they stand."""
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=(1, 3, 4)).astype(np.float32)
    noise = draw.normal(size=(1, 2, 4)).astype(np.float32) * 100
    ones, zeros = np.ones((1, 3), np.float32), np.zeros((1, 2), np.float32)
    for name, pool in POOLINGS.items():
        right = pool(np.concatenate([hidden, noise], 1), np.concatenate([ones, zeros], 1))
        left = pool(np.concatenate([noise, hidden], 1), np.concatenate([zeros, ones], 1))
        np.testing.assert_allclose(right, pool(hidden, ones), rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(left, pool(hidden, ones), rtol=1e-5, err_msg=name)


def test_a_default_prompt_and_lower_case_are_read(tmp_path: Path) -> None:
    """As config_sentence_transformers.json and sentence_bert_config.json say."""
    write_modules(tmp_path, {"pooling_mode": "cls"}, max_seq_length=128, do_lower_case=True)
    prompts = {"prompts": {"query": "query: ", "other": "x"}, "default_prompt_name": "query"}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    assert SentenceModules.read(tmp_path) == SentenceModules(("cls",), "query: ", True, 128)


@pytest.mark.parametrize(
    ("modules", "state"),
    [
        ([{"type": f"{PACKAGE}.Dense", "path": "2_Dense"}], State.UNSUPPORTED),
        ([{"type": "their_code.Transformer", "path": ""}], State.REMOTE_CODE),
        ([{"type": f"{PACKAGE}.Transformer", "path": "0_Transformer"}], State.UNSUPPORTED),
    ],
    ids=["dense", "code", "elsewhere"],
)
def test_modules_that_are_not_served_are_named(
    tmp_path: Path, modules: list[dict[str, str]], state: State
) -> None:
    """Leaving a module out would change the cosines without a word."""
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(CandidateFailed) as failure:
        SentenceModules.read(tmp_path)
    assert failure.value.state is state


def test_an_encoder_without_a_pooler_is_served(
    encoder: Path, worker: Worker, tmp_path: Path
) -> None:
    """The outputs do not depend on it, and many repositories lack it; other weights must be."""
    for lacking, served in (("pooler.", True), ("encoder.layer.0.output.", False)):
        source = tmp_path / lacking
        source.mkdir()
        for file in encoder.iterdir():
            (source / file.name).write_bytes(file.read_bytes())
        weights = load_file(source / "model.safetensors")
        assert any(name.startswith(lacking) for name in header_tensors(source / "model.safetensors"))  # noqa: E501  # fmt: skip
        kept = {name: one for name, one in weights.items() if not name.startswith(lacking)}
        save_file(kept, source / "model.safetensors", metadata={"format": "pt"})
        folder = built(worker, source, tmp_path / f"to {lacking}", "torch-fp32", TASK, ["the cat"])
        if served:
            worker.load(folder)
            continue
        with pytest.raises(CandidateFailed, match="weights are missing"):
            worker.load(folder)


def test_odd_pairs_have_a_number(folders: dict[str, Path], worker: Worker) -> None:
    """Empty texts, equal ones, odd characters."""
    pairs = [("", ""), ("the cat", "the cat"), ("", "cat"), ("\ud800", "☃")]
    worker.load(folders["onnxruntime-fp32"])
    found = worker.answers([request({"sentence1": a, "sentence2": b}) for a, b in pairs]).texts
    assert [float(found[0]), float(found[1])] == pytest.approx([1.0, 1.0], abs=1e-6)
    assert all(-1.000001 <= float(text) <= 1.000001 for text in found)


def test_batches_change_cosines_by_rounding_only(folders: dict[str, Path], worker: Worker) -> None:
    """One text at a time or thirty-two."""
    texts = [request(row) for row in similarity_rows(20, seed=8)]
    worker.load(folders["torch-fp32"])
    alone, many = ([float(t) for t in worker.answers(texts, batch_size=n).texts] for n in (1, 32))
    np.testing.assert_allclose(alone, many, atol=1e-5)


def test_the_files_that_decide_the_pooling_are_downloaded(encoder: Path, tmp_path: Path) -> None:
    """A repository's modules are among the files that a candidate needs."""
    for file in encoder.iterdir():
        copyfile(file, tmp_path / file.name)
    write_modules(tmp_path, {"pooling_mode": "cls"})
    model = model_of(tmp_path)
    from evaluators.candidate import Recipe

    needed = {file.path for file in needed_files(model, Recipe("torch-fp32", "torch", "fp32"))}
    assert {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json"} <= needed


@nightly
def test_a_search_finds_the_encoder_that_knows(
    encoder: Path, folders: dict[str, Path], worker: Worker, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """End to end, by a Hub, with the pooling that its files say; the random one is not chosen."""
    rows = similarity_rows(300, seed=21)
    worker.load(folders["torch-fp32"])
    found = worker.answers([request(row) for row in rows]).texts
    value = measure_for("sentence-similarity", "spearman").value(found, [str(r["score"]) for r in rows])  # noqa: E501  # fmt: skip
    target = round(value - 0.2, 2)
    models = {"good": encoder, "guessing": make_encoder(tmp_path / "guessing")}
    answer = found_on_a_hub(
        models, rows, f"spearman >= {target}", tmp_path, monkeypatch, tag="sentence-similarity"
    )
    assert answer.choice is not None
    assert answer.choice.model == "team/good"
