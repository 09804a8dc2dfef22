"""torch with int8 weights in its linear layers, activations quantized on the fly."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.model import Model
from evaluators.candidate import Recipe
from evaluators.recipes.planning import (
    Layout,
    has_weights,
    installed,
    n_embedding,
    n_linear,
    shared_bytes,
)
from evaluators.task import Task

LAYOUT = Layout(1955, 2507, 90.2)


class TorchInt8:
    """Dynamic quantization by torch.ao; embeddings stay in float32."""

    needs_graph = False

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """One; a torch without torch.ao (deprecated since 2.10) ends the build as unsupported."""
        available = has_weights(model) and installed("torch")
        return (Recipe("torch-int8", "torch", "int8"),) if available else ()

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """Four bytes a weight of the embeddings, one for the others."""
        weights = 4 * n_embedding(model) + n_linear(model)
        config = sum(file.size_bytes for file in model.config_files)
        return weights + LAYOUT.bytes_for(model) + config + shared_bytes(model)

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Store int8 values and scales as safetensors: nothing is unpickled later."""
        import torch

        from evaluators.torch_int8 import quantize, save
        from evaluators.torch_model import load_pretrained

        (folder / "config.json").symlink_to((source / "config.json").resolve())
        save(quantize(load_pretrained(source, task, dtype=torch.float32)), folder)
        return {"dtype": "int8"}
