"""What tasks of one modality have in common; a task says what is different."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.protocols import Answerer, Inputs, Modality
from evaluators.serving import Serving
from evaluators.task import Task

if TYPE_CHECKING:
    from evaluators.labels import LabelMap
    from evaluators.samples import Samples

CHANNELS = "channels"
MAX_NEW_TOKENS, NUM_BEAMS = "max_new_tokens", "num_beams"


class TextTask:
    """Texts in, by the repository's own tokenizer; one call of a graph a batch; answers are JSON.

    The attributes are those of `evaluators.protocols.TaskMethod`; `auto_class` is the class of
    transformers that makes all of the task's models.
    """

    name: str
    auto_class: str
    modality: Modality = "text"
    labelled = False
    generates = False
    outputs: tuple[str, ...] = ("logits",)
    spare_weights: tuple[str, ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """The Hub's pipeline tags whose models can serve it: its own."""
        return (self.name,)

    def class_for(self, config: Mapping[str, Any]) -> str:
        """The same for every model."""
        return self.auto_class

    def settings(self) -> Task:
        """At most 512 tokens, 32 rows a batch."""
        return Task(self.name)

    def fitted(self, task: Task, samples: "Samples") -> Task:
        """The settings for these rows: nothing depends on them unless a task says so."""
        return task

    def labels(self, config: Mapping[str, Any], task: Task) -> tuple[str, ...]:
        """None: the answers are no labels."""
        return ()

    def details(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def known_labels(self, outputs: tuple[str, ...], task: Task) -> tuple[str, ...]:
        """None: they are not aligned with labels."""
        return ()

    def label_map(self, outputs: tuple[str, ...], task: Task) -> "LabelMap | None":
        """None: the answers hold no labels that outputs stand for."""
        return None

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's tokenizer."""
        from evaluators.tokenizer_export import RepositoryTokenizer

        return RepositoryTokenizer.load(source, task)


class WrittenText(TextTask):
    """Texts in, texts out that the model writes, token by token, in torch.

    Options: `max_new_tokens`; `num_beams`, 1 for greedy decoding. The length penalties and the
    like in a repository's generation_config.json hold; its sampling and its beams do not.
    """

    generates = True
    outputs: tuple[str, ...] = ()

    def settings(self) -> Task:
        """At most 1,024 tokens read and 128 written, greedily, 8 rows a batch."""
        options = {MAX_NEW_TOKENS: 128, NUM_BEAMS: 1}
        return Task(self.name, max_length=1024, batch_size=8, options=options)


class RewrittenText(WrittenText):
    """Texts in, other texts out, by models with an encoder and a decoder."""

    auto_class = "AutoModelForSeq2SeqLM"

    def serve(
        self, folder: Path, serving: Serving, run: Any, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Texts in, what the model writes out."""
        from evaluators.answerers.rewriting import Rewriter

        return Rewriter.load(folder, serving, run, dtype, weight_bytes)


class LabelledText(TextTask):
    """Texts in, one score for each class of the model's head out."""

    labelled = True

    def labels(self, config: Mapping[str, Any], task: Task) -> tuple[str, ...]:
        """The names in id2label."""
        from evaluators.repository import labels_of

        return labels_of(config)

    def known_labels(self, outputs: tuple[str, ...], task: Task) -> tuple[str, ...]:
        """The names of the outputs, from those that metadata tells."""
        return outputs


class LabelledImages(LabelledText):
    """Images in, by the repository's own image processor."""

    modality = "image"

    def settings(self) -> Task:
        """32 images a batch."""
        return Task(self.name, max_length=0)

    def details(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """How many channels its images have: 1 or 3."""
        told = config.get("num_channels")
        return {CHANNELS: told if told in (1, 3) else 3}

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's image processor."""
        from evaluators.processor import ImageInputs
        from evaluators.repository import read_config

        return ImageInputs.load(source, self.details(read_config(source))[CHANNELS])


class LabelledSounds(LabelledText):
    """Sounds in, by the repository's own feature extractor."""

    modality = "audio"

    def settings(self) -> Task:
        """8 sounds a batch."""
        return Task(self.name, max_length=0, batch_size=8)

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's feature extractor."""
        from evaluators.processor import AudioInputs

        return AudioInputs.load(source)
