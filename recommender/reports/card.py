"""The choice as a model card of the Hub: what was shown, what was not, and how to do it again.

The metadata are written by huggingface_hub's own classes. Texts from models and data are escaped,
and paths of this machine are cut to their last part.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cache.errors import BadInput
from catalog.licenses import license_ids
from evaluators.measurement import Measurement
from recommender.recommendation import Claim, Outcome, Recommendation
from recommender.reports.figures import certified, on_units, quality, rounded_down
from recommender.reports.markdown import escape, item
from recommender.reports.table import clean, figure, headline
from recommender.requirement import COSTS

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

    from catalog.model import Model
    from recommender.exports.scripts import Script

LIBRARIES = {"torch": "transformers", "onnxruntime": "onnx", "openvino": "openvino"}
"""The Hub's names of the libraries that load what a backend runs."""

COUNTED = frozenset({"rows", "J", "Wh"})
"""Units of what is measured besides qualities and costs."""

_HUB_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?|code|multilingual")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_PLACE = re.compile(r"(?<![\w./~])~?/(?!/)(?:[^\s/'\",;:()=]+/+)+([^\s/'\",;:()=]+)/*")
_ARGUMENT = re.compile(r"(^|[:=,])~?/(?!/)(?:[^/:=,]+/+)*([^/:=,]+)/*")


def render(result: Recommendation, *, verbose: bool = True) -> str:
    """The card of a choice that is not exported. BadInput where nothing was chosen."""
    return card_of(result)


def card_of(
    result: Recommendation,
    *,
    model: "Model | None" = None,
    script: "Script | None" = None,
    warnings: Sequence[str] = (),
) -> str:
    """The card's text with its metadata.

    `model` is what the catalog knows of the choice, `script` how an export is run, `warnings` what
    is to be said of it besides.
    """
    from huggingface_hub import ModelCard

    choice = _choice_of(result)
    parts = [
        f"# {escape(choice.model)} as {escape(choice.recipe.name)}",
        told(headline(result)),
        _run(script),
        _labels(choice),
        _promised(result, choice),
        _not_promised(result, choice, warnings),
        _figures(choice),
        _measured(result),
        _origin(choice, model),
        _again(result),
    ]
    text = "\n\n".join(part for part in parts if part)
    metadata = _metadata(result, choice, model).to_yaml()
    return str(ModelCard(f"---\n{metadata}\n---\n\n{text}\n"))


def eval_results(result: Recommendation) -> dict[str, str]:
    """Files of the Hub's `.eval_results` folder, by name; none for data that is not on the Hub.

    https://huggingface.co/docs/hub/eval-results: `task_id` names a task in the data set's
    eval.yaml, which is not read here: where it has another than `default`, it is to be put in.
    """
    import yaml  # type: ignore[import-untyped]  # comes with huggingface_hub, untyped
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    choice, dataset = _choice_of(result), str(result.data.get("dataset") or "")
    main = next(iter(_qualities(choice)), None)
    if main is None or not _HUB_ID.fullmatch(dataset):
        return {}
    entry = EvalResultEntry(
        dataset_id=dataset,
        task_id="default",
        value=main.value,
        dataset_revision=result.data.get("revision"),
        notes=clean(_how(result, choice, main)),
    )
    entries = eval_result_entries_to_yaml([entry])
    text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)
    return {f"{dataset.replace('/', '--')}.yaml": text}


def told(text: str) -> str:
    """A sentence as Markdown shows it literally, with paths of this machine cut short."""
    return escape(without_places(text))


def without_places(text: str) -> str:
    """Absolute paths as their last part alone.

    >>> without_places("wrote /home/me/data/reviews.csv, see https://example.org/a/b")
    'wrote reviews.csv, see https://example.org/a/b'
    """
    return _PLACE.sub(r"\1", text)


def command_without_places(command: str) -> str:
    """A command with the same for its arguments, which may hold blanks.

    >>> command_without_places("recommender find '/my data/a.csv' --source folder:/models/zoo")
    'recommender find a.csv --source folder:zoo'
    """
    try:
        arguments = shlex.split(command)
    except ValueError:
        return without_places(command)
    return shlex.join(_ARGUMENT.sub(r"\1\2", each) for each in arguments)


def _choice_of(result: Recommendation) -> Outcome:
    if result.choice is None:
        raise BadInput("nothing was shown to be sufficient, so there is no choice to describe")
    return result.choice


# ---------------------------------------------------------------------------------- metadata
def _metadata(result: Recommendation, choice: Outcome, model: "Model | None") -> "ModelCardData":
    from huggingface_hub import ModelCardData

    recipe = choice.recipe
    on_hub = choice.source == "hub" and bool(_HUB_ID.fullmatch(choice.model))
    return ModelCardData(
        model_name=clean(choice.name),
        base_model=choice.model if on_hub else None,
        base_model_relation="quantized" if on_hub and recipe.precision != "fp32" else None,
        library_name=LIBRARIES.get(recipe.backend),
        pipeline_tag=str(result.data["task"]["name"]),
        language=_languages(model) or None,
        tags=["recommender", clean(recipe.backend), clean(recipe.precision)],
        eval_results=list(_results(result, choice)) or None,
        **_license(choice),
    )


def _languages(model: "Model | None") -> list[str]:
    return [each for each in model.languages if _LANGUAGE.fullmatch(each)] if model else []


def _license(choice: Outcome) -> dict[str, Any]:
    """The Hub's fields for it; none where it is unknown, as any other value would be a claim."""
    found = license_ids(choice.license)
    if not found:
        return {}
    if len(found) == 1 and _LICENSE.fullmatch(found[0]):
        return {"license": found[0]}
    return {"license": "other", "license_name": clean(choice.license or "")}


def _results(result: Recommendation, choice: Outcome) -> "Iterator[EvalResult]":
    """Every quality with its interval, then every certified bound."""
    from huggingface_hub import EvalResult

    data = result.data
    hub_id = data.get("dataset")
    about: dict[str, Any] = {
        "task_type": str(data["task"]["name"]),
        "dataset_type": clean(str(hub_id or f"private-{str(data['fingerprint'])[:12]}")),
        "dataset_name": clean(without_places(str(data["name"]))),
        "dataset_revision": data.get("revision"),
        "dataset_args": {"n_rows": int(data["n_rows"]), "fingerprint": data["fingerprint"]},
    }
    for found in _qualities(choice):
        spread = {"low": found.low, "high": found.high, "n": found.n}
        known = {name: value for name, value in spread.items() if value is not None}
        yield EvalResult(
            **about,
            metric_type=clean(found.name),
            metric_value=found.value,
            metric_name=f"{clean(found.name)}, estimate with its 95 % interval",
            metric_args=known,
        )
    baseline = _baseline(result, choice)
    against = {"baseline": clean(baseline)} if baseline else {}
    for claim in choice.claims:
        if claim.lower is not None:
            sure = f"{100 * (1 - result.plan.delta):.4g} % confidence"
            kind = "certified lower bound" if claim.exact else "approximate lower bound"
            yield EvalResult(
                **about,
                metric_type=clean(claim.subject),
                metric_value=claim.lower,
                metric_name=f"{clean(claim.subject)}, {kind} with {sure}",
                metric_args={"target": claim.target, "n": claim.n} | against,
            )


def _qualities(choice: Outcome) -> list[Measurement]:
    """What was measured of the answers; the first asked one first."""
    asked = [claim.subject for claim in choice.claims]
    found = [
        each
        for name, each in choice.measurements.items()
        if name not in COSTS and each.unit not in COUNTED
    ]
    return sorted(found, key=lambda each: each.name not in asked)


def _how(result: Recommendation, choice: Outcome, main: Measurement) -> str:
    bounds = [certified(claim) for claim in choice.claims[:1] if claim.subject == main.name]
    sure = f"with {100 * (1 - result.plan.delta):.4g} % confidence"
    parts = [
        f"{main.name} on {main.n:,} rows of {without_places(str(result.data['name']))}",
        *(f"{bound} {sure}" for bound in bounds if bound),
        f"{choice.recipe.name} on the processor",
        f"recommender {result.environment.get('recommender', '')}".strip(),
    ]
    return "; ".join(parts)


# ---------------------------------------------------------------------------------- the text
def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", *(part for part in parts if part)])


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(item(without_places(line)) for line in lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


def _run(script: "Script | None") -> str:
    if script is None:
        return _section("Run it", "    recommender export latest FOLDER")
    usage = script.usage
    commands = f"    pip install -r requirements.txt\n    python predict.py {usage.example}"
    prints = f"It prints {script.prints}, one line each; without arguments it reads {usage.takes}."
    if script.is_plain:
        needs = (
            "The scripts need the libraries in `requirements.txt` and nothing of recommender. In "
            f"your own code: `from recipe import predict`, which takes a list of {usage.inputs}."
        )
    else:
        needs = (
            "`predict.py` calls recommender, which `requirements.txt` names: a script without it "
            "would be long for this task or runtime."
        )
    return _section("Run it", commands, f"{prints} {needs}")


def _labels(choice: Outcome) -> str:
    if choice.labels is None or not choice.labels.names:
        return ""
    found = told(choice.labels.sentence)
    empty = (
        "An output that stands for none of the data's labels gives an empty line."
        if None in choice.labels.names
        else ""
    )
    return _section("Labels", f"In the order of the model's outputs: {found}.", empty)


def _promised(result: Recommendation, choice: Outcome) -> str:
    asked = told(" and ".join(result.plan.requirements))
    rows = [_claimed(claim, choice) for claim in choice.claims]
    header = ("quality", "asked", "estimate", "certified", "bound")
    table = _table(header, rows) if rows else ""
    promise = result.guarantee[:1].upper() + result.guarantee[1:]
    baseline = _baseline(result, choice)
    against = f"The baseline is {escape(baseline)}." if baseline else ""
    return _section("What is promised", f"Asked: {asked}.", against, table, f"{told(promise)}.")


def _baseline(result: Recommendation, choice: Outcome) -> str:
    """What the choice is compared with; empty where nothing is claimed relative to it."""
    is_relative = any(claim.subject.endswith(" baseline") for claim in choice.claims)
    return result.baseline.name if result.baseline and is_relative else ""


def _claimed(claim: Claim, choice: Outcome) -> tuple[str, ...]:
    estimate = "-"
    if claim.estimate is not None:
        estimate = f"{quality(claim.estimate)} {on_units(choice, claim.n)}"
    lower = "-" if claim.lower is None else f"\\>= {rounded_down(claim.lower):.3f}"
    kind = "exact" if claim.exact else "approximate"
    return escape(claim.subject), f"\\>= {claim.target:g}", estimate, lower, kind


def _not_promised(result: Recommendation, choice: Outcome, warnings: Sequence[str]) -> str:
    others = [each.name for each in result.candidates if each is not choice]
    notes = [
        note
        for note in result.notes
        if choice.name in note or not any(name in note for name in others)
    ]
    lines = [
        "Nothing is promised for inputs that are not drawn as these rows were: other sources, "
        "languages, times.",
        "Nothing was measured of fairness, safety, or inputs that are made to deceive.",
        "Times and memory are of the machine below; on another they are others.",
        *warnings,
        *choice.flags,
        *notes,
        *result.ties,
    ]
    return _section("What is not promised", _bullets(lines))


def _figures(choice: Outcome) -> str:
    rows = [
        (escape(each.name), _value(each), escape(each.unit), _n_of(each), told(each.note))
        for each in choice.measurements.values()
    ]
    header = ("measure", "value with its 95 % interval", "unit", "n", "note")
    return _section("Figures", _table(header, rows)) if rows else ""


def _n_of(found: Measurement) -> str:
    """None where the rows were counted over several searches, of which n knows the last."""
    return "-" if found.name == "rows_cut" else f"{found.n:,}"


def _value(found: Measurement) -> str:
    write = quality if found.unit == "ratio" else figure
    if found.low is None or found.high is None:
        return write(found.value)
    return f"{write(found.value)} ({write(found.low)} to {write(found.high)})"


def _measured(result: Recommendation) -> str:
    data, environment = result.data, result.environment
    libraries: Mapping[str, Any] = environment.get("libraries", {})
    facts = {
        "Data": f"{data['name']}, {data['n_rows']:,} rows, {data['n_units']:,} units "
        f"({result.plan.estimand})",
        "Hub data set": _published(data),
        "Fingerprint of the data": data["fingerprint"],
        "Machine": environment.get("machine"),
        "Threads": environment.get("threads"),
        "Libraries": ", ".join(f"{name} {found}" for name, found in libraries.items()),
        "recommender": environment.get("recommender"),
        "Search": f"{result.plan.n_candidates} candidates of {result.plan.n_models} models, mode "
        f"{result.plan.mode}, seed {result.plan.seed}, ledger {result.plan.ledger[:8] or 'none'}",
    }
    lines = [f"{name}: {value}" for name, value in facts.items() if value]
    return _section("How it was measured", _bullets(lines))


def _published(data: Mapping[str, Any]) -> str:
    return f"{data['dataset']} at {data.get('revision')}" if data.get("dataset") else ""


def _origin(choice: Outcome, model: "Model | None") -> str:
    facts = {
        "Model": choice.model,
        "Revision": choice.revision,
        "Source": command_without_places(choice.source),
        "Recipe": f"{choice.recipe.name} ({choice.recipe.method})",
        "Licence": choice.license
        or "unknown: ask the model's authors before you use it or pass it on",
        "Base models": ", ".join(model.base_models) if model else "",
        "Trained on, as its card says": ", ".join(model.datasets) if model else "",
    }
    lines = [f"{name}: {value}" for name, value in facts.items() if value]
    return _section("Where it is from", _bullets(lines))


def _again(result: Recommendation) -> str:
    if not result.command:
        asked = told(" and ".join(result.plan.requirements))
        return _section("Reproduce", f"Asked in Python: `recommender.find` with {asked}.")
    command = clean(command_without_places(result.command))
    is_cut = command != clean(result.command)
    return _section("Reproduce", f"    {command}", "Paths are cut to their last part." * is_cut)
