"""OpenVINO with weights in 16 bits, computed in bfloat16."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.model import Model
from evaluators.candidate import Recipe
from evaluators.measurement import CandidateFailed, State
from evaluators.recipes.openvino_fp32 import MODEL_FILE, can_convert
from evaluators.recipes.planning import Layout, shared_bytes
from evaluators.task import Task

LAYOUT = Layout(66_743, 63_942)


class OpenVINOBf16:
    """Weights stored as float16, computed in bfloat16 where the processor knows that type."""

    needs_graph = True

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """One, where the extra `openvino` is installed."""
        return (Recipe("openvino-bf16", "openvino", "bf16"),) if can_convert(model) else ()

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """Two bytes a weight, and the description of the graph."""
        return 2 * (model.n_parameters or 0) + LAYOUT.bytes_for(model) + shared_bytes(model)

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Convert the ONNX graph; CandidateFailed (unsupported) where bfloat16 is not computed."""
        import openvino

        assert graph is not None
        core = openvino.Core()
        if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            reason = "this processor computes no bfloat16 (OpenVINO's OPTIMIZATION_CAPABILITIES)"
            raise CandidateFailed(State.UNSUPPORTED, reason)
        openvino.save_model(core.read_model(graph), folder / MODEL_FILE, compress_to_fp16=True)
        return {"inference_precision": "bf16"}
