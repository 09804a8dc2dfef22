"""What planning a recipe needs: sizes from metadata, and which libraries are installed."""

from dataclasses import dataclass
from importlib.util import find_spec
from math import sqrt

from catalog.model import BYTES_BY_DTYPE, Model

SERVING_BYTES = 375
"""serving.json, with a handful of labels."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Bytes of a stored model besides its weights: nodes of the graph, names, scales.

    Fitted to BERT with 1 to 6 layers and widths of 32 to 384 (torch 2.13, onnxruntime 1.31,
    OpenVINO 2026.4): within 0.2 % of the file's size there.
    """

    fixed: float
    by_layer: float
    by_layer_and_width: float = 0.0

    def bytes_for(self, model: Model) -> float:
        """Predicted for a model's layers and width."""
        return self.fixed + n_layers(model) * (
            self.by_layer + self.by_layer_and_width * width(model)
        )


def installed(*libraries: str) -> bool:
    """Whether all of the libraries can be imported; none is."""
    return all(find_spec(library) is not None for library in libraries)


def has_weights(model: Model) -> bool:
    """Whether there are safetensors weights and a config to load them with."""
    return bool(model.weight_files and model.config_files and not model.has_remote_code)


def can_export(model: Model) -> bool:
    """Whether an ONNX graph can be made of the model and checked here."""
    return has_weights(model) and installed("onnx", "onnxruntime")


def shared_bytes(model: Model) -> float:
    """What every artifact holds: tokenizer.json and serving.json."""
    return tokenizer_bytes(model) + SERVING_BYTES


def tokenizer_bytes(model: Model) -> float:
    """tokenizer.json as stored; guessed from the vocabulary's file where there is none."""
    sizes = {file.path: file.size_bytes for file in model.tokenizer_files}
    if "tokenizer.json" in sizes:
        return sizes["tokenizer.json"]
    return 3.2 * sum(sizes.values())  # 8 bytes of layout around an entry of 7 (BERT's vocab.txt)


def stored_bytes(model: Model) -> float:
    """Bytes of the weights in the precision that the repository stores."""
    return sum(BYTES_BY_DTYPE.get(dtype, 4) * n for dtype, n in model.parameters.items())


def n_embedding(model: Model) -> int:
    """Weights in embedding tables, which some methods leave as they are."""
    return model.embedding_parameters or 0


def n_linear(model: Model) -> int:
    """Weights outside the embedding tables."""
    return (model.n_parameters or 0) - n_embedding(model)


def n_layers(model: Model) -> int:
    """Layers; none where the config does not say, as that of a convolutional network.

    A candidate whose size is predicted too small is tried in vain, but one whose size is predicted
    too large may be the answer and never be tried.
    """
    return model.n_layers or 0


def width(model: Model) -> float:
    """The hidden width, from the 12 * width * width weights of a transformer's layer."""
    return sqrt(max(n_linear(model), 0) / (12 * max(n_layers(model), 1)))


def n_vocabulary(model: Model) -> float:
    """Rows of the embedding tables."""
    return n_embedding(model) / max(width(model), 1.0)
