"""The description of the machine."""

import subprocess
import sys
from dataclasses import replace

from evaluators.hardware import library_versions, machine


def test_machine_is_described() -> None:
    """A report can say what figures were taken on."""
    found = machine()
    assert found.n_cores >= 1
    assert found.memory_mb > 100
    assert found.cpu in found.describe()


def test_key_changes_with_a_library() -> None:
    """Timings taken with another version of a runtime are not the same timings."""
    found = machine()
    other = replace(found, libraries={**found.libraries, "onnxruntime": "0.0"})
    assert found.key == machine().key != other.key


def test_versions_are_those_of_the_backend() -> None:
    """An update of OpenVINO leaves what torch built alone."""
    assert "openvino" not in library_versions("torch")
    assert "torch" in library_versions("openvino")


def test_planning_imports_no_heavy_library() -> None:
    """Machines and recipes are described without loading a runtime."""
    script = (
        "import sys\n"
        "from evaluators.hardware import machine\n"
        "from evaluators.plugins import recipe_methods\n"
        "machine(), recipe_methods()\n"
        "heavy = {'torch', 'transformers', 'onnx', 'onnxruntime', 'openvino', 'nncf'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
