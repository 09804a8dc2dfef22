"""The main figure as an SVG file."""

from recommender.reports.table import Result


def render(result: Result, *, verbose: bool = True) -> str:
    """Quality against size; `verbose` changes nothing."""
    from recommender.reports.drawing import main_figure
    from recommender.reports.vector import standalone_svg

    return standalone_svg(main_figure(result))
