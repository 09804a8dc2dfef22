"""Sounds by their class, on a small network that was taught high and low tones."""

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from huggingface_hub import constants
from transformers import (
    ASTFeatureExtractor,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    pipeline,
)

from cache.errors import BadInput
from catalog.testing import LoopbackHub
from evaluators.media import read_audio
from evaluators.plugins import task_method
from evaluators.processor import AudioInputs
from evaluators.requests import request_of
from evaluators.samples import read_samples
from evaluators.worker_process import Worker
from recommender import find
from tests.conftest import nightly
from tests.evaluators.tasks.makers import built, teach

TASK = task_method("audio-classification").settings()
PITCHES = {"high": 880.0, "low": 220.0}
RATE = 4_000


def tone(pitch: str, draw: random.Random) -> np.ndarray:
    """A tone of that pitch, between a tenth and a fifth of a second."""
    times = np.arange(draw.randint(RATE // 10, RATE // 5)) / RATE
    noise = np.random.default_rng(draw.randrange(10**9)).normal(0, 0.1, times.size)
    wave = 0.4 * np.sin(2 * np.pi * PITCHES[pitch] * times + draw.random()) + noise
    return wave.astype(np.float32)


def write_tones(folder: Path, n: int, *, seed: int) -> Path:
    """A folder of classes, in several formats."""
    draw = random.Random(seed)
    for at in range(n):
        pitch = draw.choice(list(PITCHES))
        (folder / pitch).mkdir(parents=True, exist_ok=True)
        suffix = draw.choice(("wav", "flac"))
        soundfile.write(folder / pitch / f"{at}.{suffix}", tone(pitch, draw), RATE)
    return folder


def make_ear(folder: Path, *, steps: int) -> Path:
    """A classifier of waves whose padding is not masked; it guesses without steps."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    names = dict(enumerate(PITCHES))
    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(8, 16), conv_kernel=(8, 4), conv_stride=(4, 4), num_feat_extract_layers=2,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, classifier_proj_size=16,
        mask_time_prob=0.0, layerdrop=0.0, vocab_size=8,
        id2label=names, label2id={label: at for at, label in names.items()},
    )  # fmt: skip
    model = Wav2Vec2ForSequenceClassification(config)
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE)
    draw = random.Random(3)

    def loss() -> Any:
        pitches = [draw.choice(list(PITCHES)) for _ in range(16)]
        waves = [tone(pitch, draw)[: RATE // 10] for pitch in pitches]
        made = extractor(waves, sampling_rate=RATE, return_tensors="pt")["input_values"]
        wanted = torch.tensor([list(PITCHES).index(pitch) for pitch in pitches])
        return lambda model: model(input_values=made, labels=wanted).loss

    teach(model, (loss() for _ in range(steps)), rate=5e-3)
    if not steps:
        torch.nn.init.zeros_(model.classifier.weight)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def ear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ear(tmp_path_factory.mktemp("models") / "ear", steps=40)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("tones"), 120, seed=1)


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_scores_are_those_of_the_pipeline(
    recipe: str, ear: Path, tones: Path, worker: Worker, tmp_path: Path
) -> None:
    """Sounds of different lengths in one request: no padding may change them."""
    samples = read_samples(tones, shape=None)
    assert samples.task == TASK.name
    rows = samples.rows[:12]
    requests = [request_of(row) for row in rows]
    worker.load(built(worker, ear, tmp_path, recipe, TASK, requests[:2]))
    scores = worker.scores(requests).logits
    ask = pipeline("audio-classification", str(ear))
    for row, line in zip(rows, scores, strict=True):
        wave = soundfile.read(str(row.file), dtype="float32")[0]
        told = {one["label"]: one["score"] for one in ask(wave, top_k=2)}
        expected = np.log([told[pitch] for pitch in PITCHES])
        np.testing.assert_allclose(line - np.logaddexp(*line), expected, atol=2e-3)


def test_sounds_that_become_one_length_are_heard_together(ear: Path, tmp_path: Path) -> None:
    """A spectrogram of a fixed length is the same in any company; a wave is padded by it."""
    ASTFeatureExtractor(num_mel_bins=16, max_length=32).save_pretrained(tmp_path)
    assert AudioInputs.load(tmp_path).has_one_length
    assert not AudioInputs.load(ear).has_one_length


@nightly
def test_the_better_ear_is_found_on_a_hub(
    ear: Path, tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of classes is all that is given."""
    shutil.copytree(ear, tmp_path / "hosted" / "team" / "ear")
    make_ear(tmp_path / "hosted" / "team" / "deaf", steps=0)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with LoopbackHub(tmp_path / "hosted") as hub:
        found = find(
            tones, "accuracy >= 0.8", sources=[f"hub:{hub.endpoint}"], backends=["torch"],
            home=tmp_path / "home",
        )  # fmt: skip
    assert found.choice is not None
    assert found.choice.model == "team/ear"


def test_other_rates_and_channels_are_converted(tmp_path: Path) -> None:
    """A tone keeps its pitch; two channels become their mean."""
    wave = tone("low", random.Random(5))
    soundfile.write(tmp_path / "two.wav", np.stack([wave, np.zeros_like(wave)], axis=1), RATE)
    found = read_audio(tmp_path / "two.wav", rate=2 * RATE)
    assert found.size == pytest.approx(2 * wave.size, abs=2)
    strongest = np.abs(np.fft.rfft(found)).argmax() * 2 * RATE / found.size
    assert strongest == pytest.approx(PITCHES["low"], rel=0.1)
    assert np.abs(found).max() == pytest.approx(np.abs(wave).max() / 2, rel=0.3)


def test_a_damaged_sound_is_named(tmp_path: Path) -> None:
    """One line, with what to do."""
    (tmp_path / "cut.wav").write_bytes(b"RIFF1234")
    with pytest.raises(BadInput, match=r"cut\.wav cannot be read as a sound.*remove or replace"):
        read_audio(tmp_path / "cut.wav", rate=RATE)
