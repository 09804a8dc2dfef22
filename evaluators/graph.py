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
from evaluators.task import Task
from evaluators.tokenizer_export import PROBES, RepositoryTokenizer
from evaluators.torch_model import accepted_inputs, load_pretrained

OPSET = 17
TOLERANCE = 1e-3
"""Largest difference of logits allowed, relative to the largest logit."""


class _Logits(torch.nn.Module):
    """A classifier with positional inputs and one output, as the exporter wants it."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.model(**dict(zip(self.names, inputs, strict=True)), return_dict=True).logits


def export_graph(source: Path, file: Path, *, texts: Sequence[str], task: Task) -> None:
    """Write the graph of a repository's model to `file`, and compare it with torch on texts.

    CandidateFailed: `unsupported` where the export fails, `export disagrees` where it differs.
    """
    tokenizer = RepositoryTokenizer.load(source, task)
    model = load_pretrained(source, dtype=torch.float32, attention="eager")
    names = accepted_inputs(model, tokenizer.input_names)
    wrapped = _Logits(model, names).eval()  # the exporter restores the mode that it finds
    try:
        _export(wrapped, _tensors(tokenizer.encode(PROBES), names), file)
    except MemoryError:
        raise
    except Exception as error:
        reason = f"the ONNX export fails: {type(error).__name__}: {error}"
        raise CandidateFailed(State.UNSUPPORTED, reason) from error
    batches = [_tensors(tokenizer.encode(batch), names) for batch in probe_batches(texts)]
    _compare(wrapped, file, batches)


def probe_batches(texts: Sequence[str]) -> list[list[str]]:
    """Batches of several shapes, with padding and without, from the shortest to the longest."""
    ordered = sorted(dict.fromkeys([*PROBES, *texts]), key=len)
    middle = ordered[len(ordered) // 2]
    return [[ordered[0]], [middle], [ordered[0], middle, ordered[-1]], ordered[-2:]]


def _export(model: torch.nn.Module, inputs: dict[str, torch.Tensor], file: Path) -> None:
    # The TorchScript exporter takes 0.5 s where transformers' OnnxExporter and dynamo=True take
    # 10 to 18 s, and onnxruntime can quantize its graph as it is.
    axes = {name: {0: "batch", 1: "length"} for name in inputs} | {"logits": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every constant shape it meets
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=["logits"],
            dynamic_axes=axes,
        )


def _compare(
    model: torch.nn.Module, file: Path, batches: Sequence[dict[str, torch.Tensor]]
) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]  # inputs that decide nothing are gone
    for batch in batches:
        try:
            (found,) = session.run(["logits"], {name: batch[name].numpy() for name in names})
        except Exception as error:
            reason = f"the graph fails on another shape than it was traced with: {error}"
            raise CandidateFailed(State.EXPORT_DISAGREES, reason) from error
        with torch.inference_mode():
            expected = model(*batch.values()).numpy()
        _check_difference(expected, found)


def _check_difference(expected: NDArray[np.float32], found: NDArray[np.float32]) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(expected - found).max()) / scale
    if not difference <= TOLERANCE:
        reason = f"the ONNX graph's logits differ by {difference:.2g} from torch's ({TOLERANCE=})"
        raise CandidateFailed(State.EXPORT_DISAGREES, reason)


def _tensors(encoded: Any, names: Sequence[str]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(encoded[name].astype(np.int64)) for name in names}
