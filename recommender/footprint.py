"""How much memory a candidate will take, predicted from metadata before anything is downloaded.

The prediction is the larger of two peaks of resident memory:

* building: a fixed part for the libraries, and bytes for each weight. Recipes that need a graph
  export it first, which holds the weights about four times over in float32.
* serving: a fixed part for the runtime, bytes for each weight, and what 32 rows of 128 tokens
  take: ROW_COPIES * 32 * 128 * width * 4 bytes, for the inputs and outputs of a layer.

Our own measurements (VmHWM of fresh workers with one thread; torch 2.13, onnxruntime 1.31, OpenVINO
2026.4, Linux): BERT of 0.08, 7, 23 and 67 million weights, of which the last two gave the lines.
Longer rows take more, and longer than 512 tokens much more: attention grows with the square.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from catalog.model import Model
from evaluators.candidate import Recipe
from evaluators.recipes.planning import width

ROWS, TOKENS = 32, 128
"""The batch that a prediction is for."""

ROW_COPIES = 15.0
"""So many float32 vectors of the model's width a token: 14 to 14.5 were measured."""


@dataclass(frozen=True, slots=True)
class Line:
    """A peak in MB that grows with the number of weights."""

    fixed_mb: float
    bytes_by_weight: float

    def at(self, n_weights: float) -> float:
        """The peak for so many weights, in MB."""
        return self.fixed_mb + self.bytes_by_weight * n_weights / 1e6


@dataclass(frozen=True, slots=True)
class Footprint:
    """The peaks of one recipe; for files of a repository, a byte of the file is a weight."""

    build: Line
    serve: Line


EXPORTED = Line(460, 16.8)
"""Exporting a graph; making anything out of it takes less."""

FOOTPRINTS: Mapping[str, Footprint] = MappingProxyType(
    {
        "torch-fp32": Footprint(Line(420, 0), Line(390, 4.0)),
        "torch-bf16": Footprint(Line(390, 6.4), Line(420, 2.0)),
        "torch-int8": Footprint(Line(390, 9.5), Line(420, 2.5)),
        "onnxruntime-fp32": Footprint(EXPORTED, Line(95, 5.1)),
        "onnxruntime-int8": Footprint(EXPORTED, Line(95, 1.1)),
        "onnxruntime-repository": Footprint(Line(285, 2.0), Line(95, 1.3)),
        "openvino-fp32": Footprint(EXPORTED, Line(110, 7.1)),
        "openvino-bf16": Footprint(EXPORTED, Line(110, 2.0)),
        "openvino-int8": Footprint(EXPORTED, Line(130, 1.9)),
    }
)
"""By the recipe's method. Building from a repository's own graph was not measured: twice its bytes,
as it is parsed and checked."""

STRANGER = Footprint(EXPORTED, Line(420, 7.1))
"""A recipe that was not measured is taken to be as hungry as the hungriest of ours."""


def predicted_peak_mb(model: Model, recipe: Recipe) -> float:
    """The most memory that building and serving a candidate takes, in MB."""
    known = FOOTPRINTS.get(recipe.method, STRANGER)
    n = _n_weights(model, recipe)
    return max(known.build.at(n), known.serve.at(n) + _rows_mb(model))


def _n_weights(model: Model, recipe: Recipe) -> float:
    if recipe.file is None:
        return float(model.n_parameters or 0)
    return float(sum(file.size_bytes for file in model.files if file.path == recipe.file))


def _rows_mb(model: Model) -> float:
    tokens = min(TOKENS, model.max_length or TOKENS)
    return ROW_COPIES * ROWS * tokens * width(model) * 4 / 1e6
