"""torch: the weights of a repository, or the same quantized."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from evaluators.classifier import Forward, TextClassifier
from evaluators.serving import Serving
from evaluators.tokenization import TokenArrays, Tokenization
from evaluators.torch_model import accepted_inputs, empty_model, load_pretrained


class TorchBackend:
    """Serves what the torch recipes built."""

    def load(self, folder: Path, *, threads: int) -> TextClassifier:
        """The classifier in `folder`; sets torch's number of threads for this process."""
        torch.set_num_threads(threads)
        serving = Serving.read(folder)
        model, weight_bytes = _load(folder, serving.settings["dtype"])
        return TextClassifier(
            serving=serving,
            tokenization=Tokenization.load(folder, serving),
            forward=_forward(model, accepted_inputs(model, serving.input_names)),
            dtype="int8" if serving.settings["dtype"] == "int8" else str(model.dtype)[6:],
            weight_bytes=weight_bytes,
        )


def _load(folder: Path, dtype: str) -> tuple[Any, int]:
    """The model, and the bytes of its weights."""
    if dtype == "int8":
        from evaluators import torch_int8

        model = torch_int8.load_into(empty_model(folder), folder)
        return model, torch_int8.weight_bytes(model)
    model = load_pretrained(folder, dtype=getattr(torch, dtype))
    return model, sum(parameter.nbytes for parameter in model.parameters())


def _forward(model: Any, names: tuple[str, ...]) -> Forward:
    def forward(arrays: TokenArrays) -> NDArray[np.float32]:
        tensors = {name: torch.from_numpy(arrays[name]) for name in names}
        with torch.inference_mode():
            logits: NDArray[np.float32] = model(**tensors).logits.float().numpy()
        return logits

    return forward
