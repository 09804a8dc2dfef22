"""Folders of artifacts: complete or absent, also where several processes build them at once."""

from pathlib import Path

import numpy as np
import pytest

from evaluators.artifact import GRAPH_FILE, build_graph
from evaluators.graph import _check_difference, export_graph
from evaluators.measurement import CandidateFailed, State
from evaluators.task import TEXT_CLASSIFICATION


@pytest.mark.parametrize("leftover", [False, True], ids=["absent", "incomplete"])
def test_the_faster_of_two_builds_stays(
    leftover: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files may be in use by the time the slower one ends; nothing else is left behind."""
    folder = tmp_path / "graph"
    if leftover:
        folder.mkdir()
        (folder / "lost").symlink_to(tmp_path / "nowhere")
    exported: list[str] = []

    def export(source: Path, file: Path, **_: object) -> None:
        place = len(exported)
        exported.append(("slow", "fast")[place])
        if place == 0:
            build_graph(source, folder, task=TEXT_CLASSIFICATION, texts=[])
        file.write_text(exported[place], encoding="utf-8")

    monkeypatch.setattr("evaluators.graph.export_graph", export)
    build_graph(tmp_path, folder, task=TEXT_CLASSIFICATION, texts=[])
    assert (folder / GRAPH_FILE).read_text(encoding="utf-8") == "fast"
    assert [path.name for path in tmp_path.iterdir()] == ["graph"]


def test_a_graph_of_a_model_without_numbers_is_a_bad_output(zoo: Path, tmp_path: Path) -> None:
    """The export is not at fault: torch itself gives NaN."""
    with pytest.raises(CandidateFailed, match="no finite numbers") as caught:
        export_graph(
            zoo / "team/poisoned", tmp_path / GRAPH_FILE,
            texts=["a good film", "a bad film and a long one"], task=TEXT_CLASSIFICATION,
        )  # fmt: skip
    assert caught.value.state is State.BAD_OUTPUT


def test_a_graph_that_differs_is_told_without_our_words() -> None:
    """By how much it differs and how much may be, not by the name of a constant."""
    expected = np.array([1.0, 2.0], np.float32)
    with pytest.raises(CandidateFailed, match=r"by 0\.25 of the largest; at most 0\.001") as caught:
        _check_difference(expected, np.array([1.0, 2.5], np.float32))
    assert caught.value.state is State.EXPORT_DISAGREES
