"""What counts as another answer at batch 1, and what is noise."""

import json

import numpy as np
import pytest

from evaluators.drift import answer_changed, output_changed


@pytest.mark.parametrize(
    ("batched", "alone", "changed"),
    [
        (0, [2.0, -2.0], False),
        (0, [-2.0, 2.0], True),
        (0, [2.0, 2.01], False),
        (0, [2.0, 2.05], True),
        (1, [0.0, 0.0], False),
        (0, [float("nan"), 0.0], True),
    ],
    ids=["same", "another", "tied", "not tied", "all tied", "no number"],
)
def test_a_label_that_was_tied_has_not_changed(
    batched: int, alone: list[float], changed: bool
) -> None:
    """Another highest score counts from 1 % of the largest."""
    assert output_changed(batched, np.array(alone, dtype=np.float32)) is changed


@pytest.mark.parametrize(
    ("task", "batched", "alone", "changed"),
    [
        ("token-classification", ["B-PER", "O"], ["B-PER", "O"], False),
        ("token-classification", ["B-PER", "O"], ["O", "B-PER"], True),
        ("sentence-similarity", 0.7301, 0.7302, False),
        ("sentence-similarity", 0.73, 0.78, True),
        ("text-ranking", [0.31, -4.2], [0.311, -4.21], False),
        ("text-ranking", [0.31, -4.2], [0.41, -4.2], True),
        ("fill-mask", ["film", "plot", "story"], ["film", "story", "plot"], False),
        ("fill-mask", ["film", "plot"], ["plot", "film"], True),
        ("text-generation", "Paris", "Paris.", True),
        ("text-classification", [["a", -0.1], ["b", -2.4]], [["a", -0.11], ["b", -2.3]], False),
        ("text-classification", [["a", -0.69], ["b", -0.7]], [["b", -0.69], ["a", -0.695]], False),
        ("text-classification", [["a", -0.1], ["b", -2.4]], [["b", -0.2], ["a", -1.8]], True),
        ("text-classification", [["a", 3.0], ["b", 0.4]], [["a", 3.0], ["b", -0.4]], True),
        ("text-classification", [["a", 3.0], ["b", 0.01]], [["a", 3.0], ["b", -0.01]], False),
        ("object-detection", [{"box": [1.0, 2.0], "label": "a"}],
         [{"box": [1.001, 2.0], "label": "a"}], False),
        ("object-detection", [{"box": [1.0, 2.0], "label": "a"}], [], True),
    ],
)  # fmt: skip
def test_answers_of_every_form_are_compared(
    task: str, batched: object, alone: object, changed: bool
) -> None:
    """Texts and labels as they are, numbers within noise, the first place of long lists."""
    assert answer_changed(json.dumps(batched), json.dumps(alone), task=task) is changed
