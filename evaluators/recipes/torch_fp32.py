"""torch in float32: the repository's files as they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.model import Model
from catalog.plan import INDEX
from evaluators.candidate import Recipe
from evaluators.recipes.planning import has_weights, shared_bytes
from evaluators.task import Task


class TorchFp32:
    """The weights as stored, computed in float32; the reference of every other recipe."""

    needs_graph = False

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """One, where the repository has safetensors weights."""
        return (Recipe("torch-fp32", "torch", "fp32"),) if has_weights(model) else ()

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """The stored files: a float16 file is not deployed wider than it is."""
        files = model.weight_files + model.config_files
        return sum(file.size_bytes for file in files) + shared_bytes(model)

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Link the repository's files."""
        link_repository(source, folder, task)
        return {"dtype": "float32"}


def link_repository(source: Path, folder: Path, task: Task) -> None:
    """Links in `folder` to the config and the weights, checked to be one model."""
    from evaluators.repository import loaded_name, weight_files
    from evaluators.torch_model import check_parameters

    check_parameters(source, task)
    index = source / INDEX
    for file in [source / "config.json", *weight_files(source), *([index] * index.is_file())]:
        (folder / loaded_name(file)).symlink_to(file.resolve())
