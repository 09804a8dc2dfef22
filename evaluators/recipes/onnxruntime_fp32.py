"""onnxruntime in float32: the exported graph as it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.model import Model
from evaluators.artifact import GRAPH_FILE, link_or_copy
from evaluators.candidate import Recipe
from evaluators.recipes.planning import Layout, can_export, shared_bytes
from evaluators.task import Task

LAYOUT = Layout(12_634, 16_536)


class OnnxRuntimeFp32:
    """The graph that all exported recipes start from."""

    needs_graph = True

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """One, where the extra `onnx` is installed."""
        return (Recipe("onnxruntime-fp32", "onnxruntime", "fp32"),) if can_export(model) else ()

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """Four bytes a weight, and the graph's nodes."""
        return 4 * (model.n_parameters or 0) + LAYOUT.bytes_for(model) + shared_bytes(model)

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Share the graph's file."""
        assert graph is not None
        link_or_copy(graph, folder / GRAPH_FILE)
        return {"dtype": "float32"}
