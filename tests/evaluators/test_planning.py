"""Sizes that are predicted from metadata."""

import pytest

from catalog.model import File, Model
from evaluators.plugins import recipe_method

CONVOLUTIONS = Model(
    id="team/convolutions", revision="0" * 40, source="folder:zoo", task="image-classification",
    parameters={"F32": 5_000},
    files=(File("config.json", 1_000), File("model.safetensors", 21_000)),
)  # fmt: skip
"""A ResNet's config tells no layers."""


@pytest.mark.parametrize(("name", "built_kb"), [("onnxruntime-fp32", 27), ("onnxruntime-int8", 27)])
def test_what_has_no_layers_in_its_config_is_not_predicted_large(name: str, built_kb: int) -> None:
    """Else it is ordered behind larger ones, and is never tried (measured: 27 kB)."""
    method = recipe_method(name)
    (recipe,) = method.recipes(CONVOLUTIONS)
    assert method.predicted_size_bytes(CONVOLUTIONS, recipe) < 1500 * built_kb
