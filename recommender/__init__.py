"""The smallest model that meets your accuracy, measured on your own data.

>>> from recommender import Requirement
>>> Requirement.parse("accuracy >= 0.9").violation(0.85) > 0
True
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cache.errors import RecommenderError
    from catalog.select import Selection
    from catalog.store import Catalog
    from evaluators.candidate import Candidate, Recipe
    from evaluators.measurement import Measurement, State
    from evaluators.quality.custom import Metric
    from evaluators.samples import Samples
    from recommender.api import Leaderboard, find, measure, plan
    from recommender.evidence.verdict import Verdict
    from recommender.fit import Fits, fits
    from recommender.recommendation import Outcome, Recommendation
    from recommender.requirement import Requirement

_HOMES = {
    "find": "recommender.api",
    "measure": "recommender.api",
    "plan": "recommender.api",
    "Catalog": "catalog.store",
    "Selection": "catalog.select",
    "fits": "recommender.fit",
    "Fits": "recommender.fit",
    "Leaderboard": "recommender.api",
    "Recommendation": "recommender.recommendation",
    "Outcome": "recommender.recommendation",
    "Requirement": "recommender.requirement",
    "Verdict": "recommender.evidence.verdict",
    "Samples": "evaluators.samples",
    "Candidate": "evaluators.candidate",
    "Recipe": "evaluators.candidate",
    "Measurement": "evaluators.measurement",
    "Metric": "evaluators.quality.custom",
    "State": "evaluators.measurement",
    "RecommenderError": "cache.errors",
}

__all__ = [
    "Candidate",
    "Catalog",
    "Fits",
    "Leaderboard",
    "Measurement",
    "Metric",
    "Outcome",
    "Recipe",
    "Recommendation",
    "RecommenderError",
    "Requirement",
    "Samples",
    "Selection",
    "State",
    "Verdict",
    "find",
    "fits",
    "measure",
    "plan",
]


def _check_neighbours() -> None:
    """The generic names catalog, cache and evaluators must be our own packages."""
    home = Path(__file__).parent.parent
    for name in ("catalog", "cache", "evaluators"):
        spec = find_spec(name)
        origin = Path(spec.origin).parent.parent if spec and spec.origin else None
        if origin != home:
            raise ImportError(
                f"recommender needs its own package '{name}', but Python finds "
                f"{spec.origin if spec else 'none'}; rename or move that file, "
                "or start Python from another folder"
            )


_check_neighbours()


def __getattr__(name: str) -> Any:  # Any: the facade's names have many types
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'recommender' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
