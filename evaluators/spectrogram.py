"""Spectrograms in a few steps: what transformers makes frame by frame, to the last bit."""

from collections.abc import Mapping
from inspect import getattr_static, signature
from types import FunctionType
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from transformers import audio_utils

NAME = "spectrogram"
SIGNATURE = signature(audio_utils.spectrogram)
N_FRAMES = 4_096
"""So many frames are in memory at once: 16 MiB, where a transform has 512 samples."""

LOGARITHMS = {"log": np.log, "log10": np.log10}


def with_whole_spectrograms(extractor: Any) -> Any:
    """A feature extractor of transformers that makes its spectrograms by `spectrogram` below.

    Only this object is changed: its class becomes one of the same name whose methods find our
    function where they look for transformers'. Extractors that do not use it stay as they are.
    """
    kind = type(extractor)
    methods = ((name, getattr_static(kind, name)) for name in dir(kind))
    own = {name: _rebound(method) for name, method in methods if _asks_for_it(method)}
    if own:
        extractor.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__, **own})
    return extractor


def spectrogram(*args: Any, **named: Any) -> NDArray[Any]:
    """As transformers' function of that name, which also does what is asked of it rarely."""
    bound = SIGNATURE.bind(*args, **named)
    bound.apply_defaults()
    asked = bound.arguments
    if _is_rare(asked):
        rare: NDArray[Any] = audio_utils.spectrogram(*args, **named)
        return rare
    energies = np.abs(_transformed(asked), dtype=np.float64) ** asked["power"]
    bands = np.maximum(asked["mel_floor"], np.dot(asked["mel_filters"].T, energies.T))
    if asked["log_mel"] is None:
        return np.asarray(bands)
    return np.asarray(LOGARITHMS[asked["log_mel"]](bands), asked["dtype"])


def _asks_for_it(method: Any) -> bool:
    return (
        isinstance(method, FunctionType)
        and NAME in method.__code__.co_names
        and method.__globals__.get(NAME) is audio_utils.spectrogram
    )


def _rebound(method: FunctionType) -> FunctionType:
    """The same code, for which `spectrogram` is ours."""
    known = {**method.__globals__, NAME: spectrogram}
    made = FunctionType(
        method.__code__, known, method.__name__, method.__defaults__, method.__closure__
    )
    made.__kwdefaults__ = method.__kwdefaults__
    return made


def _is_rare(asked: Mapping[str, Any]) -> bool:
    """Whether it is anything but bands of frequencies of a sound, or an error."""
    frame, size = asked["frame_length"], asked["fft_length"] or asked["frame_length"]
    return (
        not asked["onesided"]
        or asked["dither"] != 0
        or asked["power"] is None
        or asked["mel_filters"] is None
        or asked["log_mel"] not in (None, *LOGARITHMS)
        or asked["waveform"].ndim != 1
        or asked["waveform"].dtype.kind == "c"
        or asked["waveform"].size < frame
        or not len(asked["window"]) == frame <= size
        or asked["hop_length"] <= 0
    )


def _transformed(asked: Mapping[str, Any]) -> NDArray[np.complex64]:
    """The Fourier transform of each frame, (frames, frequencies)."""
    waveform, frame = asked["waveform"], asked["frame_length"]
    if asked["center"]:
        waveform = np.pad(waveform, frame // 2, mode=asked["pad_mode"])
    parts = sliding_window_view(waveform.astype(np.float64), frame)[:: asked["hop_length"]]
    size = asked["fft_length"] or frame
    found = np.empty((len(parts), size // 2 + 1), dtype=np.complex64)
    for start in range(0, len(parts), N_FRAMES):
        some = parts[start : start + N_FRAMES]
        found[start : start + N_FRAMES] = np.fft.rfft(_shaped(some, size, asked))
    return found


def _shaped(parts: NDArray[np.float64], size: int, asked: Mapping[str, Any]) -> NDArray[np.float64]:
    """Frames as they are transformed, with zeros behind them: (n, frame) -> (n, size)."""
    whole = np.zeros((len(parts), size))
    frames = whole[:, : parts.shape[1]]
    frames[:] = parts
    if asked["remove_dc_offset"]:
        frames -= frames.mean(axis=1, keepdims=True)
    if asked["preemphasis"] is not None:
        frames[:, 1:] -= asked["preemphasis"] * frames[:, :-1]
        frames[:, 0] *= 1 - asked["preemphasis"]
    frames *= asked["window"].astype(np.float64)
    return whole
