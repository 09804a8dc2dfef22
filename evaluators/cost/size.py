"""How many bytes deploying an artifact takes."""

from pathlib import Path


def artifact_size_bytes(folder: Path) -> int:
    """Bytes of all files of an artifact, links followed."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
