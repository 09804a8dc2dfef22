"""The metrics that a search is given: names of known ones, and metrics of the user's own."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any  # what users hand over

from cache.errors import BadInput, NotFound
from cache.paths import Home
from recommender.requirement import canonical

if TYPE_CHECKING:
    from evaluators.quality.custom import Own
    from evaluators.quality.own_files import MetricFile

OF_A_CLASS = re.compile(r"\w+\[.+\]")
NAMED = re.compile(r"(?P<name>[a-z][a-zA-Z0-9_]*)=(?P<rest>.+)")
OF_A_HUB = re.compile(
    r"(?P<id>[^/@:\s]+/[^/@:\s]+)(?:@(?P<revision>[\w.-]+))?(?::(?P<figure>\w+))?"
)


@contextmanager
def opened(
    given: Any, *, allow_code: bool, home: Home, sources: Sequence[str] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, "Own"]]]:
    """The names of the given metrics, and those among them that are the user's own.

    A text is the name of a known metric, `FILE.py:FUNCTION`, the path of a module of `evaluate`, or
    `OWNER/NAME[@REVISION][:FIGURE]` of a Hub, the last three perhaps with `NAME=` before. All else
    is a function, a module of `evaluate`, or a `Metric`.
    """
    every = [given] if isinstance(given, str) or not isinstance(given, Sequence) else list(given)
    names, own = list[str](), dict[str, "Own"]()
    with ExitStack() as stack:
        for one in every:
            if isinstance(one, str) and re.fullmatch(r"[a-zA-Z][\w@ -]*", one):
                names.append(canonical(one))
                continue
            if isinstance(one, str) and OF_A_CLASS.fullmatch(one):
                raise BadInput(
                    f"{one!r} is of a class or a slice: ask for it as a requirement, '{one} >= 0.9'"
                )
            made = _made(one, stack, allow_code=allow_code, home=home, sources=sources)
            if made.name in own:
                raise BadInput(f"two metrics are called {made.name}; write NAME=... before one")
            own[made.name] = made
            names.append(made.name)
        yield tuple(names), own


def _made(
    given: Any, stack: ExitStack, *, allow_code: bool, home: Home, sources: Sequence[str]
) -> "Own":
    from evaluators.quality.custom import Metric, own_of

    if not isinstance(given, str):
        return own_of(Metric.of(given))
    named = NAMED.fullmatch(given)
    text = named["rest"] if named else given
    file = metric_file(text, allow_code=allow_code, home=home, sources=sources)
    if named:
        file.name = named["name"]
    stack.callback(file.close)
    return file.own()


def metric_file(text: str, *, allow_code: bool, home: Home, sources: Sequence[str]) -> "MetricFile":
    """The local file of a metric, which nobody has run yet; one of a Hub is fetched.

    BadInput for a metric of a Hub unless its code is allowed.
    """
    from evaluators.quality.own_files import MetricFile

    of_hub = OF_A_HUB.fullmatch(text)
    if of_hub is None or ".py" in text or Path(text).expanduser().exists():
        return MetricFile.parse(text)
    if not allow_code:
        raise BadInput(
            f"the metric {text!r} is somebody's code from the Hub; read it, and allow it with "
            "--allow-metric-code (allow_metric_code=True), or name a local file"
        )
    return _fetched(of_hub["id"], of_hub["revision"], of_hub["figure"] or "", home, sources)


def _fetched(
    id: str, revision: str | None, figure: str, home: Home, sources: Sequence[str]
) -> "MetricFile":
    """A metric of a Hub at one commit, kept for the next time."""
    from catalog.sources.spaces import python_files
    from evaluators.quality.own_files import MetricFile

    hubs = [name.partition(":")[2] for name in sources if name.split(":")[0] == "hub"]
    code = python_files(id, revision, endpoint=(hubs[0] or None) if hubs else None)
    main = f"{id.partition('/')[2]}.py"
    if main not in code.files:
        raise NotFound(f"the space {id} has no {main}, so it is no metric for evaluate")
    folder = home.folder / "metrics" / id.replace("/", "--") / code.commit
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in code.files.items():
        (folder / name).write_bytes(content)
    short = re.sub(r"\W", "_", figure or id.partition("/")[2])
    return MetricFile(folder / main, figure, short, origin=f"{id}@{code.commit}")
