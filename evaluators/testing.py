"""Contract tests: what every recipe must do, ours and a stranger's; and makers of small models."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from catalog.model import File, Model
from evaluators.candidate import Recipe
from evaluators.cost.size import artifact_size_bytes
from evaluators.plugins import recipe_method
from evaluators.repository import header_tensors, labels_of, read_config, weight_files
from evaluators.serving import Padding, Serving
from evaluators.task import TEXT_CLASSIFICATION
from evaluators.worker_process import Worker

WORDS = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "!", "a", "an", "the", "it", "is"),
    *("was", "not", "but", "and", "very", "so", "this", "that", "film", "movie", "plot", "actor"),
    *("scene", "music", "story", "good", "great", "fine", "bad", "poor", "dull", "slow", "long"),
    *("short", "never", "always", "i", "we", "you", "liked", "hated", "loved", "saw", "left"),
    *("early", "again", "once", "more", "less", "than", "worth", "time", "money"),
)
"""The vocabulary of `make_bert`."""


def make_bert(folder: Path, *, labels: Sequence[str] = ("negative", "positive")) -> Path:
    """A repository of a tiny BERT classifier with seeded random weights and a small vocabulary."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,  # large enough for the scores to depend on the text
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    torch.manual_seed(0)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def make_scripted(
    folder: Path, settings: Mapping[str, str], *, labels: Sequence[str] = ("negative", "positive")
) -> Path:
    """An artifact for the scripted backend, which does as `settings` say."""
    folder.mkdir(parents=True, exist_ok=True)
    Serving(
        backend="scripted",
        precision="none",
        labels=tuple(labels),
        input_names=(),
        max_length=10,
        truncation_side="right",
        padding=Padding(0, 0, "right"),
        batch_size=32,
        settings=dict(settings),
    ).write(folder)
    return folder


def model_of(source: Path) -> Model:
    """What a catalog would know of a repository on disk: enough to plan recipes."""
    config = read_config(source)
    counts: dict[str, int] = {}
    n_embedding = 0
    for name, tensor in header_tensors(weight_files(source)[0]).items():
        size = int(np.prod(tensor["shape"], dtype=np.int64))
        counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + size
        n_embedding += size if "_embeddings" in name else 0
    files = sorted(path for path in source.rglob("*") if path.is_file())
    return Model(
        id=source.name,
        revision="0" * 40,
        source=f"folder:{source.parent}",
        task=TEXT_CLASSIFICATION.name,
        parameters=counts,
        files=tuple(File(str(file.relative_to(source)), file.stat().st_size) for file in files),
        labels=labels_of(config),
        n_layers=config.get("num_hidden_layers"),
        embedding_parameters=n_embedding,
    )


def check_recipe(
    worker: Worker, recipe: Recipe, *, source: Path, folder: Path, graph: Path | None,
    texts: Sequence[str],
) -> np.ndarray:  # fmt: skip
    """Build, load and run a recipe on a repository; its scores, for a caller to compare.

    AssertionError where the recipe breaks the contract: it is whole once built, a second build
    leaves it alone, it serves every label, gives the same scores twice, and in every order.
    """
    build = {"source": source, "folder": folder, "graph": graph, "texts": texts[:8]}
    worker.build(recipe, task=TEXT_CLASSIFICATION, **build)  # type: ignore[arg-type] # a mapping
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    worker.build(recipe, task=TEXT_CLASSIFICATION, **build)  # type: ignore[arg-type] # a mapping
    assert written == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    loaded = worker.load(folder)
    assert loaded.labels == labels_of(json.loads((source / "config.json").read_text()))
    scores = worker.scores(texts).logits
    assert scores.shape == (len(texts), len(loaded.labels))
    assert np.array_equal(scores, worker.scores(texts).logits)
    backwards = worker.scores(list(reversed(texts))).logits[::-1]
    np.testing.assert_allclose(scores, backwards, rtol=0, atol=0.05 * np.abs(scores).max())
    return scores


def size_error(recipe: Recipe, model: Model, folder: Path) -> float:
    """By which share the predicted size of a built artifact is too large."""
    predicted = recipe_method(recipe.method).predicted_size_bytes(model, recipe)
    return predicted / artifact_size_bytes(folder) - 1
