"""Which models are turned down before anything is downloaded, and why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.model import Model

PUBLIC_ENDPOINT = "https://huggingface.co"

NO_TOKENIZER_NEEDED = frozenset(
    {"image-classification", "object-detection", "image-segmentation", "depth-estimation",
     "image-feature-extraction", "video-classification", "audio-classification"}
)  # fmt: skip
"""Tasks whose models carry a preprocessor in place of a tokenizer."""

VOCABULARY_FILES = frozenset(
    {"tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model",
     "tokenizer.model", "spm.model", "bpe.codes"}
)  # fmt: skip
"""Files that a tokenizer cannot do without; its other files hold settings only."""

PICKLE_ENDINGS = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A model that is left out; `state` is one of the states of evaluators.measurement.State."""

    id: str
    state: str
    reason: str


def refuse(model: Model) -> Refusal | None:
    """Why this model must not be run, or None where nothing speaks against it.

    Of a model that is known from a listing alone, only what the listing tells is judged.
    """
    found = (
        _disabled(model)
        or _gated(model)
        or _corrupt(model)
        or _flagged(model)
        or _remote_code(model)
        or _unsafe_format(model)
        or _no_tokenizer(model)
    )
    return Refusal(model.id, *found) if found else None


def is_unscanned(model: Model) -> bool:
    """Whether a description lacks the verdict of the Hub's security scan; folders have none.

    It came from another machine or an older release, or was asked for before the scan ended.
    """
    kind = model.source.partition(":")[0]
    return model.described and model.security is None and kind in ("hub", "snapshot")


def path_trick(paths: Iterable[str]) -> str | None:
    """The first path that could reach outside its folder or hide another file, described."""
    paths = tuple(paths)
    for path in paths:
        if _escapes(path):
            return f"the file name {path[:120]!r} is not a plain relative path"
    twins = [name for name, n in Counter(path.casefold() for path in paths).items() if n > 1]
    return f"two files differ only in case: {twins[0][:120]!r}" if twins else None


def _escapes(path: str) -> bool:
    parts = path.split("/")
    return (
        any(part in ("", ".", "..") for part in parts)
        or "\\" in path
        or not path.isprintable()  # NUL, line breaks, terminal escapes
        or path[1:2] == ":"  # C:/...
    )


def _disabled(model: Model) -> tuple[str, str] | None:
    if not model.disabled:
        return None
    return "disabled", "the Hub has shut this repository for everybody"


def _gated(model: Model) -> tuple[str, str] | None:
    if not model.gated:
        return None
    endpoint = model.source.removeprefix("hub:").replace("hub", PUBLIC_ENDPOINT, 1)
    return "gated", f"access is asked for at {endpoint}/{model.id}; then set HF_TOKEN"


def _corrupt(model: Model) -> tuple[str, str] | None:
    trick = path_trick(file.path for file in model.files)
    return ("corrupt", trick) if trick else None


def _flagged(model: Model) -> tuple[str, str] | None:
    if model.security in (None, "safe"):
        return None
    return "flagged unsafe", f"the Hub's security scan: {model.security}"


def _remote_code(model: Model) -> tuple[str, str] | None:
    if not model.has_remote_code:
        return None
    code = [file.path for file in model.files if file.path.endswith(".py")]
    found = f"it brings {code[0]}" if code else "its config.json names code (auto_map)"
    return "remote code", f"{found}; code of strangers is not run"


def _unsafe_format(model: Model) -> tuple[str, str] | None:
    if model.weight_files or model.onnx_files:
        return None
    if not model.described:
        return _unsafe_listing(model)
    if any(file.path.endswith(".gguf") for file in model.files):
        return "unsupported", "only GGUF weights, which no recipe serves"
    pickles = [file.path for file in model.files if file.path.endswith(PICKLE_ENDINGS)]
    found = f"only {pickles[0]}, a pickle" if pickles else "no weights"
    return "unsafe format", f"{found}: neither model.safetensors nor an ONNX graph"


def _unsafe_listing(model: Model) -> tuple[str, str] | None:
    """From the formats that a listing names; one that names none is looked at later."""
    if not model.formats or {"safetensors", "onnx"} & set(model.formats):
        return None
    if "gguf" in model.formats:
        return "unsupported", "only GGUF weights, which no recipe serves"
    return "unsafe format", f"only {', '.join(model.formats)}: neither safetensors nor ONNX"


def _no_tokenizer(model: Model) -> tuple[str, str] | None:
    if not model.described or model.task in NO_TOKENIZER_NEEDED:
        return None
    if any(file.path in VOCABULARY_FILES for file in model.files):
        return None
    return "no tokenizer", "neither tokenizer.json nor a vocabulary file"
