"""The main figure as a PNG file."""

from recommender.reports.table import Result


def render(result: Result, *, verbose: bool = True) -> bytes:
    """Quality against size, with two pixels for each of the figure's; `verbose` changes nothing."""
    from recommender.reports.drawing import main_figure
    from recommender.reports.vector import png

    return png(main_figure(result))
