"""OpenVINO with int8 weights, embeddings included."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.model import Model
from evaluators.candidate import Recipe
from evaluators.recipes.openvino_fp32 import MODEL_FILE, can_convert
from evaluators.recipes.planning import Layout, installed, n_vocabulary, shared_bytes
from evaluators.task import Task

LAYOUT = Layout(74_522, 69_831, 73.7)


class OpenVINOInt8:
    """Weights compressed by NNCF, without calibration data."""

    needs_graph = True

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """One, where the extra `openvino` is installed."""
        available = can_convert(model) and installed("nncf")
        return (Recipe("openvino-int8", "openvino", "int8"),) if available else ()

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """One byte a weight, and the description of the graph."""
        scales = 3 * n_vocabulary(model)  # float16 and a zero point a row of the tables
        return (model.n_parameters or 0) + scales + LAYOUT.bytes_for(model) + shared_bytes(model)

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Compress the weights of the ONNX graph."""
        import nncf
        import openvino

        assert graph is not None
        model = openvino.Core().read_model(graph)
        compressed = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
        openvino.save_model(compressed, folder / MODEL_FILE, compress_to_fp16=False)
        # Computed in bfloat16 the same weights gave the same quality and were no faster (medians of
        # 1.00 to 1.15 of f32's on a processor with AMX), and not every processor has the type.
        return {"inference_precision": "f32"}
