"""Where the objects of an image are, and what they are."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.protocols import Answerer, Forward, Inputs
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tasks.base import CHANNELS, LabelledImages

if TYPE_CHECKING:
    from evaluators.labels import LabelMap
    from evaluators.samples import Samples

LABELS, THRESHOLD, IMAGE_SIZE = "labels", "threshold", "image_size"
LEAST_SCORE = 0.001
SHOWN = 12


class ObjectDetection(LabelledImages):
    """At most 100 boxes an image, in pixels of the image as it is given.

    Options: `threshold`, the score that a box must exceed; `image_size`, the pixels of both sides
    or [height, width] to which images are brought, else as the repository's own files say.
    `labels` holds the data's labels: those that the data lacks are left out of the answers.
    """

    name = "object-detection"
    auto_class = "AutoModelForObjectDetection"
    labelled = False
    outputs = ("logits", "pred_boxes")

    def settings(self) -> Task:
        """4 images a batch; boxes with a score above 0.001."""
        return Task(self.name, max_length=0, batch_size=4, options={THRESHOLD: LEAST_SCORE})

    def fitted(self, task: Task, samples: "Samples") -> Task:
        """The labels that the rows have. BadInput for settings that mean nothing."""
        _check_threshold(task.options.get(THRESHOLD))
        size_asked(task.options)
        return replace(task, options={**task.options, LABELS: sorted(samples.labels)})

    def labels(self, config: Mapping[str, Any], task: Task) -> tuple[str, ...]:
        """The names in id2label; one is enough."""
        from evaluators.repository import labels_of

        names = config.get("id2label")
        return tuple(map(str, names.values())) if names and len(names) == 1 else labels_of(config)

    def label_map(self, outputs: tuple[str, ...], task: Task) -> "LabelMap":
        """Outputs stand for the labels that are spelled as they are, or nearly so.

        CandidateFailed (label mismatch) where no output stands for any label.
        """
        from evaluators.labels import LabelMap

        wanted = [str(label) for label in _listed(task.options.get(LABELS))] or list(outputs)
        names = _named(outputs, wanted)
        reached = {name for name in names if name is not None}
        if not reached:
            raise _mismatch(outputs, wanted)
        return LabelMap(
            names=names,
            how="names",
            unused=tuple(one for one, name in zip(outputs, names, strict=True) if name is None),
            missing=tuple(label for label in wanted if label not in reached),
        )

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's image processor, with the size that is asked."""
        from evaluators.processor import DetectorInputs
        from evaluators.repository import read_config

        channels = self.details(read_config(source))[CHANNELS]
        return DetectorInputs.load(source, channels, size_asked(task.options))

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Pixels in, boxes out."""
        from evaluators.answerers.objects import Detector
        from evaluators.processor import DetectorInputs

        size = size_asked(serving.options)
        inputs = DetectorInputs.load(folder, serving.options[CHANNELS], size)
        task = Task(self.name, options=serving.options)
        names = self.label_map(serving.labels, task).names
        return Detector(serving, inputs, run, dtype, weight_bytes, names)


def size_asked(options: Mapping[str, Any]) -> dict[str, int] | None:
    """The height and width that images are brought to; None where that is not asked."""
    from cache.errors import BadInput

    asked = options.get(IMAGE_SIZE)
    if asked is None:
        return None
    sides = list(asked) if isinstance(asked, list | tuple) else [asked, asked]
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise BadInput(
            f"image_size {asked!r} is neither a number of pixels nor [height, width]; "
            "write for example image_size=640"
        )
    return {"height": sides[0], "width": sides[1]}


def _check_threshold(threshold: Any) -> None:
    from cache.errors import BadInput

    if type(threshold) not in (int, float) or not 0 <= threshold < 1:
        raise BadInput(f"threshold {threshold!r} must lie in [0, 1), for example {LEAST_SCORE}")


def _named(outputs: tuple[str, ...], wanted: list[str]) -> tuple[str | None, ...]:
    """The label of each output: of the very name, else of the only one that differs in case,
    spaces or punctuation."""
    from evaluators.labels import normalised

    n_alike = Counter(map(normalised, wanted))
    alike = {normalised(label): label for label in wanted if n_alike[normalised(label)] == 1}
    exact = set(wanted)
    return tuple(name if name in exact else alike.get(normalised(name)) for name in outputs)


def _mismatch(outputs: tuple[str, ...], wanted: list[str]) -> Exception:
    from evaluators.labelling.label_map import LabelMismatch

    both = (f"{', '.join(map(repr, some[:SHOWN]))}{' and more' * (len(some) > SHOWN)}"
            for some in (outputs, wanted))  # fmt: skip
    theirs, ours = both
    return LabelMismatch(f"the model finds {theirs}, the data has {ours}: no name is the same")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
