"""The baseline that relative requirements compare with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from evaluators.candidate import Candidate
from recommender.bar import Asked
from recommender.bench import Bench
from recommender.trial import answers_of

if TYPE_CHECKING:
    from recommender.evidence.scores import Reduction
    from recommender.facts import Facts


def with_baseline(bench: Bench, candidate: Candidate, goals: Mapping[str, float]) -> Bench:
    """The bench whose relative targets are settled by the baseline's answers to all rows.

    Paired qualities are tested against its answers, row by row. A ratio of F1, precision or
    recall is tested against its certified upper bound, which owns a line of the ledger: `goals`,
    by condition.
    """
    from recommender.evidence.bounds import certified_upper

    facts = replace(bench.facts, baseline=tuple(answers_of(bench, candidate)))
    relative = [asked for asked in bench.bar.asked if asked.requirement.relative]
    values = {asked.condition.key: _own(asked, facts).estimate or 0.0 for asked in relative}
    upper = {
        asked.condition.key: certified_upper(
            _own(asked, facts),
            goal=goals[asked.condition.key],
            batch_ends=bench.bar.batch_ends,
        )
        for asked in relative
        if asked.waits
    }
    return replace(bench, facts=facts, bar=bench.bar.with_baseline(values, upper))


def _own(asked: Asked, facts: "Facts") -> "Reduction":
    """The baseline's own quality, not compared with anything."""
    from recommender.evidence.reductions import reduction
    from recommender.evidence.scores import Reduction
    from recommender.measures import reduced

    if not asked.reads_scores:
        facts = facts.plain
    own, answers = replace(asked.condition, relative=""), facts.baseline or ()
    if own.of_rows:
        found = reduced(own, replace(facts, baseline=None), answers)
        assert isinstance(found, Reduction)  # asked_of refuses the others relative to a baseline
        return found
    return reduction(
        own,
        truths=facts.truths,
        answers=answers,
        slices=facts.slices,
        units=facts.unit_of_row,
        weights=facts.weights,
        grouped=facts.grouped,
    )
