"""onnxruntime: an ONNX graph on the processor."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from evaluators.artifact import GRAPH_FILE
from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import task_method
from evaluators.protocols import Answerer, Arrays, Classifier, Forward
from evaluators.serving import Serving

DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(int32)": np.int32, "tensor(float)": np.float32, "tensor(float16)": np.float16,
}  # fmt: skip
"""numpy's types of a graph's inputs; tokens are else int64."""


class OnnxRuntimeBackend:
    """Serves what the onnxruntime recipes built."""

    def load(self, folder: Path, *, threads: int) -> Classifier | Answerer:
        """The candidate in `folder`."""
        serving = Serving.read(folder)
        method = task_method(serving.task)
        session = _session(folder / GRAPH_FILE, threads=threads)
        return method.serve(
            folder,
            serving,
            _forward(session, serving, method.outputs),
            dtype=serving.settings["dtype"],
            weight_bytes=(folder / GRAPH_FILE).stat().st_size,
        )


def _session(file: Path, *, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Without this, idle threads spin and take the other core from whoever needs it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    except MemoryError:
        raise
    except Exception as error:
        if "bad_alloc" in str(error) or "allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        reason = f"onnxruntime cannot load the graph: {error}"
        raise CandidateFailed(State.UNSUPPORTED, reason) from error


def _forward(
    session: onnxruntime.InferenceSession, serving: Serving, wanted: tuple[str, ...]
) -> Forward:
    names = [item.name for item in session.get_inputs()]
    unknown = sorted(set(names) - set(serving.input_names))
    if unknown:
        reason = f"the graph wants inputs that its tokenizer does not make: {', '.join(unknown)}"
        raise CandidateFailed(State.UNSUPPORTED, reason)
    given = [item.name for item in session.get_outputs()]
    outputs = list(wanted) if set(wanted) <= set(given) else given[: len(wanted)]
    dtypes = {item.name: DTYPES.get(item.type, np.int64) for item in session.get_inputs()}

    def forward(arrays: Arrays) -> tuple[NDArray[np.float32], ...]:
        feed = {name: arrays[name].astype(dtypes[name], copy=False) for name in names}
        found = session.run(outputs, feed)
        return tuple(array.astype(np.float32, copy=False) for array in found)

    return forward
