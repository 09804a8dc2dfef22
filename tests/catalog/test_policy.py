"""Which models are turned down, and in what words."""

import re
from dataclasses import replace

import pytest

from catalog.model import File, Model
from catalog.policy import refuse

FILES = (File("config.json", 10), File("model.safetensors", 100), File("vocab.txt", 10))
SOUND = Model("demo/ant", "a" * 40, "hub", task="text-classification", files=FILES)


def with_files(*paths: str) -> Model:
    return replace(SOUND, files=tuple(File(path, 1) for path in paths))


REFUSED = {
    "gated": (replace(SOUND, gated=True), "gated", "HF_TOKEN"),
    "disabled": (replace(SOUND, disabled=True, gated=True), "disabled", "shut"),
    "flagged": (replace(SOUND, security="1 unsafe file"), "flagged unsafe", "scan: 1 unsafe file"),
    "gguf": (with_files("ant-q4.gguf", "vocab.txt"), "unsupported", "GGUF"),
    "pickle": (with_files("vocab.txt", "pytorch_model.bin"), "unsafe format", "pytorch_model.bin"),
    "no weights": (with_files("vocab.txt"), "unsafe format", "no weights"),
    "auto_map": (replace(SOUND, has_remote_code=True), "remote code", "auto_map"),
    "py file": (
        replace(with_files("modeling_x.py", "model.safetensors"), has_remote_code=True),
        "remote code",
        "modeling_x.py",
    ),
    "no vocabulary": (
        with_files("model.safetensors", "tokenizer_config.json"), "no tokenizer", "vocabulary"
    ),
    "parent": (with_files("../x", "model.safetensors", "vocab.txt"), "corrupt", r"\.\./x"),
    "absolute": (with_files("/etc/x", "model.safetensors", "vocab.txt"), "corrupt", "/etc/x"),
    "backslash": (with_files("a\\b", "model.safetensors", "vocab.txt"), "corrupt", "plain"),
    "NUL": (with_files("a\0b", "model.safetensors", "vocab.txt"), "corrupt", "plain"),
    "drive": (with_files("C:/x", "model.safetensors", "vocab.txt"), "corrupt", "plain"),
    "case twins": (with_files("Vocab.txt", "vocab.txt", "model.safetensors"), "corrupt", "case"),
}  # fmt: skip


@pytest.mark.parametrize(("model", "state", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_an_unfit_model_is_refused_by_name(model: Model, state: str, reason: str) -> None:
    """The state is one that a candidate can end in, and the reason names what was found."""
    refusal = refuse(model)
    assert refusal is not None
    assert (refusal.id, refusal.state) == ("demo/ant", state)
    assert re.search(reason, refusal.reason)


@pytest.mark.parametrize(
    "model",
    [
        SOUND,
        with_files("onnx/model.onnx", "tokenizer.json"),
        with_files("model.safetensors", "vocab.txt", "pytorch_model.bin"),
        replace(SOUND, security="safe"),
        replace(with_files("model.safetensors"), task="image-classification"),
    ],
    ids=["safetensors", "onnx only", "pickle beside", "scanned", "images need no tokenizer"],
)
def test_a_sound_model_is_not_refused(model: Model) -> None:
    """A pickle beside safe weights does no harm: it is never fetched."""
    assert refuse(model) is None


LISTED = Model("demo/ant", "", "hub", task="text-classification", described=False)


@pytest.mark.parametrize(
    ("model", "state"),
    [
        (LISTED, None),
        (replace(LISTED, formats=("safetensors", "pickle")), None),
        (replace(LISTED, formats=("pickle",)), "unsafe format"),
        (replace(LISTED, formats=("gguf",)), "unsupported"),
        (replace(LISTED, gated=True), "gated"),
    ],
    ids=["nothing told", "safetensors", "pickle", "gguf", "gated"],
)
def test_a_listed_model_is_judged_by_what_the_listing_tells(
    model: Model, state: str | None
) -> None:
    """That it has no files yet is no reason; they are looked at before any of them is fetched."""
    refusal = refuse(model)
    assert (refusal.state if refusal else None) == state
