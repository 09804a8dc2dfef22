"""torch in bfloat16: half the bytes of float32, and fast where the processor knows the type."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.model import BYTES_BY_DTYPE, Model
from evaluators.candidate import Recipe
from evaluators.recipes.planning import has_weights, shared_bytes, stored_bytes
from evaluators.recipes.torch_fp32 import link_repository
from evaluators.task import Task

HEADER_BYTES_BY_TENSOR = 130


class TorchBf16:
    """The weights in bfloat16."""

    needs_graph = False

    def recipes(self, model: Model) -> Sequence[Recipe]:
        """One, where the repository has safetensors weights."""
        return (Recipe("torch-bf16", "torch", "bf16"),) if has_weights(model) else ()

    def predicted_size_bytes(self, model: Model, recipe: Recipe) -> float:
        """Two bytes a weight, with the file's header as it is."""
        stored = sum(file.size_bytes for file in model.weight_files + model.config_files)
        narrower = sum(
            (2 - BYTES_BY_DTYPE.get(dtype, 4)) * n
            for dtype, n in model.parameters.items()
            if dtype in ("F32", "F64")
        )
        header = stored - stored_bytes(model) if stored_bytes(model) else 0
        return max(stored + narrower, header) + shared_bytes(model)

    def build(
        self, recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task
    ) -> Mapping[str, str]:
        """Link weights that are stored in 16 bits, else write a copy in bfloat16."""
        from evaluators.repository import header_tensors, weight_files

        dtypes = {
            tensor["dtype"]
            for file in weight_files(source)
            for tensor in header_tensors(file).values()
        }
        link_repository(source, folder, task)
        if dtypes & {"F32", "F64"}:
            _narrow(source, folder)
        return {"dtype": "bfloat16"}


def _narrow(source: Path, folder: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from evaluators.repository import loaded_name, weight_files

    for file in weight_files(source):
        tensors = {
            name: tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor
            for name, tensor in load_file(file).items()
        }
        narrowed = folder / loaded_name(file)
        narrowed.unlink()
        save_file(tensors, narrowed, metadata={"format": "pt"})
