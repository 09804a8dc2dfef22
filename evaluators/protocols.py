"""The seams: what a task, a recipe and a backend must offer. A plug-in need not import these."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from catalog.model import Model
from evaluators.candidate import Recipe
from evaluators.serving import Serving
from evaluators.task import Task

if TYPE_CHECKING:
    from evaluators.labels import LabelMap
    from evaluators.samples import Samples

Modality = Literal["text", "image", "audio"]

Arrays = Mapping[str, Any]
"""The model's inputs by name, one numpy array each; numpy stays out of this module."""

Forward = Callable[[Arrays], tuple[Any, ...]]
"""From the model's inputs to those of its outputs that the task names, float32 arrays."""


class Classifier(Protocol):
    """A loaded candidate: requests in, one row of class scores a request out.

    A request is a row's content (docs/data.md): a text, or JSON.
    """

    @property
    def labels(self) -> Sequence[str]:
        """The class names, by output id."""
        ...

    @property
    def dtype(self) -> str:
        """The type that the weights really have in memory, as `float32`."""
        ...

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights in memory."""
        ...

    # An array each time; numpy stays out of this module.
    def scores(self, texts: Sequence[str], *, batch_size: int | None = None) -> Any:
        """Logits, float32, shape (len(texts), len(labels))."""
        ...

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the candidate may read."""
        ...


class Answerer(Protocol):
    """A loaded candidate whose answers are no labels: requests in, one JSON text a request out."""

    @property
    def dtype(self) -> str:
        """The type that the weights really have in memory, as `float32`."""
        ...

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights in memory."""
        ...

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """One answer a request, in the form that the task's truths have."""
        ...

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the requests are longer than the candidate may read."""
        ...


class Preparing(Protocol):
    """A candidate with long work before its first answer, such as embedding a corpus.

    Whoever does not let it prepare waits for all of it at the first answer.
    """

    def prepare(self, seconds: float) -> bool:
        """Work for about so long; whether it is ready."""
        ...


class Inputs(Protocol):
    """How a repository's own preprocessing turns requests into the model's inputs."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """The arrays that it makes."""
        ...

    def settings(self) -> dict[str, Any]:
        """The fields of `Serving` that it decides: input_names, max_length, padding, ...

        `options`, where it has any, are added to the task's.
        """
        ...

    def batches(self, texts: Sequence[str]) -> list[Arrays]:
        """Inputs of several shapes, made of these requests and of built-in ones; the first is
        traced for a graph, the others are compared."""
        ...

    def axes(self, name: str) -> Mapping[int, str]:
        """The dimensions of an input that differ from batch to batch."""
        ...

    def export(self, folder: Path) -> None:
        """Write into an artifact all that serving needs of it."""
        ...

    def check_export(self, folder: Path, serving: Serving, texts: Sequence[str]) -> None:
        """CandidateFailed where what was written reads the requests in another way."""
        ...


class TaskMethod(Protocol):
    """One task of the Hub: how its models are loaded, what they are fed and what they answer.

    `labelled` tasks answer with the data's labels, so that a model's outputs are aligned with
    them; others answer with JSON. Models of tasks that `generate` run in torch alone, any number
    of steps a request; those of others are one call of a graph, whose `outputs` are named.
    `spare_weights` are prefixes of weights on which the outputs do not depend, which may lack.
    Importing a task's module loads no heavy library.
    """

    name: str
    modality: Modality
    labelled: bool
    generates: bool
    outputs: tuple[str, ...]
    spare_weights: tuple[str, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """The Hub's pipeline tags whose models can serve it."""
        ...

    def class_for(self, config: Mapping[str, Any]) -> str:
        """The Auto class of transformers that makes a model of this config.json."""
        ...

    def settings(self) -> Task:
        """The task as it is asked where nobody says otherwise."""
        ...

    def fitted(self, task: Task, samples: "Samples") -> Task:
        """The settings for these rows: whether they are pairs, which labels there are, ..."""
        ...

    def known_labels(self, outputs: tuple[str, ...], task: Task) -> tuple[str, ...]:
        """The names of the outputs, from those that metadata tells."""
        ...

    def labels(self, config: Mapping[str, Any], task: Task) -> tuple[str, ...]:
        """Names of the outputs, from config.json; CandidateFailed where it cannot serve."""
        ...

    def label_map(self, outputs: tuple[str, ...], task: Task) -> "LabelMap | None":
        """For answers that hold labels and are none themselves: what each output stands for.

        None for other tasks. CandidateFailed (label mismatch) where no output stands for any.
        """
        ...

    def details(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """What serving must know of config.json besides the labels, as JSON."""
        ...

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's preprocessing. CandidateFailed where it cannot be had."""
        ...

    def serve(
        self, folder: Path, serving: Serving, run: Any, *, dtype: str, weight_bytes: int
    ) -> Classifier | Answerer:
        """The candidate, ready. `run` is a Forward, or the torch model where the task generates."""
        ...


class Backend(Protocol):
    """A runtime that loads what a recipe built."""

    def load(self, folder: Path, *, threads: int) -> Classifier | Answerer:
        """The candidate in `folder`, ready to serve on `threads` threads."""
        ...


class RecipeMethod(Protocol):
    """One way to make a model ready for a runtime. Planning imports no heavy library."""

    needs_graph: bool

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """The recipes that this method offers for a model; none where it cannot work."""
        ...

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """Bytes of the whole artifact, tokenizer included, predicted from metadata alone."""
        ...

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Write into `folder` all that deploying needs besides the preprocessing.

        `source` is the model's repository, `graph` the file of its exported fp32 ONNX graph
        where `needs_graph` asks for one. Returns the settings that the backend will read from
        serving.json.
        """
        ...
