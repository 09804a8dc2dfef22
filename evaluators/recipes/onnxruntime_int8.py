"""onnxruntime with int8 weights, embeddings included, and activations quantized on the fly."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.model import Model
from evaluators.artifact import GRAPH_FILE
from evaluators.candidate import Recipe
from evaluators.recipes.planning import Layout, can_export, shared_bytes
from evaluators.task import Task

LAYOUT = Layout(23_447, 29_045, 95.2)


class OnnxRuntimeInt8:
    """Dynamic quantization of the exported graph, one scale a column of weights."""

    needs_graph = True

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """One, where the extra `onnx` is installed."""
        return (Recipe("onnxruntime-int8", "onnxruntime", "int8"),) if can_export(model) else ()

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """One byte a weight, and the graph's nodes."""
        return (model.n_parameters or 0) + LAYOUT.bytes_for(model) + shared_bytes(model)

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Write the quantized graph."""
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        assert graph is not None
        logging.getLogger().setLevel(logging.ERROR)  # it advises a preprocessing of no effect here
        quantize_dynamic(
            graph,
            folder / GRAPH_FILE,
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return {"dtype": "int8"}
