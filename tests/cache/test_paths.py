"""Where the stores lie, and how that is told."""

from pathlib import Path

import pytest

from cache.paths import Home


def test_a_home_is_told_without_the_name_of_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be opened again all the same; a folder elsewhere is told as it is."""
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))
    home = Home.parse({})
    assert str(home) == "~/.cache/recommender"
    assert Path(str(home)).expanduser() == home.folder
    assert str(Home(tmp_path / "shared")) == str(tmp_path / "shared")
