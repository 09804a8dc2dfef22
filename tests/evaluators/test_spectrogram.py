"""Our spectrograms are those of transformers, to the last bit."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from transformers import (
    ASTFeatureExtractor,
    ClapFeatureExtractor,
    SeamlessM4TFeatureExtractor,
    Speech2TextFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    audio_utils,
)

from evaluators import spectrogram as ours
from evaluators.spectrogram import spectrogram, with_whole_spectrograms

KALDI = {"frame_length": 400, "hop_length": 160, "fft_length": 512, "power": 2.0, "center": False,
         "preemphasis": 0.97, "remove_dc_offset": True}  # fmt: skip
WIDE = {"frame_length": 256, "hop_length": 100}
MEL = {"log_mel": "log", "mel_floor": 1.2e-07}


def sounds() -> list[Any]:
    draw = np.random.default_rng(0)
    waves = [draw.normal(0, 0.1, n).astype(np.float32) for n in (400, 401, 560, 4_321, 16_000)]
    return [*waves, np.zeros(1_000, dtype=np.float32), waves[-1].astype(np.float64)]


def filters(settings: dict[str, Any]) -> Any:
    size = settings.get("fft_length", settings["frame_length"])
    return audio_utils.mel_filter_bank(
        num_frequency_bins=size // 2 + 1, num_mel_filters=20, min_frequency=20,
        max_frequency=8_000, sampling_rate=16_000, mel_scale="kaldi",
    )  # fmt: skip


@pytest.mark.parametrize("settings", [
    {**KALDI, **MEL}, {**KALDI, "log_mel": "log10"}, {**WIDE, **MEL}, {**WIDE, "power": 3.0},
    {**WIDE, "center": False}, {**WIDE, "pad_mode": "edge", "preemphasis": 0.5},
    {**WIDE, "log_mel": "log", "dtype": np.float64},
])  # fmt: skip
def test_all_frames_at_once_give_the_same_bits(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the frames come in several parts."""
    monkeypatch.setattr(ours, "N_FRAMES", 7)
    window = audio_utils.window_function(settings["frame_length"], "hann", periodic=False)
    asked = {**settings, "mel_filters": filters(settings)}
    for wave in sounds():
        assert not ours._is_rare(ours_of(wave, window, asked))
        found = spectrogram(wave, window, **asked)
        expected = audio_utils.spectrogram(wave, window, **asked)
        np.testing.assert_array_equal(found, expected, strict=True)


def ours_of(wave: Any, window: Any, asked: dict[str, Any]) -> dict[str, Any]:
    bound = ours.SIGNATURE.bind(wave, window, **asked)
    bound.apply_defaults()
    return bound.arguments


@pytest.mark.parametrize("settings", [
    {"power": None, "mel_filters": None}, {"power": 2.0, "log_mel": "dB"}, {"mel_filters": None},
    {"onesided": False, "mel_filters": None},
])  # fmt: skip
def test_what_is_rare_is_left_to_transformers(settings: dict[str, Any]) -> None:
    """Decibels, other outputs than bands, both halves."""
    window, wave = audio_utils.window_function(256, "hann"), sounds()[3]
    asked = {**WIDE, "mel_filters": filters(WIDE), **settings}
    expected = audio_utils.spectrogram(wave, window, **asked)
    np.testing.assert_array_equal(spectrogram(wave, window, **asked), expected, strict=True)


@pytest.mark.parametrize(("settings", "reason"), [
    ({"hop_length": 0}, "hop_length"), ({"frame_length": 300}, "frame_length"),
    ({"fft_length": 100}, "fft_length"), ({"power": None}, "mel_filters"),
    ({"log_mel": "loud"}, "loud"),
])  # fmt: skip
def test_what_is_wrong_is_told_by_transformers(settings: dict[str, Any], reason: str) -> None:
    """In its own words."""
    window = audio_utils.window_function(256, "hann")
    asked = {**WIDE, "mel_filters": filters(WIDE), **settings}
    with pytest.raises(ValueError, match=reason) as told:
        audio_utils.spectrogram(sounds()[3], window, **asked)
    with pytest.raises(ValueError, match=reason) as found:
        spectrogram(sounds()[3], window, **asked)
    assert str(found.value) == str(told.value)


@pytest.mark.parametrize("kind", [
    partial(ASTFeatureExtractor, num_mel_bins=64), SeamlessM4TFeatureExtractor,
    partial(Speech2TextFeatureExtractor, num_mel_bins=40, feature_size=40), ClapFeatureExtractor,
])  # fmt: skip
def test_extractors_make_the_same_features(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By our function, which no other extractor of the class gets."""
    plain, whole = kind(), with_whole_spectrograms(kind())
    clap = isinstance(plain, ClapFeatureExtractor)
    asked: list[int] = []
    monkeypatch.setattr(ours, "_transformed", counted(asked, ours._transformed))
    waves = [wave for wave in sounds() if wave.size > 1_000 and wave.dtype == np.float32]
    given = {"sampling_rate": plain.sampling_rate, "return_tensors": "np"}
    given |= {} if clap else {"padding": True}
    monkeypatch.setattr(np.random, "randint", lambda *_: 0)  # CLAP calls one sound longer
    expected = plain(waves, **given)
    assert not asked
    found = whole(waves, **given)
    assert bool(asked) != clap  # decibels are left to transformers
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name], strict=True)
    assert isinstance(whole, type(plain))
    assert repr(whole) == repr(plain)


def counted(asked: list[int], function: Any) -> Any:
    def run(given: Any) -> Any:
        asked.append(given["waveform"].size)
        return function(given)

    return run


def test_extractors_of_waves_stay_as_they_are() -> None:
    """They make no spectrograms."""
    assert type(with_whole_spectrograms(Wav2Vec2FeatureExtractor())) is Wav2Vec2FeatureExtractor
