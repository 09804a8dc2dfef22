"""The pool as the search sees it: contenders, and where each of them stands."""

from evaluators.candidate import Candidate
from evaluators.measurement import State
from recommender.bench import Bench
from recommender.costs import CostModel
from recommender.evidence.verdict import Verdict
from recommender.judgement import Judgement
from recommender.planning import Declared
from recommender.recommendation import Outcome
from recommender.requirement import STATIC_COSTS
from recommender.search.contender import Contender, Standing
from recommender.space import known_cost


def contenders_of(bench: Bench, declared: Declared, costs: CostModel) -> list[Contender]:
    """Every candidate of the pool, in its order, by what metadata and this machine's past tell."""
    minimize = declared.query.minimize
    found = []
    for candidate, metadata in zip(declared.pool.candidates, declared.metadata, strict=True):
        expected = costs.expect(candidate)
        published = metadata.published
        found.append(
            Contender(
                name=candidate.name,
                cost=known_cost(candidate, minimize if minimize in STATIC_COSTS else "size_mb"),
                cost_is_known=minimize in STATIC_COSTS,
                n_parameters=candidate.model.n_parameters,
                family=metadata.family,
                recipe=candidate.recipe.name,
                prior_quality=sum(published) / len(published) if published else None,
                goal=bench.goal(candidate),
                fixed_s=expected.download_s + expected.build_s + expected.load_s,
                row_s=expected.row_s,
                download_mb=0.0 if is_local(candidate) else candidate.download_mb,
                model=candidate.model.name,
            )
        )
    return found


def standing_of(
    outcome: Outcome, judged: Judgement | None, minimize: str, n_units: int
) -> Standing:
    """What an outcome means for the search."""
    if judged is None or outcome.state not in (State.EVALUATED, State.RACED_OUT):
        return Standing(0, None, 0.0, False, False, True, None, failed=True)
    certified = outcome.verdict is Verdict.SUFFICIENT
    return Standing(
        n_seen=judged.n_units,
        mean=judged.mean,
        chance=judged.chance,
        certified=certified,
        accepted=outcome.acceptable,
        finished=certified or judged.n_units == n_units,
        cost=outcome.value(minimize),
        informative=judged.informative,
    )


def standing_so_far(judged: Judgement) -> Standing:
    """Where a candidate stands between two rungs."""
    return Standing(
        n_seen=judged.n_units,
        mean=judged.mean,
        chance=judged.chance,
        certified=False,
        accepted=False,
        finished=False,
        cost=None,
        informative=judged.informative,
    )


def is_local(candidate: Candidate) -> bool:
    """Whether its files are in a folder here, so that nothing is downloaded."""
    return candidate.model.is_local
