"""Folders of artifacts: complete or absent, also where several processes build them at once."""

from pathlib import Path

import pytest

from evaluators.artifact import GRAPH_FILE, build_graph
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
