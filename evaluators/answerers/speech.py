"""Speech recognition at work: sounds in, transcripts out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluators.generation import (
    ServedTokenizer,
    checked_tokenizer,
    decoding_of,
    link_files,
    plan_batches,
)
from evaluators.media import file_of, n_samples, read_audio
from evaluators.processor import AudioInputs
from evaluators.protocols import Arrays
from evaluators.serving import Serving
from evaluators.torch_model import accepted_inputs


@dataclass(frozen=True, slots=True)
class SpeechInputs:
    """A repository's feature extractor and tokenizer, both served by transformers.

    `lengths` are those of the sounds that were planned and read last, in samples.
    """

    sounds: AudioInputs
    tokenizer: Any  # of transformers: no type information
    source: Path
    lengths: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(cls, source: Path) -> "SpeechInputs":
        """CandidateFailed where one of them cannot be had."""
        return cls(AudioInputs.load(source), checked_tokenizer(source), source)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The arrays that the extractor makes."""
        return self.sounds.input_names

    def settings(self) -> dict[str, Any]:
        """The fields of `Serving` that it decides."""
        return self.sounds.settings()

    def batches(self, texts: Sequence[str]) -> list[Arrays]:
        """None: CandidateFailed, these models run in torch alone."""
        return ServedTokenizer(self.tokenizer, self.source, 0).batches(texts)

    def axes(self, name: str) -> Mapping[int, str]:
        """Batch and length."""
        return self.sounds.axes(name)

    def export(self, folder: Path) -> None:
        """Links to the files of both, and to the settings of generation."""
        link_files(self.source, folder)

    def check_export(self, folder: Path, serving: Serving, texts: Sequence[str]) -> None:
        """Nothing: it is served by the same code."""

    def read(self, request: str) -> Any:
        """A request's sound at the rate that the model was trained with."""
        sound = read_audio(file_of(request, "audio"), rate=self.sounds.rate)
        self.lengths[request] = len(sound)
        return sound

    def n_cut(self, requests: Sequence[str]) -> int:
        """How many sounds are longer than the extractor reads."""
        limit = self.sounds.n_samples
        if limit is None:
            return 0
        for request in requests:
            if request not in self.lengths:
                self.read(request)
        return sum(self.lengths[request] > limit for request in requests)

    def batch_plan(
        self, requests: Sequence[str], size: int, *, dtype: str, together: bool
    ) -> list[list[int]]:
        """Row numbers in batches of sounds of similar length; what was read before is forgotten."""
        self.lengths.clear()
        lengths = [n_samples(file_of(request, "audio")) for request in requests]
        return list(plan_batches(lengths, size if together else 1, dtype=dtype))

    def tensors(self, sounds: Sequence[Any], model: Any) -> dict[str, torch.Tensor]:
        """What the model takes of the extractor's arrays, in the type of its weights."""
        arrays = self.sounds.arrays(sounds)
        names = accepted_inputs(model, tuple(arrays))
        made = {name: torch.from_numpy(np.asarray(arrays[name])) for name in names}
        return {
            name: each.to(model.dtype) if each.is_floating_point() else each
            for name, each in made.items()
        }


@dataclass(frozen=True, slots=True)
class Speller:
    """CTC: the likeliest letter of each moment; repeats and blanks go (Graves et al. 2006)."""

    serving: Serving
    inputs: SpeechInputs
    model: Any
    dtype: str
    weight_bytes: int

    @classmethod
    def load(
        cls, folder: Path, serving: Serving, model: Any, dtype: str, weight_bytes: int
    ) -> "Speller":
        """The transcriber of an artifact."""
        return cls(serving, SpeechInputs.load(folder), model, dtype, weight_bytes)

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """Transcripts as JSON strings."""
        found = [""] * len(texts)
        size = batch_size or self.serving.batch_size
        frames = getattr(self.model, "_get_feat_extract_output_lengths", None)
        of_waves = "input_values" in self.inputs.input_names and frames is not None
        together = self.inputs.sounds.masks_padding and of_waves
        for rows in self.inputs.batch_plan(texts, size, dtype=self.dtype, together=together):
            sounds = [self.inputs.read(texts[row]) for row in rows]
            with torch.inference_mode():
                logits = self.model(**self.inputs.tensors(sounds, self.model)).logits
            for row, sound, letters in zip(rows, sounds, logits.argmax(-1), strict=True):
                heard = letters[: int(frames(len(sound)))] if together and frames else letters
                text = str(self.inputs.tokenizer.decode(heard.tolist()))
                found[row] = json.dumps(text.strip(), ensure_ascii=False)
        return found

    def n_cut(self, texts: Sequence[str]) -> int:
        """None: nothing is cut, unless the extractor does."""
        return self.inputs.n_cut(texts)


@dataclass(frozen=True, slots=True)
class Transcriber:
    """Models that write what they have heard; `decoding` is transformers' GenerationConfig."""

    serving: Serving
    inputs: SpeechInputs
    model: Any
    decoding: Any
    dtype: str
    weight_bytes: int

    @classmethod
    def load(
        cls, folder: Path, serving: Serving, model: Any, dtype: str, weight_bytes: int
    ) -> "Transcriber":
        """The transcriber of an artifact."""
        inputs = SpeechInputs.load(folder)
        decoding = decoding_of(folder, model, serving, inputs.tokenizer)
        return cls(serving, inputs, model, decoding, dtype, weight_bytes)

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """Transcripts as JSON strings."""
        found = [""] * len(texts)
        size = batch_size or self.serving.batch_size
        fixed = self.inputs.sounds.n_samples is not None
        together = fixed or self.inputs.sounds.masks_padding
        for rows in self.inputs.batch_plan(texts, size, dtype=self.dtype, together=together):
            sounds = [self.inputs.read(texts[row]) for row in rows]
            made = self.inputs.tensors(sounds, self.model)
            with torch.inference_mode():
                written = self.model.generate(
                    **made, generation_config=self.decoding, **self._language
                )
            for row, line in zip(rows, written.tolist(), strict=True):
                text = str(self.inputs.tokenizer.decode(line, skip_special_tokens=True))
                found[row] = json.dumps(text.strip(), ensure_ascii=False)
        return found

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many sounds are longer than the model hears, as Whisper 30 seconds."""
        return self.inputs.n_cut(texts)

    @property
    def _language(self) -> dict[str, Any]:
        """What models of several languages are told: write what is said, in its own language."""
        if not getattr(self.decoding, "is_multilingual", False):
            return {}
        told = {"language": self.serving.options.get("language"), "task": "transcribe"}
        return {name: value for name, value in told.items() if value is not None}
