"""onnxruntime with the ONNX files that a repository brings along."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.model import Model
from evaluators.artifact import GRAPH_FILE
from evaluators.candidate import Recipe
from evaluators.measurement import CandidateFailed, State
from evaluators.recipes.planning import installed, shared_bytes
from evaluators.task import Task

PRECISIONS = {"int8": "int8", "quantized": "int8", "fp16": "fp16", "float16": "fp16", "q4": "int4"}
"""How exporters name the precision in a file's name."""


class OnnxRuntimeRepository:
    """One recipe for each ONNX file that is whole in itself."""

    needs_graph = False

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """As many as the repository has files, where the extra `onnx` is installed."""
        if not (installed("onnx", "onnxruntime") and model.config_files):
            return ()
        return tuple(
            Recipe("onnxruntime-repository", "onnxruntime", _precision(file.path), file.path)
            for file in model.onnx_files
        )

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """The file's own size."""
        sizes = {file.path: file.size_bytes for file in model.files}
        return sizes.get(recipe.file or "", 0) + shared_bytes(model)

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Link the file, once it is known to hold all of its weights."""
        assert recipe.file is not None
        file = source / recipe.file
        _refuse_external_data(file)
        (folder / GRAPH_FILE).symlink_to(file.resolve())
        return {"dtype": {"fp32": "float32", "fp16": "float16"}.get(recipe.precision, "int8")}


def _precision(path: str) -> str:
    name = Path(path).stem.lower()
    return next((value for part, value in PRECISIONS.items() if part in name), "fp32")


def _refuse_external_data(file: Path) -> None:
    import onnx

    try:
        model = onnx.load(file, load_external_data=False)
    except Exception as error:
        raise CandidateFailed(State.CORRUPT, f"{file.name} is no ONNX graph: {error}") from error
    if any(onnx.external_data_helper.uses_external_data(item) for item in model.graph.initializer):
        reason = f"{file.name} keeps weights in other files, which are not read"
        raise CandidateFailed(State.UNSUPPORTED, reason)
