"""onnxruntime: an ONNX graph on the processor."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from evaluators.artifact import GRAPH_FILE
from evaluators.classifier import Forward, TextClassifier
from evaluators.measurement import CandidateFailed, State
from evaluators.serving import Serving
from evaluators.tokenization import TokenArrays, Tokenization


class OnnxRuntimeBackend:
    """Serves what the onnxruntime recipes built."""

    def load(self, folder: Path, *, threads: int) -> TextClassifier:
        """The classifier in `folder`."""
        serving = Serving.read(folder)
        session = _session(folder / GRAPH_FILE, threads=threads)
        return TextClassifier(
            serving=serving,
            tokenization=Tokenization.load(folder, serving),
            forward=_forward(session, serving),
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


def _forward(session: onnxruntime.InferenceSession, serving: Serving) -> Forward:
    names = [item.name for item in session.get_inputs()]
    unknown = sorted(set(names) - set(serving.input_names))
    if unknown:
        reason = f"the graph wants inputs that its tokenizer does not make: {', '.join(unknown)}"
        raise CandidateFailed(State.UNSUPPORTED, reason)
    outputs = [item.name for item in session.get_outputs()]
    output = "logits" if "logits" in outputs else outputs[0]
    dtypes = {item.name: np.int32 if "int32" in item.type else np.int64
              for item in session.get_inputs()}  # fmt: skip

    def forward(arrays: TokenArrays) -> NDArray[np.float32]:
        feed = {name: arrays[name].astype(dtypes[name], copy=False) for name in names}
        (logits,) = session.run([output], feed)
        converted: NDArray[np.float32] = logits.astype(np.float32, copy=False)
        return converted

    return forward
