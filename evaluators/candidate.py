"""What can be recommended: a model with a recipe."""

from dataclasses import dataclass

from cache.key import digest
from catalog.model import Model


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is run: the runtime, the precision, and the repository's file if it brings one.

    `method` is the name of the plug-in (entry-point group `recommender.recipes`) that builds it.
    """

    method: str
    backend: str
    precision: str
    file: str | None = None

    @property
    def name(self) -> str:
        """`torch-int8`, or `onnxruntime:onnx/model_quantized.onnx`."""
        return f"{self.backend}:{self.file}" if self.file else f"{self.backend}-{self.precision}"

    def to_json(self) -> dict[str, str | None]:
        """The form that crosses processes and enters keys."""
        return {
            "method": self.method,
            "backend": self.backend,
            "precision": self.precision,
            "file": self.file,
        }

    @classmethod
    def from_json(cls, value: dict[str, str | None]) -> "Recipe":
        """The inverse of `to_json`."""
        return cls(
            method=value["method"] or "",
            backend=value["backend"] or "",
            precision=value["precision"] or "",
            file=value["file"],
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model with a recipe, and its deployed size as metadata predicts it."""

    model: Model
    recipe: Recipe
    predicted_size_mb: float
    download_mb: float

    @property
    def name(self) -> str:
        """`owner/model@1a2b3c4d torch-int8`, unique in a pool."""
        return f"{self.model.name} {self.recipe.name}"

    @property
    def artifact_key(self) -> str:
        """Identifies what is run, apart from library versions and settings."""
        return digest([self.model.id, self.model.revision, self.recipe.to_json()])
