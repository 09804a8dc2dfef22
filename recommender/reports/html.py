"""One self-contained page: the answer, the frontier, the table, the proof, the command.

It opens without network, and shows its figures and tables without a script.
"""

import base64
from collections.abc import Sequence

from markupsafe import Markup

from recommender.leaderboard import Leaderboard
from recommender.recommendation import Outcome, Plan, Recommendation
from recommender.reports.pages import page
from recommender.reports.table import Result, cells, header, metric_of, plan_lines, tried
from recommender.reports.views import BoardView, FigureView, ReportView, board_view, report_view

MANY = 2_000
"""With more candidates a page shows the first two costs only, to stay below 1 MB."""
IN_NOTEBOOK = 12
"""So many rows of the table are shown in a notebook."""


def render(result: Result, *, verbose: bool = True) -> str:
    """The page of a result; `verbose` changes nothing, a page folds what is long."""
    if isinstance(result, Plan):
        return _plan(result)
    figures = _figures(result)
    if isinstance(result, Leaderboard):
        return page("leaderboard.html", view=board_view(result, figures=figures))
    race, sentence = _race(result)
    view = report_view(result, figures=figures, race=race, race_sentence=sentence)
    return page("report.html", view=view)


def notebook(result: Recommendation | Leaderboard) -> str:
    """A fragment for a notebook's cell: the answer, the frontier, and the first candidates."""
    metric = metric_of(result)
    shown = _in_short(result)[:IN_NOTEBOOK]
    view: ReportView | BoardView = (
        report_view(result) if isinstance(result, Recommendation) else board_view(result)
    )
    return page(
        "notebook.html",
        view=view,
        figure=_picture(result),
        columns=header(result),
        rows=[cells(result, outcome, metric) for outcome in shown],
        n_more=_n_known(result) - len(shown),
    )


def _in_short(result: Recommendation | Leaderboard) -> list[Outcome]:
    """The choice and the frontier; all that was measured where nothing was asked."""
    if isinstance(result, Leaderboard):
        return list(result.entries)
    outcomes = tried(result)
    if not result.plan.requirements:
        return outcomes
    return [outcome for outcome in outcomes if outcome is result.choice or outcome.on_frontier]


def _n_known(result: Recommendation | Leaderboard) -> int:
    return len(result.candidates if isinstance(result, Recommendation) else result.entries)


def _picture(result: Recommendation | Leaderboard) -> str:
    """The main figure as a file in base64; empty where nothing can be drawn."""
    from recommender.reports.points import available_axes

    axes = available_axes(result)
    if not axes:
        return ""
    from recommender.reports.drawing import frontier_figure
    from recommender.reports.vector import standalone_svg

    return base64.b64encode(standalone_svg(frontier_figure(result, axes[0])).encode()).decode()


def _figures(result: Recommendation | Leaderboard) -> Sequence[FigureView]:
    """The frontier against each cost that is known."""
    from recommender.reports.points import AXES, available_axes

    axes = available_axes(result)
    if _n_known(result) > MANY:
        axes = axes[:2]
    if not axes:
        return ()
    from recommender.reports.drawing import frontier_figure
    from recommender.reports.vector import inline_svg

    shown = []
    for name in axes:
        figure = frontier_figure(result, name)
        svg = inline_svg(figure, figure.title, figure.description)
        shown.append(FigureView(name, AXES[name].label, Markup(svg)))  # noqa: S704 - drawn by us
    return shown


def _race(result: Recommendation) -> tuple[str, str]:
    """How many rows each candidate was given, and the sentence to it."""
    if not any(outcome.n_rows for outcome in result.candidates):
        return "", ""
    from recommender.reports.drawing import race_figure, race_sentence
    from recommender.reports.vector import inline_svg

    figure = race_figure(result)
    svg = inline_svg(figure, figure.title, figure.description)
    return Markup(svg), race_sentence(result)  # noqa: S704 - drawn by us


def _plan(plan: Plan) -> str:
    return page(
        "plan.html",
        view={
            "title": "The plan of a search",
            "where": "nothing is run, no label is used",
            "headline": f"Plan: {plan.sentence()}.",
            "lines": [line for _, line in plan_lines(plan)],
            "candidates": plan.candidates,
            "left_out": plan.left_out,
        },
    )
