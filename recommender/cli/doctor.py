"""`recommender doctor`: what works on this machine, and what to install where it does not."""

from importlib.util import find_spec

import click

EXTRAS = {"onnx": ("onnx", "onnxruntime", "onnxscript"), "openvino": ("openvino", "nncf")}


@click.command("doctor", epilog="Example: recommender doctor")
def command() -> int:
    """Check the installation: libraries, stores, the Hub's settings, and the worker's isolation."""
    problems = [*_libraries(), *_stores(), *_hub(), *_worker()]
    if not problems:
        click.echo("all is well")
        return 0
    click.echo(f"{len(problems)} thing(s) to know: {'; '.join(problems)}")
    return 0


def _say(name: str, value: str) -> None:
    click.echo(f"{name:12} {value}")


def _libraries() -> list[str]:
    from evaluators.hardware import machine

    here = machine()
    _say("machine", here.describe())
    for library, version in here.libraries.items():
        _say(library, version)
    missing = [extra for extra, names in EXTRAS.items() if not all(map(find_spec, names))]
    for extra in missing:
        _say(extra, f'not installed; pip install "recommender[{extra}]" adds its recipes')
    return [f"the extra '{extra}' is not installed" for extra in missing]


def _stores() -> list[str]:
    from cache.measurements import Measurements
    from catalog.store import Catalog
    from recommender.api import home_of

    home = home_of(None)
    with Catalog(home.catalog) as catalog, Measurements(home.measurements) as store:
        stats, counts = catalog.stats(), store.counts()
    _say("stores", str(home.folder))
    _say("catalog", f"{stats.n_models:,} models")
    _say("measured", f"{counts['candidates']:,} candidates, {counts['predictions']:,} predictions")
    return []


def _hub() -> list[str]:
    from huggingface_hub import constants, get_token

    _say("hub", f"{constants.ENDPOINT}{' (offline)' if constants.HF_HUB_OFFLINE else ''}")
    _say("token", "set" if get_token() else "not set: gated models are out of reach")
    _say("weights", constants.HF_HUB_CACHE)
    return []


def _worker() -> list[str]:
    from evaluators.worker_process import Worker

    with Worker.start(threads=1, deadline_s=60) as worker:
        isolation = worker.network
    _say("worker", f"starts; kept from the network by: {isolation}")
    weak = isolation != "network namespace"
    return ["models are kept from the network by an audit hook only"] if weak else []
