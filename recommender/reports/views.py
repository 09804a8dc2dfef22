"""What a page shows of a result, as plain values for the templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recommender.details.parts import Example
from recommender.leaderboard import Leaderboard
from recommender.recommendation import Claim, Outcome, Recommendation
from recommender.reports.detail_view import DetailView, detail_view
from recommender.reports.figures import at_least, quality
from recommender.reports.table import figure, headline, metric_of, search_sentence
from recommender.reports.table_view import Table, is_noisy, role_of, table_of

LEAST_MEANT = 1.05
"""Candidates that differ by a smaller factor are called equally large."""

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ReportView:
    """A recommendation, in the order in which it is read."""

    title: str
    where: str
    found: bool
    headline: str
    promise: str
    facts: Facts
    advice: tuple[str, ...]
    table: Table
    left_out: tuple[tuple[str, str, str], ...]
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
    best = "smallest sufficient" if result.plan.minimize == "size_mb" else "best sufficient"
    name = f"{choice.model} as {choice.recipe.name}"
    return f"{name} is the {best} candidate: {', '.join(part for part in parts if part)}."


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
    choice = result.choice
    n = result.plan.n_units
    known: list[tuple[str, str]] = []
    if choice is not None:
        known = [
            *((claim.subject, _claim_fact(claim)) for claim in choice.claims),
            ("size", _with_unit(choice, "size_mb")),
            ("latency p50 / p95", _latencies(choice)),
            ("peak memory", _with_unit(choice, "peak_memory_mb")),
            ("to download", _with_unit(choice, "download_mb")),
            ("licence", choice.license or "unknown"),
            ("revision", choice.revision[:12]),
        ]
        if choice.labels is not None and choice.labels.names:
            known.append(("labels", choice.labels.sentence))
    known.append(("rows", f"{n:,}" if n == result.plan.n_rows else f"{n:,} units"))
    return tuple((name, value) for name, value in known if value)


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
        found=result.choice is not None,
        headline=answer_sentence(result),
        promise=_promise(result),
        facts=_facts(result),
        advice=() if result.choice or not result.plan.requirements else result.notes,
        table=table_of(result),
        left_out=result.plan.left_out,
        proof=_proof(result),
        ties=result.ties,
        details=_details(result),
        examples=result.examples,
        notes=result.notes if result.choice or not result.plan.requirements else (),
        command=result.command,
        environment=_environment(result),
        figure_note=FIGURE_NOTE if result.plan.requirements else "",
        figures=tuple(figures),
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


FIGURE_NOTE = "The line is what was asked, and the shaded area holds what meets it."


def _promise(result: Recommendation) -> str:
    """The guarantee in a sentence; all of it stands in the proof."""
    asked = " and ".join(result.plan.requirements)
    if not asked:
        return "Nothing was asked for: the figures are estimates with 95 % intervals."
    if result.choice is None:
        return f"Asked: {asked}."
    chance = f"{100 * result.plan.delta:.3g} %"
    kind = "" if result.plan.exact else ", approximately"
    return (
        f"Asked: {asked}. The chance that any candidate called sufficient truly misses its quality "
        f"is at most {chance}{kind}, if these rows are independent draws from the inputs you will "
        "meet. The certified bound is covered by this; the estimate beside it is optimistic."
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


def board_view(board: Leaderboard, *, figures: Sequence[FigureView] = ()) -> BoardView:
    """Everything that the page of a leaderboard shows."""
    n = len(board.entries)
    return BoardView(
        title=f"{board.data}: leaderboard",
        where=", ".join(filter(None, (board.data, board.task))),
        headline=f"{n:,} candidates on {board.n_rows:,} rows of {board.data}",
        promise=(
            "What was measured on these rows so far, the best first; bars are 95 % intervals. "
            "A certified bound is of the search that proved it."
        ),
        table=table_of(board, board.machines),
        notes=board.notes,
        figures=tuple(figures),
    )
