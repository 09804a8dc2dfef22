"""OpenVINO: its own graph files on the processor."""

from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import task_method
from evaluators.protocols import Answerer, Arrays, Classifier, Forward
from evaluators.serving import Serving

MODEL_FILE, WEIGHTS_FILE = "model.xml", "model.bin"


class OpenVINOBackend:
    """Serves what the OpenVINO recipes built."""

    def load(self, folder: Path, *, threads: int) -> Classifier | Answerer:
        """The candidate in `folder`."""
        serving = Serving.read(folder)
        method = task_method(serving.task)
        compiled = _compile(folder, serving, threads=threads)
        return method.serve(
            folder,
            serving,
            _forward(compiled, n_outputs=len(method.outputs)),
            dtype=compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name(),
            weight_bytes=(folder / WEIGHTS_FILE).stat().st_size,
        )


def _compile(folder: Path, serving: Serving, *, threads: int) -> Any:
    settings = {
        # Without it OpenVINO computes fp32 models in bfloat16 where the processor can.
        "INFERENCE_PRECISION_HINT": serving.settings["inference_precision"],
        "INFERENCE_NUM_THREADS": str(threads),
        "NUM_STREAMS": "1",
        "PERFORMANCE_HINT": "LATENCY",
        # Pinned, two processes would share the first core while the others idle.
        "ENABLE_CPU_PINNING": "NO",
    }
    try:
        core = openvino.Core()
        return core.compile_model(core.read_model(folder / MODEL_FILE), "CPU", settings)
    except RuntimeError as error:
        if "bad_alloc" in str(error) or "allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        reason = f"OpenVINO cannot load the graph: {error}"
        raise CandidateFailed(State.UNSUPPORTED, reason) from error


def _forward(compiled: Any, *, n_outputs: int) -> Forward:
    names = [item.get_any_name() for item in compiled.inputs]
    request = compiled.create_infer_request()

    def forward(arrays: Arrays) -> tuple[NDArray[np.float32], ...]:
        found = request.infer({name: arrays[name] for name in names})
        return tuple(found[at].astype(np.float32, copy=False) for at in range(n_outputs))

    return forward
