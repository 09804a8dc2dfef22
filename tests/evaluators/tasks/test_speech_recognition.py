"""What is said in a sound: by letters (CTC) and by writing, the same in every batch."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cache.key import canonical_json
from catalog.testing import LoopbackHub
from evaluators.artifact import build_artifact
from evaluators.candidate import Recipe
from evaluators.classifier import load_artifact
from evaluators.media import resampled
from evaluators.tasks.automatic_speech_recognition import SpeechRecognition
from recommender import find
from tests.conftest import nightly
from tests.evaluators.tasks.makers import teach
from tests.evaluators.tasks.writers import word_tokenizer

TASK = SpeechRecognition().settings()
RATE, WHISPERS = 2_000, 16_000
PITCHES = {"A": 220.0, "B": 600.0, "C": 900.0}
LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *PITCHES)
PART = RATE // 10


def spoken(letters: str, draw: random.Random) -> np.ndarray:
    """A tenth of a second a letter, a pause behind each."""
    parts = []
    for letter in letters:
        times = np.arange(PART) / RATE
        parts += [np.sin(2 * np.pi * PITCHES[letter] * times + draw.random()), np.zeros(PART // 2)]
    wave = np.concatenate(parts)
    noise = np.random.default_rng(draw.randrange(10**9)).normal(0, 0.02, wave.size)
    return (0.5 * wave + noise).astype(np.float32)


def write_sounds(folder: Path, n: int, *, seed: int) -> list[tuple[Path, str]]:
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for at in range(n):
        said = "".join(draw.choices(list(PITCHES), k=draw.randint(1, 4)))
        soundfile.write(folder / f"{at}.wav", spoken(said, draw), RATE)
        found.append((folder / f"{at}.wav", said))
    return found


def frames_of(letters: str) -> list[int]:
    """The letter at the middle of each of the model's frames, or none: 40 samples, every 32nd."""
    middles = range(20, len(letters) * PART * 3 // 2 - 20 + 1, 32)
    return [
        LETTERS.index(letters[at // (PART * 3 // 2)]) if at % (PART * 3 // 2) < PART else 0
        for at in middles
    ]


def make_speller(folder: Path, *, steps: int, masks: bool = True) -> Path:
    """A CTC model of three tones; with `masks` it is told where padding is."""
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
    )

    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = Wav2Vec2Config(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
        conv_dim=(16, 24), conv_kernel=(16, 4), conv_stride=(8, 4), num_feat_extract_layers=2,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, mask_time_prob=0.0,
        layerdrop=0.0, vocab_size=len(LETTERS), pad_token_id=0, ctc_loss_reduction="mean",
        feat_extract_norm="layer" if masks else "group", hidden_dropout=0.0,
        attention_dropout=0.0, final_dropout=0.0, feat_proj_dropout=0.0, ctc_zero_infinity=True,
    )  # fmt: skip
    model = Wav2Vec2ForCTC(config)
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE, return_attention_mask=masks)
    draw = random.Random(3)

    def loss() -> Any:
        said = ["".join(draw.choices(list(PITCHES), k=3)) for _ in range(8)]
        waves = [spoken(letters, draw) for letters in said]
        made = extractor(waves, sampling_rate=RATE, return_tensors="pt")
        gold = torch.tensor([frames_of(letters) for letters in said])
        return lambda model: torch.nn.functional.cross_entropy(
            model(**made).logits.flatten(0, 1), gold.flatten()
        )

    teach(model, (loss() for _ in range(steps)), rate=5e-3)
    folder.mkdir(parents=True, exist_ok=True)
    model.eval().save_pretrained(folder)
    extractor.save_pretrained(folder)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({letter: at for at, letter in enumerate(LETTERS)}))
    Wav2Vec2CTCTokenizer(str(vocabulary)).save_pretrained(folder)
    return folder


def make_whisper(folder: Path) -> Path:
    """A tiny Whisper with random weights, which hears two seconds."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    torch.manual_seed(0)
    tokenizer = word_tokenizer(list(PITCHES), begins=False, ends=True)
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32,
        decoder_ffn_dim=32, max_source_positions=100, max_target_positions=24, num_mel_bins=8,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, init_std=1.0,
        suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    WhisperFeatureExtractor(
        feature_size=8, sampling_rate=WHISPERS, hop_length=160, chunk_length=2, n_fft=400
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_speller(tmp_path_factory.mktemp("spellers") / "team" / "hearing", steps=60)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Requests with what is said."""
    written = write_sounds(tmp_path_factory.mktemp("sounds"), 12, seed=4)
    return {canonical_json({"audio": str(file)}): said for file, said in written}


def loaded(source: Path, folder: Path, precision: str = "fp32", **options: Any) -> Any:
    task = replace(TASK, options={**TASK.options, **options})
    recipe = Recipe(f"torch-{precision}", "torch", precision)
    build_artifact(recipe, source, folder, graph=None, task=task, texts=[])
    return load_artifact(folder)


def waves_of(sounds: Mapping[str, str]) -> list[Any]:
    files = [json.loads(request)["audio"] for request in sounds]
    return [soundfile.read(file, dtype="float32")[0] for file in files]


def test_letters_are_those_of_the_pipeline(
    speller: Path, sounds: Mapping[str, str], tmp_path: Path
) -> None:
    """transformers' own pipeline, one sound at a time, hears the same; mostly what was said."""
    from transformers import AutoFeatureExtractor, AutoTokenizer, pipeline

    ask = pipeline(
        "automatic-speech-recognition", str(speller),
        tokenizer=AutoTokenizer.from_pretrained(speller),
        feature_extractor=AutoFeatureExtractor.from_pretrained(speller),
    )  # fmt: skip
    expected = [json.dumps(ask(wave)["text"].strip()) for wave in waves_of(sounds)]
    found = loaded(speller, tmp_path / "artifact").answers(list(sounds))
    assert found == expected
    assert sum(json.loads(a) == b for a, b in zip(found, sounds.values(), strict=True)) > 8


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("masks", [True, False])
def test_a_transcript_does_not_depend_on_its_batch(
    sounds: Mapping[str, str], tmp_path: Path, precision: str, masks: bool
) -> None:
    """Padded frames say nothing; models that are not told of padding hear one sound at a time."""
    source = make_speller(tmp_path / "model", steps=4, masks=masks)
    heard = loaded(source, tmp_path / "artifact", precision)
    together = heard.answers(list(sounds), batch_size=16)
    assert together == [heard.answers([request])[0] for request in sounds]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_whisper_writes_what_plain_calls_of_the_model_give(
    sounds: Mapping[str, str], tmp_path: Path, precision: str
) -> None:
    """Greedily, token by token, one sound at a time; sounds that are too long are counted."""
    source = make_whisper(tmp_path / "model")
    writer = loaded(source, tmp_path / "artifact", precision, max_new_tokens=6)
    found = writer.answers(list(sounds), batch_size=5)
    assert found == [writer.answers([request])[0] for request in sounds]
    if precision == "fp32":
        waves = [resampled(wave, RATE, WHISPERS) for wave in waves_of(sounds)]
        assert found == [json.dumps(by_hand(source, wave, 6)) for wave in waves]
    soundfile.write(tmp_path / "long.wav", np.zeros(3 * RATE, dtype=np.float32), RATE)
    long = canonical_json({"audio": str(tmp_path / "long.wav")})
    assert writer.n_cut([long, *sounds]) == 1


def by_hand(source: Path, wave: Any, n_new: int) -> str:
    import torch
    from transformers import (
        AutoTokenizer,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    model = WhisperForConditionalGeneration.from_pretrained(source).eval()
    extractor = WhisperFeatureExtractor.from_pretrained(source)
    made = extractor(wave, sampling_rate=WHISPERS, return_tensors="pt")
    written = [1]
    for _ in range(n_new):
        with torch.inference_mode():
            out = model(**made, decoder_input_ids=torch.tensor([written]))
        written.append(int(out.logits[0, -1].argmax()))
        if written[-1] == 2:
            break
    tokenizer = AutoTokenizer.from_pretrained(source)
    return str(tokenizer.decode(written, skip_special_tokens=True)).strip()


@nightly
def test_a_search_finds_the_model_that_hears(
    speller: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a loopback Hub, the trained model is chosen and the deaf one is not."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    make_speller(speller.parent / "deaf", steps=0)
    written = write_sounds(tmp_path / "sounds", 90, seed=5)
    lines = [json.dumps({"audio": f"sounds/{file.name}", "text": said}) for file, said in written]
    (tmp_path / "said.jsonl").write_text("\n".join(lines))
    with LoopbackHub(speller.parents[1]) as hub:
        found = find(
            tmp_path / "said.jsonl", "cer <= 0.2", task=TASK.name, home=tmp_path / "home",
            models=["team/hearing", "team/deaf"], sources=[f"hub:{hub.endpoint}"],
        )  # fmt: skip
    assert found.choice is not None, [(o.model, o.state, o.reason) for o in found.candidates]
    assert found.choice.model == "team/hearing"
