"""Does a model fit on this machine? Its recipes, with the memory and the disk that they take."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cache.paths import Home
from catalog.model import Model
from evaluators.candidate import Candidate
from evaluators.measurement import State
from evaluators.plugins import recipe_methods
from recommender.footprint import predicted_peak_mb
from recommender.gates import Gates, disk_needed_mb, to_download_mb
from recommender.query import DEFAULT_TASK, Query
from recommender.room import Room
from recommender.space import offered_candidates

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Fit:
    """One recipe of a model: what it takes in MB, predicted, and whether that is here now."""

    recipe: str
    weights_mb: float
    peak_memory_mb: float
    download_mb: float
    disk_mb: float
    fits: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Fits:
    """A model's recipes on this machine; `reason` says why none of them can be run at all."""

    model: str
    revision: str
    source: str
    room: Room
    recipes: tuple[Fit, ...]
    reason: str = ""

    @property
    def any(self) -> bool:
        """Whether at least one recipe fits."""
        return any(recipe.fits for recipe in self.recipes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"schema_version": SCHEMA_VERSION, "fits": self.any, **asdict(self)}


def fits(
    model: str,
    *,
    task: str = DEFAULT_TASK,
    sources: Sequence[str] = ("hub",),
    backends: Sequence[str] = (),
    home: Path | Home | None = None,
) -> Fits:
    """Whether a model can be run here, recipe by recipe; nothing is downloaded but metadata.

    `model` is an id with an optional @REVISION. Raises NotFound, AccessRequired or
    SourceUnavailable where nothing can be learnt about it.
    """
    from recommender.api import home_of, names
    from recommender.planning import Shelf

    query = Query.parse(
        (),
        task=task,
        models=(model,),
        sources=names(sources),
        backends=names(backends, what="backends"),
    )
    place = home_of(home)
    with Shelf.open(place, query.sources) as shelf:
        found = shelf.model(model)
        if not found.described:
            found = shelf.sources[found.source].model(found.id, found.revision or None)
    return judge(found, query, Room.here(place.folder))


def judge(model: Model, query: Query, room: Room) -> Fits:
    """The verdict on each recipe of a model in a room."""
    gates = Gates(room)
    barred = gates.bar_model(model, query)
    offered = [] if barred else offered_candidates(model, recipe_methods(), query)
    if barred is None and not offered:
        barred = State.UNSUPPORTED, "no recipe on this machine can run it"
    return Fits(
        model=model.id,
        revision=model.revision,
        source=model.source,
        room=room,
        recipes=tuple(_fit(candidate, gates) for candidate in offered),
        reason=f"{barred[0]}: {barred[1]}" if barred else "",
    )


def _fit(candidate: Candidate, gates: Gates) -> Fit:
    model, peak_mb = candidate.model, predicted_peak_mb(candidate.model, candidate.recipe)
    reason = _why_not(candidate, gates, peak_mb)
    return Fit(
        recipe=candidate.recipe.name,
        weights_mb=(model.weight_bytes or 0) / 1e6,
        peak_memory_mb=peak_mb,
        download_mb=to_download_mb(candidate),
        disk_mb=disk_needed_mb(candidate),
        fits=not reason,
        reason=reason or "it fits",
    )


def _why_not(candidate: Candidate, gates: Gates, peak_mb: float) -> str:
    barred = gates.bar_candidate(candidate) or gates.bar_now(candidate)
    if barred is not None:
        return barred[1]
    safe_mb = gates.room.safe_available_mb
    if safe_mb is None or peak_mb <= safe_mb:
        return ""
    return (
        f"not at the moment: {gates.room.available_mb:,.0f} MB of memory are available, "
        f"{safe_mb:,.0f} MB of them safe to use"
    )
