"""The answer: the choice, the frontier, the guarantee, and why each smaller one was turned down."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.errors import BadInput, NotFound
from cache.evaluations import Ranking
from cache.paths import Home
from evaluators.candidate import Recipe
from evaluators.labels import LabelMap
from evaluators.measurement import Measurement, State
from recommender.details.parts import Details, Example
from recommender.evidence.verdict import Verdict
from recommender.unseen import UNSEEN

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from recommender.exports.folder import Exported
    from recommender.serving import ReadyAnswerer, ReadyClassifier

SCHEMA_VERSION = 3
"""Of the JSON that users read, recommender/reports/schema/."""

BY_ACCURACY = Ranking("accuracy")

NOISY_TIMING = "noisy timing"
"""How the flag starts that is of the machine, and not of the candidate."""

NOT_RUN = (State.NOT_NEEDED, State.UNLIKELY, State.SKIPPED_BY_BUDGET)
"""How a candidate of the pool ends that nothing was asked of."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of one asked quality of a candidate.

    `subject` is the quality as it was asked (`recall[urgent]`), `target` its bar, `estimate` its
    value on the `n` units that say something about it. `lower` is certified: with all other
    bounds and verdicts of the ledger it holds with the asked confidence; None where none is known.
    """

    subject: str
    target: float
    estimate: float | None
    lower: float | None
    n: int
    exact: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """One candidate of the pool: its state, the verdict on its quality, and what was measured.

    `n_wrong` counts wrong answers among the `n_rows` rows that it was given, which are `n_units`
    independent units; None where an answer is no single label. `claims` are the asked qualities
    with their certified bounds, `misses` the requirements that it does not meet; `flags` are short
    warnings for a reader (`contamination: its card names the data set 'imdb'`).
    """

    model: str
    revision: str
    source: str
    recipe: Recipe
    state: State
    verdict: Verdict
    reason: str
    predicted_size_mb: float
    n_rows: int = 0
    n_wrong: int | None = 0
    n_units: int = 0
    claims: tuple[Claim, ...] = ()
    license: str | None = None
    labels: LabelMap | None = None
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    misses: tuple[str, ...] = ()
    on_frontier: bool = False
    flags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`owner/model@1a2b3c4d torch-int8`."""
        return f"{self.model}@{self.revision[:8]} {self.recipe.name}"

    def __repr__(self) -> str:
        return f"Outcome({self.name!r}, {self.state}, {self.verdict}: {self.reason!r})"

    @property
    def acceptable(self) -> bool:
        """Sufficient in quality, and within every limit."""
        return self.verdict is Verdict.SUFFICIENT and not self.misses

    @property
    def lower(self) -> float | None:
        """The certified bound of the first asked quality."""
        return self.claims[0].lower if self.claims else None

    @property
    def shortfall(self) -> float | None:
        """The tolerance that would pass: how far the bounds are below their targets, together.

        All claims share it (the binding one is fixed, not chosen), so it is certified too.
        """
        known = [claim.target - claim.lower for claim in self.claims if claim.lower is not None]
        return max(known) if known and len(known) == len(self.claims) else None

    def quality(self, metric: str) -> float | None:
        """The metric on all rows; accuracy also on the rows given before an early stop."""
        found = self.value(metric)
        if found is None and metric == "accuracy" and self.n_rows and self.n_wrong is not None:
            return 1 - self.n_wrong / self.n_rows
        return found

    def value(self, measure: str) -> float | None:
        """A measured figure, or None where it was not measured."""
        found = self.measurements.get(measure)
        return None if found is None else found.value

    def to_json(self) -> dict[str, Any]:
        """JSON form, read back by `from_json`."""
        return {
            **{name: getattr(self, name) for name in _PLAIN_FIELDS},
            "name": self.name,
            "recipe": self.recipe.to_json(),
            "labels": self.labels.to_json() if self.labels else None,
            "measurements": {name: asdict(m) for name, m in self.measurements.items()},
            "claims": [asdict(claim) for claim in self.claims],
            "misses": list(self.misses),
            "flags": list(self.flags),
            "acceptable": self.acceptable,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Outcome":
        """The inverse of `to_json`."""
        plain = {name: value[name] for name in _PLAIN_FIELDS}
        plain["state"] = State(plain["state"])
        plain["verdict"] = Verdict(plain["verdict"])
        measurements = {name: Measurement(**m) for name, m in value["measurements"].items()}
        return cls(
            **plain,
            recipe=Recipe.from_json(value["recipe"]),
            labels=LabelMap.from_json(value["labels"]) if value["labels"] else None,
            measurements=measurements,
            claims=tuple(Claim(**claim) for claim in value["claims"]),
            misses=tuple(value["misses"]),
            flags=tuple(value.get("flags", ())),
        )


_PLAIN_FIELDS = (
    "model", "revision", "source", "state", "verdict", "reason", "predicted_size_mb", "n_rows",
    "n_wrong", "n_units", "license", "on_frontier",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What is declared before any label is used: the pool, and what the rows can prove.

    `n_units` are the independent draws that the rows amount to, and `estimand` says what is
    counted. `ledger` is the hash of the declared pool, weights and order, `coverage` says what a
    ledger that these labels already had covers of this question. `exact` is False where a quality
    has an approximate bound only. `candidates` are names with their predicted size in MB, in the
    fixed order; `left_out` are names with the state and the reason; `warnings` are what the reader
    should know besides.
    """

    n_rows: int
    n_units: int
    n_candidates: int
    n_models: int
    delta: float
    seed: int
    minimize: str
    requirements: tuple[str, ...]
    estimand: str
    mode: str = "pool"
    ledger: str = ""
    coverage: str = ""
    exact: bool = True
    resolution: str = ""
    cost: str = ""
    download_mb: float = 0.0
    candidates: tuple[tuple[str, float], ...] = ()
    left_out: tuple[tuple[str, str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    def sentence(self) -> str:
        """`1,000 distinct texts, 32 candidates (4 models x recipes)`, and what they can prove."""
        units = "" if self.n_units == self.n_rows else f" ({self.n_units:,} units)"
        start = (
            f"{self.n_rows:,} rows{units}, {self.n_candidates} candidates ({self.n_models} models "
            f"x recipes)"
        )
        return f"{start}; {self.resolution}" if self.resolution else start


@dataclass(frozen=True, slots=True, repr=False)
class Recommendation:
    """What a search found. `choice` is None when nothing was shown to be sufficient.

    `ranking` is the quality that is shown where nothing is claimed, and whether more of it is
    better. `search` says why the search stopped (`reason`) and what it saved: candidates
    `raced_out`, `skipped` and `excluded`, and `saved_mb` never downloaded. `ties` are sentences
    about sufficient candidates that these rows cannot tell from the choice. `details` are of the
    choice, the frontier and the baseline, by candidate; `examples` are rows, where these were asked
    for, and are never stored.
    """

    plan: Plan
    choice: Outcome | None
    candidates: tuple[Outcome, ...]
    guarantee: str
    ended: str
    data: Mapping[str, Any]
    environment: Mapping[str, Any]
    search: Mapping[str, Any] = field(default_factory=dict)
    ties: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""
    baseline: Outcome | None = None
    details: Mapping[str, Details] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    from_memory: bool = False
    ranking: Ranking = BY_ACCURACY

    @property
    def frontier(self) -> tuple[Outcome, ...]:
        """The evaluated candidates that no other beats in quality, size and latency at once."""
        return tuple(outcome for outcome in self.candidates if outcome.on_frontier)

    def why(self, name: str | None = None) -> str:
        """Why each smaller candidate was turned down, a line each; or why the named one was.

        Raises NotFound for a name that is in no candidate.
        """
        if name is None:
            lines = [f"{o.name}: {o.reason}" for o in self.turned_down]
            n_not_run = len(self.candidates) - len(lines) - (self.choice is not None)
            return "\n".join([*lines, *([f"{n_not_run} more were not run"] if n_not_run else [])])
        found = [o for o in self.candidates if name in o.name]
        left_out = [f"{n}: {state}: {why}" for n, state, why in self.plan.left_out if name in n]
        if not found and not left_out:
            raise NotFound(f"no candidate is called '{name}'; see .candidates for the names")
        return "\n".join([*(f"{o.name}: {o.reason}" for o in found), *left_out])

    @property
    def turned_down(self) -> tuple[Outcome, ...]:
        """The candidates that were tried and are not the choice, in the pool's order."""
        return tuple(o for o in self.candidates if o is not self.choice and o.state not in NOT_RUN)

    def __str__(self) -> str:
        """The report that the command line prints."""
        from recommender.reports.text import render

        return render(self)

    def __repr__(self) -> str:
        chosen = self.choice.name if self.choice else None
        return f"Recommendation(choice={chosen!r}, candidates={len(self.candidates)})"

    def load(self, *, threads: int = 1) -> "ReadyClassifier | ReadyAnswerer":
        """The choice, ready to be called with inputs, from its pinned revision."""
        from recommender.serving import ready

        if self.choice is None:
            raise BadInput("nothing was shown to be sufficient, so there is nothing to load")
        home = Home(Path(self.environment["home"]).expanduser())
        return ready(self.choice, self.data["task"], home, threads=threads)

    def export(self, folder: str | Path) -> "Exported":
        """Write the choice to a new folder, ready to run without this search."""
        from recommender.exports.folder import export

        return export(self, folder)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from recommender.reports.html import notebook

        return notebook(self)

    def plot(self, axis: str = "size_mb") -> "Figure":
        """The frontier of quality against a cost, as a figure of matplotlib."""
        from recommender.reports.drawing import frontier_figure

        return frontier_figure(self, axis)

    def to_pandas(self) -> "pandas.DataFrame":
        """One row a candidate; figures that were not measured are NaN."""
        import pandas

        return pandas.DataFrame(self.records())

    def records(self) -> list[dict[str, Any]]:
        """One flat row a candidate with its role, and one of the baseline where it is no candidate.

        The role is `choice`, `baseline` or empty.
        """
        names = {outcome.name for outcome in self.candidates}
        apart = [self.baseline] if self.baseline and self.baseline.name not in names else []
        return [{"role": self.role_of(o), **record(o)} for o in (*self.candidates, *apart)]

    def role_of(self, outcome: Outcome) -> str:
        """`choice`, `baseline`, or empty."""
        if outcome is self.choice:
            return "choice"
        is_baseline = self.baseline is not None and outcome.name == self.baseline.name
        return "baseline" if is_baseline else ""

    def to_json(self) -> str:
        """The whole answer as JSON text, by the schema that its `$schema` names."""
        return json_text(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The whole answer as plain values."""
        return {
            "$schema": f"recommendation-{SCHEMA_VERSION}.json",
            "schema_version": SCHEMA_VERSION,
            "choice": self.choice.to_json() if self.choice else None,
            "guarantee": self.guarantee,
            "ended": self.ended,
            "search": dict(self.search),
            "ties": list(self.ties),
            "plan": asdict(self.plan),
            "frontier": [outcome.name for outcome in self.frontier],
            "candidates": [outcome.to_json() for outcome in self.candidates],
            "baseline": self.baseline.to_json() if self.baseline else None,
            "details": {name: each.to_json() for name, each in self.details.items()},
            "data": dict(self.data),
            "ranking": {name: getattr(self.ranking, name) for name in _OF_RANKING},
            "environment": dict(self.environment),
            "notes": list(self.notes),
            "command": self.command,
            "from_memory": self.from_memory,
            **({"examples": [asdict(each) for each in self.examples]} if self.examples else {}),
        }

    @classmethod
    def from_json(cls, text: str) -> "Recommendation":
        """The inverse of `to_json`; the choice is the same object as its place in candidates."""
        value = json.loads(text)
        candidates = tuple(Outcome.from_json(item) for item in value["candidates"])
        chosen = value["choice"]["name"] if value["choice"] else None
        plan = dict(value["plan"])
        plan["requirements"] = tuple(plan["requirements"])
        plan["warnings"] = tuple(plan.get("warnings", ()))
        for name in ("candidates", "left_out"):
            plan[name] = tuple(tuple(item) for item in plan[name])
        return cls(
            plan=Plan(**plan),
            choice=next((o for o in candidates if o.name == chosen), None),
            candidates=candidates,
            baseline=Outcome.from_json(value["baseline"]) if value["baseline"] else None,
            details={n: Details.from_json(d) for n, d in value.get("details", {}).items()},
            examples=tuple(Example(**each) for each in value.get("examples", ())),
            notes=tuple(value["notes"]),
            ties=tuple(value["ties"]),
            ranking=Ranking(**value.get("ranking", {"metric": "accuracy"})),
            **{name: value[name] for name in _PLAIN_ANSWERS},
        )

    def remembered(self) -> "Recommendation":
        """The same answer, marked as read from the store."""
        return replace(self, from_memory=True)


_PLAIN_ANSWERS = ("guarantee", "ended", "search", "data", "environment", "command")
_OF_RANKING = ("metric", "higher_is_better")


def json_text(value: Mapping[str, Any]) -> str:
    """For readers: JSON has no infinity (a perplexity may be infinite), so that is null there.

    What is not seen is escaped as JSON does it, also what UTF-8 cannot hold.
    """
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    return UNSEEN.sub(_escaped, text)


def _escaped(sign: re.Match[str]) -> str:
    """The sign in ASCII; the ends of the lines between values stay."""
    return sign[0] if sign[0] == "\n" else json.dumps(sign[0])[1:-1]


def _finite(value: Any) -> Any:  # Any: JSON of any depth
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def record(outcome: Outcome) -> dict[str, Any]:
    """One candidate as a flat row, for tables and data frames.

    What is known of a claim stands together; a figure with an interval has it beside it.
    """
    figures: dict[str, Any] = {}
    for name, m in outcome.measurements.items():
        figures[name] = int(m.value) if m.unit in WHOLE and m.value.is_integer() else m.value
        if m.low is not None and m.high is not None:
            figures |= {f"{name}_low": m.low, f"{name}_high": m.high}
    return {
        "model": outcome.model,
        "revision": outcome.revision,
        "recipe": outcome.recipe.name,
        "state": str(outcome.state),
        "verdict": str(outcome.verdict) if outcome.n_rows else "not run",
        "on_frontier": outcome.on_frontier,
        "license": outcome.license,
        "n_rows": outcome.n_rows,
        "n_wrong": outcome.n_wrong,
        "predicted_size_mb": outcome.predicted_size_mb,
        "flags": "; ".join(outcome.flags),
        **figures,
        **{name: value for claim in outcome.claims for name, value in _of_claim(claim).items()},
        "reason": outcome.reason,
    }


WHOLE = frozenset({"", "rows"})
"""Units of what is counted."""


def _of_claim(claim: Claim) -> dict[str, Any]:
    known = {
        "estimate": claim.estimate, "certified": claim.lower, "target": claim.target, "n": claim.n,
    }  # fmt: skip
    return {f"{claim.subject}_{name}": value for name, value in known.items()}
