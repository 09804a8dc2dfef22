"""The bar that quality must reach: each requirement's target, and whether it can be proven."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from cache.errors import BadInput
from evaluators.measurement import Measurement
from recommender.evidence.binomial import below_or_undecided, max_errors, rows_needed
from recommender.evidence.verdict import Verdict
from recommender.query import Query
from recommender.requirement import Requirement

PROVABLE = "accuracy"
"""The one metric with an exact bound so far; the others are decided by estimates."""


@dataclass(frozen=True, slots=True)
class Target:
    """One quality requirement as a number; `level` is None where an estimate decides.

    `allowed_errors` is the most wrong answers with which accuracy can still reach it; -1 where
    not even a faultless run can, None for metrics that no count decides.
    """

    requirement: Requirement
    value: float
    level: float | None
    allowed_errors: int | None

    @property
    def metric(self) -> str:
        """The quality metric that it bounds."""
        return self.requirement.measure


def _target(
    requirement: Requirement, baseline: float | None, *, n_rows: int, level: float
) -> Target:
    value = requirement.target(baseline)
    if requirement.measure != PROVABLE:
        return Target(requirement, value, None, None)
    if requirement.of_baseline:
        return Target(requirement, value, None, floor(n_rows * (1 - value) + 1e-9))
    allowed = max_errors(n_rows, value, level)
    return Target(requirement, value, level, -1 if allowed is None else allowed)


@dataclass(frozen=True, slots=True)
class Bar:
    """All quality requirements of a search, for n_rows rows and one candidate's share of delta."""

    targets: tuple[Target, ...]
    n_rows: int
    level: float

    @classmethod
    def declare(
        cls,
        query: Query,
        *,
        n_rows: int,
        n_candidates: int,
        baseline: dict[str, float] | None = None,
    ) -> "Bar":
        """The bar of a query; `baseline` maps a metric to its value for the baseline model."""
        level = query.delta / max(1, n_candidates)
        known = baseline or {}
        targets = tuple(
            _target(requirement, known.get(requirement.measure), n_rows=n_rows, level=level)
            for requirement in query.quality
        )
        return cls(targets, n_rows, level)

    @property
    def proven(self) -> bool:
        """Whether every target has an exact bound."""
        return bool(self.targets) and all(target.level is not None for target in self.targets)

    @property
    def allowed_errors(self) -> int | None:
        """The most wrong answers with which the exact targets can be met; None without one."""
        exact = [t.allowed_errors or 0 for t in self.targets if t.level is not None]
        return min(exact, default=None)

    @property
    def hopeless_above(self) -> int:
        """A candidate with more wrong answers than this cannot pass, whatever is left."""
        counted = [t.allowed_errors for t in self.targets if t.allowed_errors is not None]
        return min([self.n_rows, *counted])

    def require_enough_rows(self, n_candidates: int) -> None:
        """BadInput where these rows can prove the target for no candidate, however good."""
        for target in self.targets:
            if target.level is not None and target.allowed_errors == -1:
                if target.value >= 1:
                    raise BadInput(f"'{target.requirement}' can be proven by no number of rows")
                needed = rows_needed(target.value, target.level)
                raise BadInput(
                    f"{self.n_rows} rows cannot prove '{target.requirement}' for {n_candidates} "
                    f"candidates, not even without an error; give at least {needed} rows, "
                    "or name fewer candidates (--model, --backend, --max-candidates)"
                )

    def verdict(self, n_wrong: int, n_seen: int, quality: Sequence[Measurement]) -> Verdict:
        """The verdict on a candidate: the worst over all targets."""
        values = {measurement.name: measurement.value for measurement in quality}
        found = [self._judge(target, n_wrong, n_seen, values) for target in self.targets]
        for verdict in (Verdict.INSUFFICIENT, Verdict.UNDECIDED):
            if verdict in found:
                return verdict
        return Verdict.SUFFICIENT if found else Verdict.UNDECIDED

    def _judge(
        self, target: Target, n_wrong: int, n_seen: int, values: dict[str, float]
    ) -> Verdict:
        if target.level is not None:
            if n_seen == self.n_rows and n_wrong <= (target.allowed_errors or 0):
                return Verdict.SUFFICIENT
            right = n_seen - n_wrong
            return below_or_undecided(right, n_seen, target=target.value, level=target.level)
        if n_seen < self.n_rows:
            allowed = target.allowed_errors
            too_many = allowed is not None and n_wrong > allowed
            return Verdict.INSUFFICIENT if too_many else Verdict.UNDECIDED
        value = values.get(target.metric)
        if value is None:
            return Verdict.UNDECIDED
        return Verdict.SUFFICIENT if value >= target.value else Verdict.INSUFFICIENT
