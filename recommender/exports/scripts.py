"""The scripts of an export, which answer as the candidate was measured: `predict.py`, `recipe.py`.

For the tasks and runtimes known here it needs nothing of this project; for all others it calls it.
Into a script go numbers and names that are known here, and no text from a model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evaluators.hardware import LIBRARIES_BY_BACKEND
from evaluators.plugins import task_method
from evaluators.reading.shapes import SHAPES, Kind
from evaluators.serving import Serving
from evaluators.task import SEVERAL
from evaluators.tasks.base import CHANNELS
from evaluators.tasks.text_classification import PAIR

TEMPLATES = Path(__file__).with_name("templates")

TEXTS, IMAGES = "text-classification", "image-classification"

AUTO_CLASSES: Mapping[str, str] = {
    TEXTS: "AutoModelForSequenceClassification",
    IMAGES: "AutoModelForImageClassification",
}
"""The tasks whose scripts are plain, with transformers' class for their models."""

IMPORTS: Mapping[str, tuple[str, ...]] = {
    "onnxruntime": ("import onnxruntime",),
    "openvino": ("import openvino",),
    "torch": ("import inspect", "import torch"),
    "torch-int8": (
        "import inspect", "import warnings", "import torch",
        "from safetensors.torch import load_file",
        "from torch.ao.nn.quantized.dynamic import Linear",
    ),
}  # fmt: skip
"""What a plain script imports for each runtime, besides transformers' classes."""

STANDARD = ("inspect", "json", "pathlib", "warnings")

DISTRIBUTIONS: Mapping[str, str] = {"PIL": "pillow"}
"""What is installed under another name than it is imported."""

COLUMNS: Mapping[str, str] = {
    "input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids",
}  # fmt: skip
"""What a row of tokens holds for each input of a model."""

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "dtype": ("float32", "bfloat16", "int8", "float16"),
    "inference_precision": ("f32", "bf16"),
}
"""What our recipes write into serving.json."""

SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a script is given and prints; `example` are its arguments as typed."""

    inputs: str
    takes: str
    example: str


USAGES: Mapping[str, Usage] = {
    "text": Usage("texts", "texts on stdin, one a line", '"a text" "another"'),
    "pair": Usage("pairs", "pairs on stdin, with a tab", '"a text" "its mate"'),
    "image": Usage("files", "paths on stdin, one a line", "one.png two.png"),
    "sound": Usage("files", "paths on stdin, one a line", "one.wav two.wav"),
    "input": Usage("inputs", "JSON objects on stdin", '\'{"ROLE": "..."}\''),
}

NOUNS: Mapping[Kind, str] = {
    Kind.TEXT: "text", Kind.PROMPT: "text", Kind.MASKED: "text", Kind.IMAGE: "image",
    Kind.AUDIO: "sound",
}  # fmt: skip
"""What an input of one part is called; all others are JSON objects."""

MEDIA: Mapping[Kind, tuple[str, ...]] = {
    Kind.IMAGE: ("pillow",), Kind.AUDIO: ("soundfile", "soxr"),
}  # fmt: skip
"""What reads inputs of a kind."""


@dataclass(frozen=True, slots=True)
class Script:
    """Files by name, and the distributions that they need; `is_plain` without this project.

    `prints` says what a line of its output holds.
    """

    files: Mapping[str, str]
    usage: Usage
    prints: str
    needs: tuple[str, ...]
    is_plain: bool

    @property
    def requirements(self) -> str:
        """The lines of requirements.txt, with the versions that are installed here."""
        return "".join(f"{pinned(name)}\n" for name in self.needs)


def pinned(distribution: str) -> str:
    """`torch==2.13.0`: without the part of a version that package indexes do not know."""
    try:
        return f"{distribution}=={version(distribution).partition('+')[0]}"
    except PackageNotFoundError:
        return distribution


def script_for(serving: Serving, *, threads: int) -> Script:
    """The script for an artifact: plain where its task and runtime are known here."""
    if serving.task in AUTO_CLASSES and _runtime(serving) in IMPORTS and _is_known(serving):
        return _plain(serving, threads)
    return _by_recommender(serving, threads)


def _runtime(serving: Serving) -> str:
    is_int8 = serving.settings.get("dtype") == "int8"
    return "torch-int8" if serving.backend == "torch" and is_int8 else serving.backend


def _is_known(serving: Serving) -> bool:
    """Whether all that goes into a plain script is what our recipes and tasks write."""
    settings = [value in SETTINGS.get(name, ()) for name, value in serving.settings.items()]
    if serving.task == IMAGES:
        return all(settings)
    sides = {serving.truncation_side, serving.padding.side}
    return all(settings) and set(serving.input_names) <= set(COLUMNS) and sides <= set(SIDES)


def _plain(serving: Serving, threads: int) -> Script:
    images = serving.task == IMAGES
    several = bool(serving.options.get(SEVERAL))
    noun = "image" if images else "pair" if serving.options.get(PAIR) else "text"
    what = f"The labels of each {noun}" if several else f"A label for each {noun}"
    imports = _imports(serving)
    values = {
        "about": _about(what, noun),
        "answers": what if several else f"{what}, None where it is none of the data's labels",
        "imports": imports,
        "inputs": USAGES[noun].inputs,
        "is_pair": noun == "pair",
        "images": images,
        "several": several,
        "runtime": _runtime(serving),
        "threads": threads,
        "auto_class": AUTO_CLASSES[serving.task],
        "settings": serving.settings,
        "batch_size": serving.batch_size,
        **(_of_images(serving) if images else _of_texts(serving)),
    }
    files = {name: _render(f"{name}.jinja", **values) for name in ("predict.py", "recipe.py")}
    prints = "the labels of an input as a JSON list" if several else "the label of an input"
    return Script(files, USAGES[noun], prints, _needs(imports), is_plain=True)


def _about(what: str, noun: str) -> str:
    usage = USAGES[noun]
    return f"{what}: python predict.py {usage.example}, or {usage.takes}."


def _of_images(serving: Serving) -> dict[str, Any]:
    return {"mode": "L" if serving.options.get(CHANNELS) == 1 else "RGB"}


def _of_texts(serving: Serving) -> dict[str, Any]:
    padding = serving.padding
    return {
        "max_length": int(serving.max_length),
        "truncation_side": serving.truncation_side,
        "side": padding.side,
        "pad_id": int(padding.token_id),
        "pad_type_id": int(padding.type_id),
        "columns": [(name, COLUMNS[name]) for name in serving.input_names],
    }


def _imports(serving: Serving) -> str:
    """The imports in the usual order: the standard library, then all others."""
    images, runtime = serving.task == IMAGES, _runtime(serving)
    classes = ["AutoImageProcessor"] if images else []
    if runtime.startswith("torch"):
        classes += ["AutoConfig"] if runtime == "torch-int8" else []
        classes.append(AUTO_CLASSES[serving.task])
    lines = ["import json", "from pathlib import Path", "import numpy as np", *IMPORTS[runtime]]
    lines += ["from PIL import Image, ImageOps"] if images else ["from tokenizers import Tokenizer"]
    lines += [f"from transformers import {', '.join(sorted(classes))}"] if classes else []
    ordered = sorted(lines, key=lambda line: (line.startswith("from"), line.lower()))
    ours = [line for line in ordered if _module(line) in STANDARD]
    others = [line for line in ordered if _module(line) not in STANDARD]
    return "\n".join([*ours, "", *others])


def _module(line: str) -> str:
    return line.split()[1].partition(".")[0]


def _needs(imports: str) -> tuple[str, ...]:
    """The distributions behind import lines; of torch also what its images are made with."""
    modules = {_module(line) for line in imports.splitlines() if line}
    found = {DISTRIBUTIONS.get(name, name) for name in modules - set(STANDARD)}
    return _with_torchvision(found) if "pillow" in found else tuple(sorted(found))


def _with_torchvision(found: Iterable[str]) -> tuple[str, ...]:
    """Where torchvision is installed, transformers makes pixels with it, and slightly others."""
    installed = "==" in pinned("torchvision")
    return tuple(sorted([*found, *(["torchvision"] if installed else [])]))


def _by_recommender(serving: Serving, threads: int) -> Script:
    kinds = _kinds(serving.task)
    noun = NOUNS.get(kinds[0], "input") if len(kinds) == 1 else "input"
    labelled = task_method(serving.task).labelled and not serving.options.get(SEVERAL)
    what = f"A label for each {noun}" if labelled else f"An answer for each {noun}"
    about = _about(what, noun)
    text = _render(
        "predict_by_recommender.py.jinja",
        about=about, threads=threads, noun=noun, labelled=labelled,
    )  # fmt: skip
    libraries = LIBRARIES_BY_BACKEND.get(serving.backend, ())
    media = [name for kind in kinds for name in MEDIA.get(kind, ())]
    prints = "the label of an input" if labelled else "an answer, texts as they are, else as JSON"
    needs = tuple(sorted({"recommender", *libraries, *media}))
    return Script({"predict.py": text}, USAGES[noun], prints, needs, is_plain=False)


def _kinds(task: str) -> list[Kind]:
    """What the parts of an input are; none are known of a stranger's task."""
    shape = SHAPES.get(task)
    return [role.kind for role in shape.inputs if not role.optional] if shape else []


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # the output is Python, not HTML
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)
