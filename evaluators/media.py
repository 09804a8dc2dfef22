"""Images and sounds from files, as the models' own preprocessing wants them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cache.errors import BadInput
from evaluators.reading.contents import parts_of

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS_LIMIT = 100_000_000
"""A larger image is refused: some decode to gigabytes."""

SECONDS_LIMIT = 3_600.0

ORIENTATION = 0x0112
"""Exif's tag for how a camera was held."""


def file_of(request: str, role: str) -> str:
    """The path that a request names: `{"image": PATH}` or `{"audio": PATH}`."""
    return str(parts_of(request).get(role, request))


def read_image(file: str | Path, *, channels: int) -> "Image":
    """The image, upright, in gray (1 channel) or in colours (3). BadInput where it is none."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            if opened.width * opened.height > PIXELS_LIMIT:
                raise BadInput(f"{file} has {opened.width} x {opened.height} pixels; scale it down")
            opened.load()
            if ORIENTATION in opened.getexif():
                ImageOps.exif_transpose(opened, in_place=True)
            return opened.convert("L" if channels == 1 else "RGB")
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{file} cannot be read as an image: {error}; remove or replace it"
        ) from error


def n_pixels(file: str | Path) -> int:
    """How large an image is, from its header alone; 0 where that cannot be read."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            return opened.width * opened.height
    except (OSError, SyntaxError, ValueError):
        return 0


def read_audio(file: str | Path, *, rate: int) -> NDArray[np.float32]:
    """The sound as one channel of samples in [-1, 1], (n,), at `rate` samples a second.

    Channels are averaged; other rates are converted by soxr. BadInput where it is no sound.
    """
    import soundfile

    try:
        with soundfile.SoundFile(file) as opened:
            if opened.frames > SECONDS_LIMIT * opened.samplerate:
                raise BadInput(f"{file} is longer than {SECONDS_LIMIT:g} s; cut it")
            samples = opened.read(dtype="float32", always_2d=True)
            found_rate = opened.samplerate
    except (OSError, RuntimeError) as error:  # soundfile's LibsndfileError is a RuntimeError
        raise BadInput(
            f"{file} cannot be read as a sound: {error}; remove or replace it"
        ) from error
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return resampled(mono, found_rate, rate)


def n_samples(file: str | Path) -> int:
    """How long a sound is, from its header alone; 0 where that cannot be read."""
    import soundfile

    try:
        return int(soundfile.info(file).frames)
    except (OSError, RuntimeError):
        return 0


def resampled(samples: NDArray[Any], found_rate: int, rate: int) -> NDArray[np.float32]:
    """The samples at another rate."""
    if found_rate == rate:
        return samples.astype(np.float32)
    import soxr

    converted: NDArray[np.float32] = soxr.resample(samples, found_rate, rate, quality="HQ")
    return converted.astype(np.float32)
