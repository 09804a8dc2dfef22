"""Detection at work: images in, boxes with labels and scores out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.answerers.windows import check_finite
from evaluators.classifier import batch_plan, check_shape
from evaluators.media import file_of, n_pixels, read_image
from evaluators.processor import DetectorInputs
from evaluators.protocols import Arrays, Forward
from evaluators.serving import Serving

Floats = NDArray[np.float64]

MOST_BOXES = 100
DIGITS = 3
"""Of a box's corners, in pixels."""


@dataclass(frozen=True, slots=True)
class Detector:
    """`names` are the data's labels by output, None where the data has none for it.

    Images of one shape are answered together and never padded, so that no image changes the
    answers to another.
    """

    serving: Serving
    inputs: DetectorInputs
    forward: Forward
    dtype: str
    weight_bytes: int
    names: tuple[str | None, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's own names, by output."""
        return self.serving.labels

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """For each request a JSON list of boxes, the best first."""
        found = [""] * len(texts)
        lengths = [n_pixels(file_of(text, "image")) for text in texts]
        for rows in batch_plan(lengths, batch_size or self.serving.batch_size):
            images = [
                read_image(file_of(texts[row], "image"), channels=self.inputs.channels)
                for row in rows
            ]
            for places, arrays in self._together(images):
                logits, boxes = self.forward(arrays)
                self._check(logits, boxes, len(places))
                for at, place in enumerate(places):
                    objects = self._objects(logits[at], boxes[at], images[place].size)
                    found[rows[place]] = _json(objects)
        return found

    def n_cut(self, texts: Sequence[str]) -> int:
        """None: nothing is cut."""
        return 0

    def _together(self, images: Sequence[Any]) -> Iterator[tuple[list[int], Arrays]]:
        """Images that have one shape when they are processed, by their places."""
        if self.inputs.has_one_shape:
            yield list(range(len(images))), self.inputs.arrays(images)
            return
        made = [self.inputs.arrays([image]) for image in images]
        shapes: dict[tuple[int, ...], list[int]] = {}
        for place, arrays in enumerate(made):
            shapes.setdefault(arrays["pixel_values"].shape, []).append(place)
        for places in shapes.values():
            together = [made[place] for place in places]
            names = together[0].keys()
            yield places, {name: np.concatenate([one[name] for one in together]) for name in names}

    def _check(self, logits: NDArray[Any], boxes: NDArray[Any], n: int) -> None:
        """CandidateFailed where the outputs are no guesses with a box each."""
        n_outputs = len(self.labels) + int(logits.shape[-1] != len(self.labels))
        check_shape(logits.shape, (n, logits.shape[1], n_outputs))
        check_shape(boxes.shape, (n, logits.shape[1], 4))
        check_finite(logits)
        check_finite(boxes)

    def _objects(
        self, logits: NDArray[Any], boxes: NDArray[Any], size: tuple[int, int]
    ) -> list[dict[str, Any]]:
        """The best objects of one image: logits (guesses, outputs), boxes (guesses, 4)."""
        guesses, outputs, scores = scored(logits, len(self.labels))
        known = np.array([name is not None for name in self.names])
        threshold = float(self.serving.options["threshold"])
        kept = np.flatnonzero((scores > threshold) & known[outputs])
        best = kept[np.argsort(-scores[kept], kind="stable")][:MOST_BOXES]
        columns = (corners_of(boxes, size)[guesses[best]], outputs[best], scores[best])
        return [
            {
                "box": [round(side, DIGITS) for side in corners],
                "label": self.names[output],
                "score": float(f"{score:.7g}"),
            }
            for corners, output, score in zip(*(each.tolist() for each in columns), strict=True)
        ]


def scored(
    logits: NDArray[Any], n_labels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Guess, output and score of each candidate for an object, (m,) each.

    Where the head has an output more than there are labels, that means no object, and each guess
    has the label of its largest softmax (DETR, YOLOS); else every label of every guess has a
    sigmoid of its own (Deformable DETR, RT-DETR).
    """
    exact = logits.astype(np.float64)
    n_guesses = len(exact)
    if exact.shape[1] == n_labels + 1:
        powers = np.exp(exact - exact.max(axis=1, keepdims=True))
        shares = (powers / powers.sum(axis=1, keepdims=True))[:, :-1]
        return np.arange(n_guesses), shares.argmax(axis=1), shares.max(axis=1)
    every = np.arange(n_guesses * n_labels)
    return every // n_labels, every % n_labels, (0.5 * (1 + np.tanh(exact / 2))).ravel()


def corners_of(boxes: NDArray[Any], size: tuple[int, int]) -> Floats:
    """Centres with widths and heights, as shares of an image, to [x0, y0, x1, y1] in pixels.

    boxes: (n, 4), returns (n, 4); size is (width, height).
    """
    centres, extents = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64)
    shares = np.concatenate([centres - extents / 2, centres + extents / 2], axis=1)
    return np.asarray(shares * np.array([*size, *size]))


def _json(objects: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(objects, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
