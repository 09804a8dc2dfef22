"""Every recipe, on a tiny real model, in a real worker."""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.model import File, Model
from evaluators.artifact import GRAPH_FILE, artifact_folder, graph_folder
from evaluators.candidate import Candidate, Recipe
from evaluators.classifier import load_artifact
from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import recipe_method, recipe_methods
from evaluators.task import TEXT_CLASSIFICATION
from evaluators.testing import check_recipe, model_of, size_error
from evaluators.worker_process import Worker

# Largest difference of logits from torch fp32, relative to the largest logit.
TOLERANCES = {
    "torch-fp32": 1e-6,
    "torch-bf16": 0.05,
    "torch-int8": 0.2,
    "onnxruntime-fp32": 1e-4,
    "onnxruntime-int8": 0.2,
    "openvino-fp32": 1e-4,
    "openvino-bf16": 0.05,
    "openvino-int8": 0.2,
}


@pytest.fixture(scope="session")
def built(
    bert: Path, worker: Worker, graph: Path, texts: Sequence[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[Path, np.ndarray]]:  # fmt: skip
    """Builds a recipe once; gives its folder and its scores."""
    done: dict[str, tuple[Path, np.ndarray]] = {}
    root = tmp_path_factory.mktemp("recipes")

    def build(name: str) -> tuple[Path, np.ndarray]:
        if name not in done:
            recipe = _recipe(name, bert)
            folder = root / name
            scores = check_recipe(
                worker, recipe, source=bert, folder=folder, graph=graph, texts=texts
            )
            done[name] = folder, scores
        return done[name]

    return build


def _recipe(name: str, source: Path) -> Recipe:
    (recipe,) = recipe_method(name).recipes(model_of(source))
    return recipe


@pytest.mark.parametrize("name", TOLERANCES)
def test_recipe_agrees_with_torch(
    name: str, built: Callable[[str], tuple[Path, np.ndarray]]
) -> None:
    """A recipe keeps the contract, and its scores stay near those of torch in float32."""
    _, expected = built("torch-fp32")
    _, scores = built(name)
    difference = np.abs(scores - expected).max() / np.abs(expected).max()
    assert difference <= TOLERANCES[name]


@pytest.mark.parametrize("name", TOLERANCES)
def test_size_is_predicted(
    name: str, bert: Path, built: Callable[[str], tuple[Path, np.ndarray]]
) -> None:
    """Sizes predicted from metadata are within 10 % even where the graph outweighs the weights."""
    folder, _ = built(name)
    assert abs(size_error(_recipe(name, bert), model_of(bert), folder)) < 0.10


def test_reference_is_transformers_own(
    bert: Path, texts: Sequence[str], built: Callable[[str], tuple[Path, np.ndarray]]
) -> None:
    """torch-fp32 gives the logits that transformers gives, text by text, unpadded."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bert)
    model = AutoModelForSequenceClassification.from_pretrained(bert, dtype=torch.float32).eval()
    with torch.inference_mode():
        rows = [
            model(**tokenizer(text, truncation=True, return_tensors="pt")).logits[0].numpy()
            for text in texts
        ]
    np.testing.assert_allclose(built("torch-fp32")[1], np.stack(rows), atol=1e-5)


@pytest.mark.parametrize("name", ["torch-fp32", "torch-int8"])
def test_weights_named_by_their_precision_are_loaded(
    name: str, bert: Path, worker: Worker, texts: Sequence[str], tmp_path: Path,
    built: Callable[[str], tuple[Path, np.ndarray]],
) -> None:  # fmt: skip
    """A repository with model.fp32.safetensors alone scores as the one with model.safetensors."""
    source = shutil.copytree(bert, tmp_path / "variant")
    (source / "model.safetensors").rename(source / "model.fp32.safetensors")
    scores = check_recipe(
        worker,
        _recipe(name, source),
        source=source,
        folder=tmp_path / name,
        graph=None,
        texts=texts,
    )
    np.testing.assert_array_equal(scores, built(name)[1])


def test_long_texts_are_cut_and_counted(
    worker: Worker, texts: Sequence[str], built: Callable[[str], tuple[Path, np.ndarray]]
) -> None:
    """Texts beyond the model's positions are cut, and how many is reported."""
    folder, _ = built("onnxruntime-fp32")
    loaded = worker.load(folder)
    assert (loaded.max_length, worker.scores(texts).n_cut) == (64, 1)


def test_artifact_serves_in_process(
    texts: Sequence[str], built: Callable[[str], tuple[Path, np.ndarray]]
) -> None:
    """What a worker built serves in the user's own process alike."""
    folder, expected = built("onnxruntime-int8")
    np.testing.assert_allclose(load_artifact(folder).scores(texts), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["onnxruntime-fp32", "openvino-fp32"])
def test_serving_loads_no_torch(name: str, built: Callable[[str], tuple[Path, np.ndarray]]) -> None:
    """A fresh worker of a light runtime has its memory and its start, not torch's."""
    folder, _ = built(name)
    with Worker.start(deadline_s=60) as fresh:
        loaded = fresh.load(folder)
        assert loaded.runtime_mb < 120  # torch and transformers alone take 260


def test_int8_is_smaller(built: Callable[[str], tuple[Path, np.ndarray]]) -> None:
    """Quantized weights take a quarter of the bytes, not only another name."""
    fp32, _ = built("openvino-fp32")
    int8, _ = built("openvino-int8")
    assert (int8 / "model.bin").stat().st_size < 0.35 * (fp32 / "model.bin").stat().st_size


def test_repository_graph_is_offered(
    bert: Path, graph: Path, worker: Worker, texts: Sequence[str], tmp_path: Path
) -> None:
    """An ONNX file that a repository carries becomes a recipe of its own, and runs."""
    source = shutil.copytree(bert, tmp_path / "with-onnx")
    (source / "onnx").mkdir()
    shutil.copy(graph / GRAPH_FILE, source / "onnx" / "model_quantized.onnx")
    (recipe,) = recipe_method("onnxruntime-repository").recipes(model_of(source))
    assert recipe.name == "onnxruntime:onnx/model_quantized.onnx"
    check_recipe(worker, recipe, source=source, folder=tmp_path / "built", graph=None, texts=texts)


def test_nothing_is_offered_without_safetensors() -> None:
    """A repository with pickled weights only has no recipe."""
    files = (File("pytorch_model.bin", 1000), File("config.json", 10), File("vocab.txt", 10))
    model = Model("owner/pickled", "0" * 40, "hub", files=files)
    assert not [name for name, method in recipe_methods().items() if method.recipes(model)]


def test_artifact_is_named_by_what_it_depends_on(bert: Path, tmp_path: Path) -> None:
    """Another revision, recipe or cut is another artifact; a graph is shared by recipes."""
    model = model_of(bert)
    fp32, int8 = (
        Candidate(model, _recipe(f"onnxruntime-{name}", bert), 1.0, 1.0)
        for name in ("fp32", "int8")
    )
    newer = replace(fp32, model=replace(model, revision="1" * 40))
    short = replace(TEXT_CLASSIFICATION, max_length=16)
    folders = {artifact_folder(tmp_path, c, TEXT_CLASSIFICATION) for c in (fp32, int8, newer)}
    assert len(folders | {artifact_folder(tmp_path, fp32, short)}) == 4
    graphs = {graph_folder(tmp_path, c, TEXT_CLASSIFICATION) for c in (fp32, int8)}
    assert len(graphs) == 1


def test_unknown_recipe_is_answered_with_the_nearest() -> None:
    """A misspelt plug-in's name is answered with the one that was meant."""
    with pytest.raises(LookupError, match="Did you mean 'openvino-int8'"):
        recipe_method("openvino-int9")


def test_failed_build_leaves_nothing(
    bert: Path, worker: Worker, texts: Sequence[str], tmp_path: Path
) -> None:
    """An unfinished build leaves nothing behind under the artifact's name."""
    source = shutil.copytree(bert, tmp_path / "broken")
    (source / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0not json")
    folder = tmp_path / "graph"
    with pytest.raises(CandidateFailed) as caught:
        worker.graph(source=source, folder=folder, task=TEXT_CLASSIFICATION, texts=texts)
    assert caught.value.state is State.CORRUPT
    assert list(tmp_path.iterdir()) == [source]


OTHER_TEXTS = ("zzz", "1 2 3 4 5 6 7 8 9 " * 9, "?!")
COUNTED_NAME = re.compile(rb"_[0-9]+")


@pytest.fixture(scope="module")
def other_graph(bert: Path, worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph, exported while other rows were looked at."""
    folder = tmp_path_factory.mktemp("other") / "graph"
    worker.graph(source=bert, folder=folder, task=TEXT_CLASSIFICATION, texts=OTHER_TEXTS)
    return folder


def _contents(folder: Path) -> dict[str, bytes]:
    """The bytes of each file, without the numbers by which OpenVINO counts a process's nodes."""
    read = {path.name: path.read_bytes() for path in folder.iterdir()}
    return {
        name: COUNTED_NAME.sub(b"", content) if name.endswith(".xml") else content
        for name, content in read.items()
    }


def test_the_graph_is_the_same_whatever_the_rows_are(graph: Path, other_graph: Path) -> None:
    """It is traced with built-in texts; the rows only check it."""
    assert _contents(graph) == _contents(other_graph)


@pytest.mark.parametrize("name", TOLERANCES)
def test_the_rows_calibrate_nothing(
    name: str, bert: Path, worker: Worker, other_graph: Path, tmp_path: Path,
    built: Callable[[str], tuple[Path, np.ndarray]],
) -> None:  # fmt: skip
    """Rows that certify decide no byte of what they certify, int8 scales included."""
    needs_graph = recipe_method(name).needs_graph
    worker.build(
        _recipe(name, bert), source=bert, folder=tmp_path / name, task=TEXT_CLASSIFICATION,
        texts=OTHER_TEXTS, graph=other_graph if needs_graph else None,
    )  # fmt: skip
    folder, _ = built(name)
    assert _contents(tmp_path / name) == _contents(folder)
