"""One label for each sound."""

from pathlib import Path
from typing import Any

from evaluators.protocols import Classifier, Forward
from evaluators.serving import Serving
from evaluators.tasks.base import LabelledSounds


class AudioClassification(LabelledSounds):
    """The output with the highest score is the label."""

    name = "audio-classification"
    auto_class = "AutoModelForAudioClassification"

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Classifier:
        """Waves in, scores out."""
        from evaluators.answerers.media import MediaClassifier
        from evaluators.media import file_of, n_samples, read_audio
        from evaluators.processor import AudioInputs

        made = AudioInputs.load(folder)

        def read(request: str) -> Any:
            return read_audio(file_of(request, "audio"), rate=made.rate)

        def length(request: str) -> int:
            return 0 if is_same else n_samples(file_of(request, "audio"))

        is_same = made.has_one_length  # then batches are of any sounds, and headers are not read
        return MediaClassifier(
            serving, read, made.arrays, run, dtype, weight_bytes,
            length=length, together=made.masks_padding or is_same,
        )  # fmt: skip
