"""The seams: what a recipe and a backend must offer. A plug-in need not import these."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from catalog.model import Model
from evaluators.candidate import Recipe


class Classifier(Protocol):
    """A loaded candidate: texts in, one row of class scores a text out."""

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


class Backend(Protocol):
    """A runtime that loads what a recipe built."""

    def load(self, folder: Path, *, threads: int) -> Classifier:
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
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None
    ) -> Mapping[str, str]:
        """Write into `folder` all that deploying needs besides the tokenizer.

        `source` is the model's repository, `graph` the file of its exported fp32 ONNX graph
        where `needs_graph` asks for one. Returns the settings that the backend will read from
        serving.json.
        """
        ...
