"""Repositories that would give wrong answers without a word end in a named state instead."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from evaluators.candidate import Recipe
from evaluators.drift import output_changed
from evaluators.measurement import CandidateFailed, State
from evaluators.task import TEXT_CLASSIFICATION
from evaluators.testing import make_bert
from evaluators.worker_process import Worker
from tests.conftest import make_rows

FP32 = Recipe("torch-fp32", "torch", "fp32")
Damage = Callable[[Path], None]


def _config(**changes: Any) -> Damage:
    def damage(source: Path) -> None:
        file = source / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return damage


def _without(*patterns: str) -> Damage:
    def damage(source: Path) -> None:
        for pattern in patterns:
            for file in source.glob(pattern):
                file.unlink()

    return damage


def _drop_weights(prefix: str) -> Damage:
    def damage(source: Path) -> None:
        file = source / "model.safetensors"
        tensors = load_file(file)
        kept = {name: value for name, value in tensors.items() if not name.startswith(prefix)}
        save_file(kept, file, metadata={"format": "pt"})

    return damage


def _truncate(source: Path) -> None:
    file = source / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _small_vocabulary(source: Path) -> None:
    (source / "tokenizer.json").unlink()
    (source / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))


def _broken_tokenizer(source: Path) -> None:
    (source / "tokenizer.json").write_text("{}")


DAMAGES: Mapping[str, tuple[Damage, State]] = {
    "head missing": (_drop_weights("classifier"), State.NO_HEAD),
    "layer missing": (_drop_weights("bert.encoder.layer.1"), State.CORRUPT),
    "tokenizer missing": (_without("tokenizer*", "vocab.txt"), State.NO_TOKENIZER),
    "tokenizer broken": (_broken_tokenizer, State.NO_TOKENIZER),
    "vocabulary empty": (_small_vocabulary, State.NO_TOKENIZER),
    "weights truncated": (_truncate, State.CORRUPT),
    "weights missing": (_without("*.safetensors"), State.UNSAFE_FORMAT),
    "config missing": (_without("config.json"), State.CORRUPT),
    "remote code": (_config(auto_map={"AutoModel": "evil.Model"}), State.REMOTE_CODE),
    "foreign kernel": (_config(_attn_implementation="evil/kernel"), State.REMOTE_CODE),
    "absurd layers": (_config(num_hidden_layers=10_000_000), State.CORRUPT),
    "more layers than weights": (_config(num_hidden_layers=300), State.CORRUPT),
    "unknown architecture": (_config(model_type="no-such-model"), State.UNSUPPORTED),
    "quantized elsewhere": (_config(quantization_config={"x": 1}), State.UNSUPPORTED),
    "regression": (_config(id2label={"0": "score"}), State.UNSUPPORTED),
    "several labels a text": (
        _config(problem_type="multi_label_classification"), State.UNSUPPORTED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_repository_ends_in_a_named_state(
    name: str, bert: Path, worker: Worker, tmp_path: Path
) -> None:
    """No random head, no empty vocabulary, no foreign code is ever served."""
    damage, state = DAMAGES[name]
    source = Path(shutil.copytree(bert, tmp_path / "model"))
    damage(source)
    with pytest.raises(CandidateFailed) as caught:
        _serve(worker, source, tmp_path / "built")
    assert caught.value.state is state, caught.value
    assert worker.is_alive


def _serve(worker: Worker, source: Path, folder: Path) -> None:
    worker.build(FP32, source=source, folder=folder, task=TEXT_CLASSIFICATION, texts=["good"])
    worker.load(folder)


def make_leaky(folder: Path, texts: Sequence[str]) -> Path:
    """A tiny FNet: it mixes all positions by a Fourier transform and knows no attention mask.

    Its labels are in balance on the texts, read one by one.
    """
    import torch
    from transformers import AutoTokenizer, FNetConfig, FNetForSequenceClassification

    make_bert(folder)
    config = FNetConfig(
        vocab_size=len((folder / "vocab.txt").read_text().split("\n")),
        hidden_size=32, num_hidden_layers=2, intermediate_size=64, max_position_embeddings=64,
        initializer_range=0.3, id2label={0: "negative", 1: "positive"},
        label2id={"negative": 0, "positive": 1},
    )  # fmt: skip
    torch.manual_seed(0)
    model = FNetForSequenceClassification(config).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        alone = [model(**tokenizer(text, return_tensors="pt")).logits[0] for text in texts]
        model.classifier.bias -= torch.stack(alone).median(dim=0).values
    model.save_pretrained(folder)
    return folder


def test_only_a_model_whose_padding_leaks_drifts(
    bert: Path, worker: Worker, tmp_path: Path
) -> None:
    """Batched with longer texts its labels change; those of a model that masks padding do not."""
    rows = [row["text"] for row in make_rows(64, seed=3)]
    drifted = {}
    for name, source in (("leaky", make_leaky(tmp_path / "leaky", rows)), ("masked", bert)):
        _serve(worker, source, tmp_path / f"built {name}")
        batched = worker.scores(rows, batch_size=32).logits.argmax(axis=1)
        alone = worker.single(rows, warmup=1)
        assert len(alone.timing.wall_ms) == len(rows)
        assert alone.scores is not None
        drifted[name] = sum(map(output_changed, batched, alone.scores))
    assert drifted["leaky"] >= 5
    assert drifted["masked"] == 0
