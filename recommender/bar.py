"""The bar that quality must reach: each asked quality as a condition with its target."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cache.errors import BadInput
from evaluators.quality.specs import OF_LABELS, MetricSpec
from recommender.evidence.conditions import APPROXIMATE, CLASS_METRICS, EXACT, Condition, is_exact
from recommender.query import Query
from recommender.requirement import Requirement


@dataclass(frozen=True, slots=True)
class Asked:
    """One quality requirement: what is tested, and where its target lies on that scale.

    `target` is None while it waits for the baseline's certified upper bound. `level` is the
    target as a quality between 0 and 1, also where a paired difference is tested. `gain` names
    what is claimed of a metric of which less is better; `reads_scores` says that it needs the
    scores of labels where answers hold them.
    """

    requirement: Requirement
    condition: Condition
    target: float | None
    exact: bool
    level: float = 0.0
    gain: str = ""
    reads_scores: bool = False

    @classmethod
    def of(cls, requirement: Requirement, query: Query) -> "Asked":
        """The condition that a requirement stands for.

        A class metric relative to a baseline is no mean of paired differences: its target waits for
        the baseline's certified upper bound. BadInput where no test is known.
        """
        spec = query.spec(requirement.measure)
        if spec.form != "counts":
            own = query.own.get(requirement.measure)
            return cls._of_rows(requirement, spec, own.digest if own else "")
        positive = query.positive
        exact = is_exact(requirement.measure)
        if not exact and requirement.measure not in APPROXIMATE:
            raise BadInput(
                f"'{requirement}': no test is known for {requirement.measure}, so nothing can be "
                f"claimed about it; ask for one of {', '.join(sorted(EXACT | APPROXIMATE))}, and "
                f"see it with: recommender measure --metric {requirement.measure}"
            )
        if not exact and requirement.relative:
            raise BadInput(
                f"'{requirement}': {requirement.measure} has no test against a baseline; ask for "
                "accuracy, f1, precision or recall, or give a number"
            )
        label = requirement.label or (positive if requirement.measure in CLASS_METRICS else None)
        paired = requirement.relative if requirement.measure not in CLASS_METRICS else ""
        condition = Condition(requirement.measure, label, requirement.slice, paired)
        if not requirement.relative or paired:
            sign = -1.0 if paired == "minus" else 1.0
            level = 0.0 if requirement.relative else requirement.bound
            return cls(requirement, condition, sign * requirement.bound, exact, level)
        return cls(requirement, condition, None, exact)

    @classmethod
    def _of_rows(cls, requirement: Requirement, spec: MetricSpec, source: str = "") -> "Asked":
        """A condition on answers that are no labels; of an error, on what is left of 1."""
        exact = spec.evidence == "exact"
        if requirement.relative and (spec.form != "mean" or not spec.higher_is_better):
            raise BadInput(
                f"'{requirement}': {requirement.measure} has no test against a baseline; "
                "give a number"
            )
        condition = Condition(
            requirement.measure, requirement.label, requirement.slice, requirement.relative,
            of_rows=True, source=source,
        )  # fmt: skip
        sign = -1.0 if requirement.relative == "minus" else 1.0
        target = spec.gain(requirement.bound) if not requirement.relative else requirement.bound
        level = 0.0 if requirement.relative else target
        subject = spec.gained(requirement.subject) if not spec.higher_is_better else ""
        scores = spec.needs in OF_LABELS
        return cls(requirement, condition, sign * target, exact, level, subject, scores)

    @property
    def subject(self) -> str:
        """What is claimed about: `recall[urgent]`, `accuracy / baseline`, `1 - wer`."""
        if self.gain:
            return self.gain
        return self.condition.key if self.condition.relative else self.requirement.subject

    @property
    def waits(self) -> bool:
        """Whether the baseline's certified upper bound decides the target."""
        return bool(self.requirement.relative) and not self.condition.relative


@dataclass(frozen=True, slots=True)
class Screening:
    """What a candidate that is screened would have to pass: the held-out units, at a level."""

    n_units: int
    level: float


@dataclass(frozen=True, slots=True)
class Bar:
    """All asked qualities, the units that they are judged on, and each candidate's goal.

    `batch_ends` are the numbers of units after each batch of labels; `goals` maps a line of the
    ledger to log(1/alpha), the wealth at which its candidate is certified. With `screening`
    nothing is certified on these units; chances are those of passing on the held-out ones.
    """

    asked: tuple[Asked, ...]
    n_units: int
    batch_ends: tuple[int, ...]
    goals: Mapping[str, float]
    screening: Screening | None = None

    @property
    def exact(self) -> bool:
        """Whether every asked quality has an exact test."""
        return all(asked.exact for asked in self.asked)

    @property
    def search_target(self) -> float:
        """The first target as a quality between 0 and 1, for the search's guesses."""
        return self.asked[0].level if self.asked else 0.0

    def with_baseline(self, values: Mapping[str, float], upper: Mapping[str, float]) -> "Bar":
        """The bar with the relative targets settled.

        `values` are the baseline's estimates by metric subject, `upper` its certified upper bounds
        by condition key, for the targets that waited.
        """
        return replace(self, asked=tuple(_settled(a, values, upper) for a in self.asked))


def _settled(asked: Asked, values: Mapping[str, float], upper: Mapping[str, float]) -> Asked:
    if asked.waits:
        target = asked.requirement.target(upper[asked.condition.key])
        return replace(asked, target=target, level=target)
    if asked.requirement.relative:
        return replace(asked, level=asked.requirement.target(values[asked.condition.key]))
    return asked


def asked_of(query: Query) -> tuple[Asked, ...]:
    """The conditions of a query, in the order in which they were asked."""
    return tuple(Asked.of(requirement, query) for requirement in query.quality)
