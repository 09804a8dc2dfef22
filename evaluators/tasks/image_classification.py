"""One label for each image."""

from pathlib import Path
from typing import Any

from evaluators.protocols import Classifier, Forward
from evaluators.serving import Serving
from evaluators.tasks.base import CHANNELS, LabelledImages


class ImageClassification(LabelledImages):
    """The output with the highest score is the label."""

    name = "image-classification"
    auto_class = "AutoModelForImageClassification"

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Classifier:
        """Pixels in, scores out."""
        from evaluators.answerers.media import MediaClassifier
        from evaluators.media import file_of, read_image
        from evaluators.processor import ImageInputs

        made = ImageInputs.load(folder, serving.options[CHANNELS])

        def read(request: str) -> Any:
            return read_image(file_of(request, "image"), channels=made.channels)

        return MediaClassifier(serving, read, made.arrays, run, dtype, weight_bytes)
