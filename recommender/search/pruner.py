"""Racing: a contender that will hardly be certified is given up, for now."""

from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial

from recommender.search.contender import LEAST_CHANCE
from recommender.search.logbook import STANDING


class Racing(BasePruner):
    """Prunes a trial whose last standing has too small a chance to be certified.

    The chance is that of the candidate's own answers and a flat prior. It is a futility stop: it
    binds nothing, a pruned contender may go on later, and no certificate depends on it.
    """

    def __init__(self, least_chance: float = LEAST_CHANCE) -> None:
        self._least_chance = least_chance

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial's last standing is hopeless; a certified one never is."""
        standing = trial.user_attrs.get(STANDING)
        if standing is None or standing["certified"]:
            return False
        return bool(standing["chance"] < self._least_chance)
