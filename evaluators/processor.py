"""A repository's preprocessing of images and sounds (home of AutoImageProcessor and the like)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor, AutoImageProcessor

from evaluators.measurement import CandidateFailed, State
from evaluators.media import file_of, read_audio, read_image
from evaluators.protocols import Arrays
from evaluators.serving import Padding, Serving
from evaluators.spectrogram import with_whole_spectrograms

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
NO_PADDING = Padding(0, 0, "right")
MASK = "attention_mask"
PIXEL_MASK = "pixel_mask"

GIVEN_IMAGES = 2
"""So many of the user's images are compared: large ones take seconds each."""

RATE = 16_000
"""Samples a second, where a feature extractor does not say."""


@dataclass(frozen=True, slots=True)
class ImageInputs:
    """An image processor, served by transformers with Pillow."""

    processor: Any  # of transformers: no type information
    source: Path
    channels: int

    @classmethod
    def load(cls, source: Path, channels: int) -> "ImageInputs":
        """CandidateFailed where the repository has none that runs here."""
        return cls(_loaded(AutoImageProcessor, source, "image processor"), source, channels)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The arrays that it makes."""
        return tuple(self.processor.model_input_names)

    def settings(self) -> dict[str, Any]:
        """Nothing is cut; images have one size."""
        return _plain_settings(self.input_names)

    def batches(self, texts: Sequence[str]) -> list[Arrays]:
        """One noise image, two, and the given ones."""
        draw = np.random.default_rng(0)
        shape = (32, 48) if self.channels == 1 else (32, 48, 3)
        noise = [draw.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)]
        from PIL import Image

        images = [Image.fromarray(each) for each in noise]
        given = [read_image(file_of(text, "image"), channels=self.channels) for text in texts]
        groups = [images, images[:1], [*given, *images]]
        return [self.arrays(group) for group in groups]

    def arrays(self, images: Sequence[Any]) -> Arrays:
        """The model's inputs: pixel_values (n, channels, height, width)."""
        made = self.processor(images=list(images), return_tensors="np")
        return {name: made[name] for name in self.input_names if name in made}

    def axes(self, name: str) -> Mapping[int, str]:
        """The batch; processors bring images to one size."""
        return {0: "batch"}

    def export(self, folder: Path) -> None:
        """Links to the processor's settings."""
        _link(self.source, folder)

    def check_export(self, folder: Path, serving: Serving, texts: Sequence[str]) -> None:
        """Nothing: it is served by the same code."""


@dataclass(frozen=True, slots=True)
class DetectorInputs(ImageInputs):
    """The same for detectors, whose images may keep their shapes.

    `size` is the height and width that all images are brought to; None as the files say.
    """

    size: Mapping[str, int] | None = None

    @classmethod
    def load(
        cls, source: Path, channels: int, size: Mapping[str, int] | None = None
    ) -> "DetectorInputs":
        """CandidateFailed where the repository has none that runs here."""
        return cls(_loaded(AutoImageProcessor, source, "image processor"), source, channels, size)

    @property
    def has_one_shape(self) -> bool:
        """Whether every image is brought to the same height and width."""
        own = self.processor.size
        return self.size is not None or bool(own.get("height") and own.get("width"))

    def batches(self, texts: Sequence[str]) -> list[Arrays]:
        """Two noise images, one of another shape, and some of the given ones, each alone."""
        from PIL import Image

        draw = np.random.default_rng(0)
        colours = () if self.channels == 1 else (3,)
        wide, tall = (
            Image.fromarray(draw.integers(0, 256, (*shape, *colours), dtype=np.uint8))
            for shape in ((32, 48), (48, 32))
        )
        given = [
            read_image(file_of(text, "image"), channels=self.channels)
            for text in texts[:GIVEN_IMAGES]
        ]
        return [self.arrays(group) for group in ([wide, wide], [tall], *([one] for one in given))]

    def arrays(self, images: Sequence[Any]) -> Arrays:
        """The model's inputs of images with one shape, which are not padded."""
        asked = {} if self.size is None else {"size": dict(self.size)}
        made = self.processor(images=list(images), return_tensors="np", **asked)
        return {name: np.asarray(made[name]) for name in self.input_names if name in made}

    def axes(self, name: str) -> Mapping[int, str]:
        """The batch; and height and width, where they differ from image to image."""
        if self.has_one_shape:
            return {0: "batch"}
        first = 1 if name == PIXEL_MASK else 2
        return {0: "batch", first: "height", first + 1: "width"}


@dataclass(frozen=True, slots=True)
class AudioInputs:
    """A feature extractor, served by transformers with numpy."""

    extractor: Any  # of transformers: no type information
    source: Path

    @classmethod
    def load(cls, source: Path) -> "AudioInputs":
        """CandidateFailed where the repository has none that runs here."""
        extractor = _loaded(AutoFeatureExtractor, source, "feature extractor")
        return cls(with_whole_spectrograms(extractor), source)

    @property
    def rate(self) -> int:
        """Samples a second that the model was trained with."""
        return int(getattr(self.extractor, "sampling_rate", RATE))

    @property
    def n_samples(self) -> int | None:
        """The one length, in samples, to which it brings every sound; None where it has none."""
        told = getattr(self.extractor, "n_samples", None)  # Whisper: 30 seconds
        return told if isinstance(told, int) else None

    @property
    def masks_padding(self) -> bool:
        """Whether padding is told to the model; else it may change the scores."""
        return bool(getattr(self.extractor, "return_attention_mask", False))

    @property
    def has_one_length(self) -> bool:
        """Whether every sound becomes an input of one shape, so that a batch pads nothing."""
        draw = np.random.default_rng(0)
        made = [
            self.arrays([draw.normal(0, 0.1, n).astype(np.float32)])
            for n in (self.rate // 4, self.rate // 2)
        ]
        shapes = [{name: array.shape for name, array in arrays.items()} for arrays in made]
        return shapes[0] == shapes[1]

    @property
    def input_names(self) -> tuple[str, ...]:
        """The arrays that it makes."""
        names = [name for name in self.extractor.model_input_names if name != MASK]
        return (*names, MASK) if self.masks_padding else tuple(names)

    def settings(self) -> dict[str, Any]:
        """Nothing is cut by us; an extractor may cut as its settings say."""
        return _plain_settings(self.input_names)

    def batches(self, texts: Sequence[str]) -> list[Arrays]:
        """Half a second of noise and a whole one, alone and together, then the given ones."""
        draw = np.random.default_rng(0)
        half, whole = (
            draw.normal(0, 0.1, n).astype(np.float32) for n in (self.rate // 2, self.rate)
        )
        given = [read_audio(file_of(text, "audio"), rate=self.rate) for text in texts]
        return [self.arrays(group) for group in ([half, whole], [half], [whole], [*given, half])]

    def arrays(self, sounds: Sequence[NDArray[np.float32]]) -> Arrays:
        """The model's inputs, padded to the longest sound unless the extractor pads further."""
        made = self.extractor(
            list(sounds),
            sampling_rate=self.rate,
            padding="max_length" if self.n_samples else True,
            return_tensors="np",
        )
        return {name: np.asarray(made[name]) for name in self.input_names if name in made}

    def axes(self, name: str) -> Mapping[int, str]:
        """Batch and length."""
        return {0: "batch", 1: "length"}

    def export(self, folder: Path) -> None:
        """Links to the extractor's settings."""
        _link(self.source, folder)

    def check_export(self, folder: Path, serving: Serving, texts: Sequence[str]) -> None:
        """Nothing: it is served by the same code."""


def _plain_settings(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "input_names": names, "max_length": 0, "truncation_side": "right", "padding": NO_PADDING,
    }  # fmt: skip


def _loaded(kind: Any, source: Path, what: str) -> Any:
    if not any((source / name).is_file() for name in PROCESSOR_FILES):
        reason = f"the repository has no {PROCESSOR_FILES[0]}: its inputs cannot be made"
        raise CandidateFailed(State.NO_TOKENIZER, reason)
    try:
        return kind.from_pretrained(source, trust_remote_code=False, local_files_only=True)
    except ImportError as error:
        raise CandidateFailed(State.UNSUPPORTED, f"its {what} cannot run here: {error}") from error
    except Exception as error:
        reason = f"its {what} cannot be loaded: {error}"
        raise CandidateFailed(State.NO_TOKENIZER, reason) from error


def _link(source: Path, folder: Path) -> None:
    for name in PROCESSOR_FILES:
        if (source / name).is_file() and not (folder / name).exists():
            (folder / name).symlink_to((source / name).resolve())
