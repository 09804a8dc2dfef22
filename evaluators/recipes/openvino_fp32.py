"""OpenVINO in float32: the exported graph as OpenVINO's own files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.model import Model
from evaluators.candidate import Recipe
from evaluators.recipes.planning import Layout, can_export, installed, shared_bytes
from evaluators.task import Task

MODEL_FILE = "model.xml"
LAYOUT = Layout(59_523, 52_063)


class OpenVINOFp32:
    """float32 throughout: OpenVINO would compute in bfloat16 by itself where it can."""

    needs_graph = True

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """One, where the extra `openvino` is installed."""
        return (Recipe("openvino-fp32", "openvino", "fp32"),) if can_convert(model) else ()

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """Four bytes a weight, and the description of the graph."""
        return 4 * (model.n_parameters or 0) + LAYOUT.bytes_for(model) + shared_bytes(model)

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Convert the ONNX graph, so that loading does not."""
        import openvino

        assert graph is not None
        model = openvino.Core().read_model(graph)
        openvino.save_model(model, folder / MODEL_FILE, compress_to_fp16=False)
        return {"inference_precision": "f32"}


def can_convert(model: Model) -> bool:
    """Whether OpenVINO is installed and a graph can be exported for it."""
    return installed("openvino") and can_export(model)
