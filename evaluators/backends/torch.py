"""torch: the weights of a repository, or the same quantized."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from evaluators.plugins import task_method
from evaluators.protocols import Answerer, Arrays, Classifier, Forward
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.torch_model import accepted_inputs, empty_model, load_pretrained


class TorchBackend:
    """Serves what the torch recipes built."""

    def load(self, folder: Path, *, threads: int) -> Classifier | Answerer:
        """The candidate in `folder`; sets torch's number of threads for this process."""
        torch.set_num_threads(threads)
        serving = Serving.read(folder)
        method = task_method(serving.task)
        model, weight_bytes = _load(folder, method.settings(), serving.settings["dtype"])
        run = model if method.generates else _forward(model, serving, method.outputs)
        dtype = "int8" if serving.settings["dtype"] == "int8" else str(model.dtype)[6:]
        return method.serve(folder, serving, run, dtype=dtype, weight_bytes=weight_bytes)


def _load(folder: Path, task: Task, dtype: str) -> tuple[Any, int]:
    """The model, and the bytes of its weights."""
    if dtype == "int8":
        from evaluators import torch_int8

        model = torch_int8.load_into(empty_model(folder, task), folder)
        return model, torch_int8.weight_bytes(model)
    model = load_pretrained(folder, task, dtype=getattr(torch, dtype))
    return model, sum(parameter.nbytes for parameter in model.parameters())


def _forward(model: Any, serving: Serving, outputs: tuple[str, ...]) -> Forward:
    names = accepted_inputs(model, serving.input_names)

    def forward(arrays: Arrays) -> tuple[NDArray[np.float32], ...]:
        tensors = {name: _tensor(arrays[name], model.dtype) for name in names}
        with torch.inference_mode():
            found = model(**tensors)
        return tuple(found[name].float().numpy() for name in outputs)

    return forward


def _tensor(array: NDArray[Any], dtype: torch.dtype) -> torch.Tensor:
    """Pixels and waves in the type of the weights, tokens as they are."""
    tensor = torch.from_numpy(array)
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
