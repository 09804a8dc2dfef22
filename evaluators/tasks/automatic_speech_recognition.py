"""What is said in a sound, as text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluators.protocols import Answerer, Inputs, Modality
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tasks.base import MAX_NEW_TOKENS, NUM_BEAMS, WrittenText


class SpeechRecognition(WrittenText):
    """By models that name a letter for each moment (CTC), or that write what they have heard.

    The option `language`, as `en`, is for models of several languages; without it Whisper finds
    out by itself.
    """

    name = "automatic-speech-recognition"
    modality: Modality = "audio"

    def class_for(self, config: Mapping[str, Any]) -> str:
        """Two kinds of models share the task."""
        return "AutoModelForSpeechSeq2Seq" if _writes(config) else "AutoModelForCTC"

    def settings(self) -> Task:
        """8 sounds a batch; at most 224 tokens, as many as Whisper's authors let it write."""
        options = {MAX_NEW_TOKENS: 224, NUM_BEAMS: 1}
        return Task(self.name, max_length=0, batch_size=8, options=options)

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's feature extractor and tokenizer."""
        from evaluators.answerers.speech import SpeechInputs

        return SpeechInputs.load(source)

    def serve(
        self, folder: Path, serving: Serving, run: Any, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Sounds in, texts out."""
        from evaluators.answerers.speech import Speller, Transcriber
        from evaluators.repository import read_config

        kind = Transcriber if _writes(read_config(folder)) else Speller
        return kind.load(folder, serving, run, dtype, weight_bytes)


def _writes(config: Mapping[str, Any]) -> bool:
    """Whether the model writes token by token."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES

    return config.get("model_type") in MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES
