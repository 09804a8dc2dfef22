"""The parts of delta that candidates get beforehand, from what is known without these labels.

A weight moves power only: whatever the weights are, as long as they were fixed before the labels
were used, the guarantee holds. Multiplicity costs the logarithm of 1/weight, so a rough model does:
the quality of a candidate is taken as normal, from its size, its recipe, results that its card
publishes on other data, and (weakly) what else speaks for the model: downloads, likes, family and
recency, weighed as catalog/score.py does.

The constants follow the world in which the procedure was simulated: accuracy rises from .72 at 5
million parameters to .945 at 1.5 billion, linear in log parameters, with a spread of .03 between
models. With metadata accurate to .03, such weights save a few percent of the answer's size; with
useless metadata they cost as much.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import log10, sqrt
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.model import Model
    from evaluators.candidate import Recipe

UNIFORM_PART = 0.3
"""What all candidates share alike, so that no guess can starve one: at worst it costs log(1/.3)."""

MARGIN = 0.02
"""Weight goes to candidates that are probably this much above the target: those nearer to it can
hardly be proven with any weight."""

SIZE_RANGE = (5e6, 1.5e9)
QUALITY_RANGE = (0.72, 0.945)
"""Expected quality at the ends of the range of parameters; linear in the logarithm between."""

MODEL_SPREAD = 0.03
"""The standard deviation of models of one size."""

UNKNOWN_SIZE_SPREAD = (QUALITY_RANGE[1] - QUALITY_RANGE[0]) / sqrt(12)
"""The standard deviation of a uniform draw from the range, where no size is known."""

RECIPE_EFFECTS: tuple[tuple[str, float, float], ...] = (
    ("prune", -0.03, 0.02),
    ("int4", -0.03, 0.02),
    ("int8", -0.004, 0.004),
    ("bf16", 0.0, 0.001),
    ("fp16", 0.0, 0.001),
)
"""Part of a recipe's name, its mean effect on quality and its spread; first match. Full precision
has none. The simulated world has pruned int4 as one recipe; either word takes its effect here."""

OTHER_DATA_SPREAD = 0.05
"""How far quality on other data lies from quality on these, alike for all results of one model."""

RESULT_SPREAD = 0.03
"""What one published result adds to that: selection, another split, another version."""

STANDING_EFFECT = 0.03
"""What the model's standing adds to the expected quality, of which it moves hardly more than .01. A
weak signal, our own choice; popularity follows age and fashion as much as quality."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a candidate without these labels; `published` lies in [0, 1], and
    `standing` (catalog.score.standing, in [-1, 1]) is how well known its model is."""

    n_parameters: float | None = None
    family: str = ""
    recipe: str = ""
    standing: float = 0.0
    published: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, model: "Model", recipe: "Recipe", *, metric: str, own_data: frozenset[str]
    ) -> tuple["Metadata", tuple[str, ...]]:
        """The metadata of a candidate, and in words what was left out of it.

        Results on the data set that the rows come from (`own_data`: its names) are left out, and
        so is the popularity of a model that names it: both may have been earned on these labels.
        """
        from catalog.score import share, standing

        kept, left_out = without_own(model, own_data)
        values = [share(r.value) for r in kept.published if r.metric.lower() == metric]
        known = cls(
            n_parameters=model.n_parameters,
            family=model.model_type or "",
            recipe=f"{recipe.method} {recipe.precision}",
            standing=standing(kept),
            published=tuple(value for value in values if value is not None),
        )
        return known, left_out


def without_own(model: "Model", own_data: frozenset[str]) -> tuple["Model", tuple[str, ...]]:
    """The model without what may have been earned on the rows' data set, and that in words."""
    own = [r for r in model.published if _is_any(r.dataset, own_data)]
    left_out = [f"{model.id}: {result.metric} published on {result.dataset}" for result in own]
    kept = replace(model, published=tuple(r for r in model.published if r not in own))
    if not own and trained_on(model, own_data) is None:
        return kept, ()
    told = [name for name in ("downloads", "likes") if getattr(model, name) is not None]
    if told:
        left_out.append(f"{model.id}: {' and '.join(told)}, earned with {_shown(own_data)}")
    return replace(kept, downloads=None, likes=None), tuple(left_out)


def trained_on(model: "Model", own_data: frozenset[str]) -> str | None:
    """The data set that a model's card names among its training data and that may be the rows' own;
    None where it names none."""
    return next((name for name in model.datasets if _is_any(name, own_data)), None)


def _is_any(name: str, own_data: frozenset[str]) -> bool:
    return any(same_data(name, own) for own in own_data)


def weights(metadata: Sequence[Metadata], target: float) -> tuple[float, ...]:
    """The weight of each distinct prediction function, summing to 1.

    w_j = .3/K + .7 p_j / sum(p), where p_j is the chance that the quality reaches target + .02.
    """
    n = len(metadata)
    chances = [chance(known, target + MARGIN) for known in metadata]
    total = sum(chances)
    if total <= 0:  # a target that nobody is expected to reach tells candidates apart no more
        return (1 / n,) * n
    return tuple(UNIFORM_PART / n + (1 - UNIFORM_PART) * chance / total for chance in chances)


def chance(known: Metadata, quality: float) -> float:
    """The chance that a candidate's quality reaches a value, by the normal model."""
    belief = expected_quality(known)
    return NormalDist().cdf((belief.mean - quality) / belief.stdev)


def expected_quality(known: Metadata) -> NormalDist:
    """What metadata says about a candidate's quality."""
    mean, variance = _of_size(known.n_parameters)
    if known.published:
        noise = OTHER_DATA_SPREAD**2 + RESULT_SPREAD**2 / len(known.published)
        trust = variance / (variance + noise)
        mean += trust * (fmean(known.published) - mean)
        variance *= 1 - trust
    recipe = known.recipe.lower()
    effect, spread = next(
        ((effect, spread) for part, effect, spread in RECIPE_EFFECTS if part in recipe), (0.0, 0.0)
    )
    mean += STANDING_EFFECT * known.standing + effect
    return NormalDist(mean, sqrt(variance + spread**2))


def merged(keys: Sequence[Hashable]) -> tuple[tuple[int, ...], ...]:
    """The positions of candidates that are one hypothesis, in the order of their first.

    A key holds everything that a prediction depends on. Only what is the same by construction may
    share one: candidates whose outputs agreed on the sample are still different functions.
    """
    found: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        found.setdefault(key, []).append(position)
    return tuple(tuple(positions) for positions in found.values())


def same_data(one: str, other: str) -> bool:
    """Whether two names may mean the same data set; in doubt they do.

    >>> same_data("stanfordnlp/sst2", "SST-2"), same_data("nyu-mll/glue:sst2 test[:500]", "sst2")
    (True, True)
    >>> same_data("glue/mnli", "glue/sst2"), same_data("glue", "SST2")
    (False, True)
    """
    a, b = _path(one), _path(other)
    if not a or not b:
        return False
    shorter, longer = sorted((a, b), key=len)
    starts_alike, ends_alike = longer[: len(shorter)] == shorter, longer[-len(shorter) :] == shorter
    return starts_alike or ends_alike or "".join(a) == "".join(b)


GLUE = frozenset({"cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli"})
"""The tasks of GLUE (Wang et al., 2018), which are known by their own names too."""

COLLECTIONS = frozenset({"glue"})
"""First parts of a name that are no owner."""

_SPLITS = frozenset({"train", "test", "validation", "valid", "dev", "default", "dataset"})


def _path(name: str) -> tuple[str, ...]:
    """The parts of a data set's name in letters and digits, without owner, split and suffix."""
    whole = re.sub(r"\[.*?\]|\.(csv|tsv|jsonl?|parquet)$", "", name.lower())
    owner, slash, rest = whole.partition("/")
    named = rest if slash and owner.strip() not in COLLECTIONS else whole
    words = (re.sub(r"[^a-z0-9]", "", word) for word in re.split(r"[/:\s]+", named))
    parts = tuple(word for word in words if word and word not in _SPLITS)
    return ("glue", *parts) if parts and parts[0] in GLUE else parts


def _of_size(n_parameters: float | None) -> tuple[float, float]:
    """The mean and the variance that a number of parameters speaks for."""
    low, high = QUALITY_RANGE
    if not n_parameters:
        return (low + high) / 2, MODEL_SPREAD**2 + UNKNOWN_SIZE_SPREAD**2
    smallest, largest = map(log10, SIZE_RANGE)
    place = (log10(n_parameters) - smallest) / (largest - smallest)
    return low + (high - low) * min(1.0, max(0.0, place)), MODEL_SPREAD**2


def _shown(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
