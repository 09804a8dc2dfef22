"""What a page shows of a result, as plain values for the templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

from recommender.details.parts import Example
from recommender.leaderboard import Leaderboard
from recommender.recommendation import Claim, Outcome, Recommendation
from recommender.reports.detail_view import DetailView, detail_view
from recommender.reports.figures import at_least, on_units, quality
from recommender.reports.table import ended_early, figure, headline, metric_of, search_sentence
from recommender.reports.table_view import Table, is_noisy, role_of, table_of
from recommender.reports.trade_off import trade_off

LEAST_MEANT = 1.05
"""Candidates that differ by a smaller factor are called equally large."""

MOST_LEFT_OUT = 500
"""So many that were left out before the search are named."""
MOST_DRAWN = 540_000
"""Characters of a page's figures of the frontier together, so that it stays below 1 MB."""

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ReportView:
    """A recommendation, in the order in which it is read."""

    title: str
    where: str
    kind: Literal["found", "none", "measured"]
    headline: str
    promise: str
    facts: Facts
    advice: tuple[str, ...]
    trade_off: Facts
    table: Table
    left_out: tuple[tuple[str, str, str], ...]
    n_left_out: int
    proof: tuple[str, ...]
    ties: tuple[str, ...]
    details: tuple[DetailView, ...]
    examples: tuple[Example, ...]
    notes: tuple[str, ...]
    command: str
    environment: Facts
    figure_note: str
    figures: tuple["FigureView", ...] = ()
    race: str = ""
    race_sentence: str = ""


@dataclass(frozen=True, slots=True)
class FigureView:
    """One picture of the switchable figure: `svg` is markup of ours."""

    key: str
    label: str
    svg: str


@dataclass(frozen=True, slots=True)
class BoardView:
    """A leaderboard."""

    title: str
    where: str
    headline: str
    promise: str
    table: Table
    notes: tuple[str, ...]
    figure_note: str
    figures: tuple[FigureView, ...] = field(default=())


def answer_sentence(result: Recommendation) -> str:
    """`33x smaller than the baseline, accuracy proven >= 0.90 with 95 % confidence, p95 9 ms`."""
    choice = result.choice
    if choice is None or not result.plan.requirements:
        return headline(result)
    sure = f"with {100 * (1 - result.plan.delta):.4g} % confidence"
    shown = [f"{_proven(claim)} {sure}" for claim in choice.claims[:1]]
    shown += [_proven(claim) for claim in choice.claims[1:]]
    p95 = choice.value("latency_p95_ms")
    parts = [
        _smaller(result, choice),
        *shown,
        _size(choice),
        f"p95 {figure(p95)} ms" if p95 is not None else "",
    ]
    name = f"{choice.model} as {choice.recipe.name}"
    shown_first = f"{_best(result.plan.minimize)} shown to be sufficient{ended_early(result)}"
    return f"{name} is the {shown_first}: {', '.join(part for part in parts if part)}."


def _best(minimize: str) -> str:
    """`smallest candidate`, `candidate with the least p95 latency`."""
    from recommender.reports.points import AXES

    if minimize == "size_mb":
        return "smallest candidate"
    best = "most" if minimize == "throughput_per_s" else "least"
    return f"candidate with the {best} {AXES[minimize].label if minimize in AXES else minimize}"


def _proven(claim: Claim) -> str:
    kind = "proven" if claim.exact else "approximately"
    return f"{claim.subject} {kind} >= {target(claim.target)}"


def target(bar: float) -> str:
    """A bar as people write it, with two digits at least: 0.90."""
    short = f"{bar:g}"
    return short if len(short.partition(".")[2]) >= 2 else f"{bar:.2f}"


def _size(choice: Outcome) -> str:
    size = choice.value("size_mb")
    return "" if size is None else f"{figure(size)} MB"


def _smaller(result: Recommendation, choice: Outcome) -> str:
    """How much smaller than the baseline, where there is one."""
    if result.baseline is None:
        return ""
    mine, theirs = choice.value("size_mb"), result.baseline.value("size_mb")
    if not mine or not theirs:
        return ""
    return factor(theirs / mine, "smaller", "larger", "than the baseline")


def factor(ratio: float, less: str, more: str, what: str) -> str:
    """`33x smaller than the baseline`."""
    if ratio >= LEAST_MEANT:
        return f"{figure(ratio)}x {less} {what}"
    if ratio <= 1 / LEAST_MEANT:
        return f"{figure(1 / ratio)}x {more} {what}"
    return f"as large as {what.removeprefix('than ')}"


def _facts(result: Recommendation) -> Facts:
    shown = result.choice or _nearest(result)
    if shown is None:
        return ()
    named = "" if result.choice else f"{shown.model} as {shown.recipe.name}"
    known = (
        ("nearest candidate", named),
        *((_subject(shown, claim), _claim_fact(claim)) for claim in shown.claims),
        ("size", _with_unit(shown, "size_mb")),
        ("latency p50 / p95", _latencies(shown)),
        ("peak memory", _with_unit(shown, "peak_memory_mb")),
        ("to download", _with_unit(shown, "download_mb")),
        ("licence", shown.license or "unknown"),
    )
    return tuple((name, value) for name, value in known if value)


def _nearest(result: Recommendation) -> Outcome | None:
    """The candidate whose certified bounds lack the least, where nothing was sufficient."""
    judged = [o for o in result.candidates if o.shortfall is not None and not o.misses]
    if not result.plan.requirements or not judged:
        return None
    return min(judged, key=lambda o: (o.shortfall or 0.0, o.predicted_size_mb))


def _subject(outcome: Outcome, claim: Claim) -> str:
    """`accuracy on 1,000 rows`."""
    return claim.subject if not claim.n else f"{claim.subject} {on_units(outcome, claim.n)}"


def _claim_fact(claim: Claim) -> str:
    found = "" if claim.estimate is None else f"{quality(claim.estimate)}, "
    bound = f"certified {at_least(claim.lower)}" if claim.lower is not None else "not certified"
    return found + bound


def _with_unit(outcome: Outcome, name: str) -> str:
    measured = outcome.measurements.get(name)
    return "" if measured is None else f"{figure(measured.value)} {measured.unit}"


def _latencies(outcome: Outcome) -> str:
    p50, p95 = outcome.value("latency_p50_ms"), outcome.value("latency_p95_ms")
    if p50 is None and p95 is None:
        return ""
    noisy = " (noisy)" if is_noisy(outcome.measurements.get("latency_p95_ms")) else ""
    return f"{figure(p50)} / {figure(p95)} ms{noisy}"


def report_view(
    result: Recommendation,
    *,
    figures: Sequence[FigureView] = (),
    race: str = "",
    race_sentence: str = "",
) -> ReportView:
    """Everything that the page of a recommendation shows."""
    task = result.data.get("task", {}).get("name", "")
    name = str(result.data.get("name", ""))
    return ReportView(
        title=f"{name}: {result.choice.name if result.choice else 'no recommendation'}",
        where=", ".join(filter(None, (name, task))),
        kind=_kind(result),
        headline=answer_sentence(result),
        promise=_promise(result),
        facts=_facts(result),
        advice=_advice(result),
        trade_off=trade_off(result),
        table=table_of(result),
        left_out=result.plan.left_out[:MOST_LEFT_OUT],
        n_left_out=len(result.plan.left_out),
        proof=_proof(result),
        ties=result.ties,
        details=_details(result),
        examples=result.examples,
        notes=tuple(note for note in result.notes if note not in _advice(result)),
        command=result.command,
        environment=_environment(result),
        figure_note=_figure_note(result, figures),
        figures=_fitting(figures),
        race=race,
        race_sentence=race_sentence,
    )


def _details(result: Recommendation) -> tuple[DetailView, ...]:
    everybody = [*result.candidates, *([result.baseline] if result.baseline else [])]
    roles = {outcome.name: role_of(result, outcome) for outcome in everybody}
    metric = metric_of(result)
    return tuple(
        detail_view(name, roles.get(name, ""), metric, each)
        for name, each in result.details.items()
    )


MARKS = (
    "Each mark is a candidate: a model with a recipe. Bars are 95\u00a0% intervals of the estimate"
)
CERTIFIED = "the tick is the certified bound"
ASKED = "The line is what was asked, and the shaded area holds what meets it."


def _figure_note(result: Recommendation | Leaderboard, figures: Sequence[FigureView]) -> str:
    """How to read the figure, and which of its costs had no room."""
    is_asked = isinstance(result, Recommendation) and bool(result.plan.requirements)
    is_certified = is_asked or isinstance(result, Leaderboard)
    n_fitting = len(_fitting(figures))
    parts = [
        f"{MARKS}, {CERTIFIED}." if is_certified else f"{MARKS}.",
        ASKED if is_asked else "",
        f"No room for {' and '.join(each.label for each in figures[n_fitting:])}: see the table."
        if n_fitting < len(figures)
        else "",
    ]
    return " ".join(part for part in parts if part)


def _fitting(figures: Sequence[FigureView]) -> tuple[FigureView, ...]:
    """The first of the figures that have room on a page, one at least."""
    sizes = list(accumulate(len(each.svg) for each in figures))
    return tuple(figures[: max(1, sum(size <= MOST_DRAWN for size in sizes))])


def _kind(result: Recommendation) -> Literal["found", "none", "measured"]:
    if not result.plan.requirements:
        return "measured"
    return "found" if result.choice else "none"


def _advice(result: Recommendation) -> tuple[str, ...]:
    """What to mind about the choice; without one, what would help."""
    if result.choice is not None:
        return result.choice.flags
    if not result.plan.requirements:
        return ()
    return tuple(note for note in result.notes if note.startswith(HELPING)) or result.notes


HELPING = (
    "no candidate is left", "sufficient in quality, turned down", "certified all the same",
    "with a tolerance", "the closest was", "more labels",
    "more time",
)  # fmt: skip
"""How those notes begin that tell what is nearest to an answer, and what would help; the others
stand behind the proof."""


def _promise(result: Recommendation) -> str:
    """The guarantee in a sentence; all of it stands in the proof."""
    asked = " and ".join(result.plan.requirements)
    if not asked:
        return "Nothing was asked for: the figures are estimates with 95 % intervals."
    if result.choice is None:
        return NOT_SHOWN if result.candidates else NONE_LEFT
    chance = f"{100 * result.plan.delta:.3g} %"
    kind = "" if result.plan.exact else ", approximately"
    return (
        f"Asked: {asked}. The chance that any candidate called sufficient truly misses its quality "
        f"is at most {chance}{kind}, if these rows are independent draws from the inputs you will "
        "meet. The certified bound is covered by this; the estimate beside it is optimistic."
    )


NONE_LEFT = "Nothing was run: every candidate was left out before the search, each for its reason."
NOT_SHOWN = (
    "Not shown to meet it is not the same as shown to miss it: the table says of each candidate "
    "which of the two it is, and why."
)


def _proof(result: Recommendation) -> tuple[str, ...]:
    parts = [f"{_capital(result.guarantee)}."]
    if result.search:
        parts.append(f"Search: {search_sentence(result)}.")
    if result.plan.resolution:
        parts.append(f"{_capital(result.plan.resolution)}.")
    return tuple(parts)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _environment(result: Recommendation) -> Facts:
    known: Mapping[str, object] = result.environment
    libraries = known.get("libraries") or {}
    versions = (
        ", ".join(f"{name} {version}" for name, version in libraries.items())
        if isinstance(libraries, Mapping)
        else ""
    )
    pairs = [
        *_pinned(result.choice),
        ("machine", known.get("machine")),
        ("threads", known.get("threads")),
        ("recommender", known.get("recommender")),
        ("libraries", versions),
        ("search took", f"{known['elapsed_s']} s" if "elapsed_s" in known else None),
        ("data", result.data.get("name")),
        ("data set", result.data.get("dataset")),
        ("its revision", result.data.get("revision")),
        ("data fingerprint", str(result.data.get("fingerprint", ""))[:16]),
        ("ledger", result.plan.ledger[:16]),
        ("seed", result.plan.seed),
    ]
    return tuple((name, str(value)) for name, value in pairs if value not in (None, ""))


def _pinned(choice: Outcome | None) -> Facts:
    """Which files of the choice were measured, and how its outputs are read."""
    if choice is None:
        return ()
    labels = choice.labels.sentence if choice.labels and choice.labels.names else ""
    return (("revision of the choice", choice.revision[:12]), ("labels", labels))


def board_view(board: Leaderboard, *, figures: Sequence[FigureView] = ()) -> BoardView:
    """Everything that the page of a leaderboard shows."""
    n = len(board.entries)
    return BoardView(
        title=f"{board.data}: leaderboard",
        where=", ".join(filter(None, (board.data, board.task))),
        headline=f"{n:,} candidates on {board.n_rows:,} rows of {board.data}",
        promise=(
            "What was measured on these rows so far, the best first. "
            "A certified bound is of the search that proved it."
        ),
        table=table_of(board, board.machines),
        notes=board.notes,
        figure_note=_figure_note(board, figures),
        figures=_fitting(figures),
    )
