"""Where the stores lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """One folder with everything that is remembered; model weights stay in the Hub's own cache."""

    folder: Path

    @classmethod
    def parse(cls, environment: Mapping[str, str]) -> "Home":
        """RECOMMENDER_HOME, else `recommender` in XDG_CACHE_HOME, else `~/.cache/recommender`."""
        named = environment.get("RECOMMENDER_HOME")
        if named:
            return cls(Path(named).expanduser().absolute())
        base = environment.get("XDG_CACHE_HOME")
        caches = Path(base) if base else Path.home() / ".cache"
        return cls(caches / "recommender")

    def __str__(self) -> str:
        """For readers elsewhere: `~/.cache/recommender`, so that it does not name the user."""
        own = Path.home()
        is_own = self.folder.is_relative_to(own) and self.folder != own
        return f"~/{self.folder.relative_to(own)}" if is_own else str(self.folder)

    @property
    def catalog(self) -> Path:
        """What exists: models and their metadata."""
        return self.folder / "catalog.db"

    @property
    def downloads(self) -> Path:
        """Which files we fetched into the Hub's cache."""
        return self.folder / "downloads.db"

    @property
    def measurements(self) -> Path:
        """What was measured, with predictions for each row."""
        return self.folder / "measurements.db"

    @property
    def studies(self) -> Path:
        """Optuna's studies; rebuildable from the other two."""
        return self.folder / "studies.db"

    @property
    def files(self) -> Path:
        """Images and sounds that came as bytes in a table, by their hash; rebuildable."""
        return self.folder / "files"

    @property
    def artifacts(self) -> Path:
        """What recipes built: exported graphs and quantized weights; rebuildable."""
        return self.folder / "artifacts"
