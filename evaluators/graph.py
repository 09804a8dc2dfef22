"""A model as one fp32 ONNX graph, which onnxruntime and OpenVINO share."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import task_method
from evaluators.protocols import Arrays
from evaluators.task import Task
from evaluators.torch_model import accepted_inputs, load_pretrained

OPSET = 17
Tensors = dict[str, torch.Tensor]

TOLERANCE = 1e-3
"""Largest difference of outputs allowed, relative to the largest output."""


class _Outputs(torch.nn.Module):
    """A model with positional inputs and the task's outputs, as the exporter wants it."""

    def __init__(self, model: Any, names: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names
        self.outputs = outputs

    def forward(self, *inputs: torch.Tensor) -> tuple[Any, ...]:
        found = self.model(**dict(zip(self.names, inputs, strict=True)), return_dict=True)
        return tuple(found[name] for name in self.outputs)


def export_graph(source: Path, file: Path, *, texts: Sequence[str], task: Task) -> None:
    """Write the graph of a repository's model to `file`, and compare it with torch on texts.

    CandidateFailed: `unsupported` where the export fails, `export disagrees` where it differs,
    `bad output` where torch itself gives no finite numbers.
    """
    method = task_method(task.name)
    inputs = method.inputs(source, task)
    model = load_pretrained(source, task, dtype=torch.float32, attention="eager")
    names = accepted_inputs(model, inputs.input_names)
    wrapped = _Outputs(model, names, method.outputs).eval()  # the exporter restores this mode
    first, *others = [_tensors(batch, names) for batch in inputs.batches(texts)]
    axes = {name: dict(inputs.axes(name)) for name in names}
    try:
        _export(wrapped, first, others[0], file, axes)
    except MemoryError:
        raise
    except Exception as error:
        reason = f"the ONNX export fails: {type(error).__name__}: {error}"
        raise CandidateFailed(State.UNSUPPORTED, reason) from error
    _compare(wrapped, file, others)


def _export(
    model: _Outputs, inputs: Tensors, other: Tensors, file: Path, axes: dict[str, dict[int, str]]
) -> None:
    # The TorchScript exporter takes 0.5 s where transformers' OnnxExporter and dynamo=True take
    # 10 to 18 s, and onnxruntime can quantize its graph as it is.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every constant shape it meets
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(model.outputs),
            dynamic_axes=axes | _output_axes(model, inputs, other, axes),
        )


def _output_axes(
    model: _Outputs, inputs: Tensors, other: Tensors, axes: dict[str, dict[int, str]]
) -> dict[str, dict[int, str]]:
    """Dimensions of the outputs that are as long as a dynamic one of the inputs, in both."""
    with torch.inference_mode():
        both = [(each, model(*each.values())) for each in (inputs, other)]
    sizes = [
        {axis: each[name].shape[at] for name in each for at, axis in axes[name].items()}
        for each, _ in both
    ]
    found: dict[str, dict[int, str]] = {}
    for name, *outputs in zip(model.outputs, *(outputs for _, outputs in both), strict=True):
        shapes = list(zip(*(output.shape for output in outputs), strict=True))
        same = {
            at: axis for axis in reversed(sizes[0]) for at, shape in enumerate(shapes)
            if shape == tuple(size[axis] for size in sizes)
        }  # fmt: skip
        found[name] = same | {0: "batch"}
    return found


def _compare(model: _Outputs, file: Path, batches: Sequence[dict[str, torch.Tensor]]) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]  # inputs that decide nothing are gone
    for batch in batches:
        try:
            found = session.run(model.outputs, {name: batch[name].numpy() for name in names})
        except Exception as error:
            reason = f"the graph fails on another shape than it was traced with: {error}"
            raise CandidateFailed(State.EXPORT_DISAGREES, reason) from error
        with torch.inference_mode():
            expected = model(*batch.values())
        for ours, its in zip(expected, found, strict=True):
            _check_difference(ours.numpy(), its)


def _check_difference(expected: NDArray[np.float32], found: NDArray[np.float32]) -> None:
    if not np.isfinite(expected).all():
        reason = "the model's outputs are no finite numbers, in torch as well"
        raise CandidateFailed(State.BAD_OUTPUT, reason)
    scale = max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(expected - found).max()) / scale
    if not difference <= TOLERANCE:
        raise CandidateFailed(
            State.EXPORT_DISAGREES,
            f"the ONNX graph's outputs differ from torch's by {difference:.2g} of the largest; "
            f"at most {TOLERANCE:g} is allowed",
        )


def _tensors(arrays: Arrays, names: Sequence[str]) -> dict[str, torch.Tensor]:
    """Tokens as int64, pixels and waves as float32."""
    return {name: torch.from_numpy(_plain(arrays[name])) for name in names}


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
