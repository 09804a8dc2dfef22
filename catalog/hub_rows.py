"""The Hub's description of a model, read value by value: one bad value spoils no other."""

import re
from collections.abc import Mapping
from typing import Any  # the Hub's JSON

from catalog.card import CardFacts
from catalog.config import ConfigFacts
from catalog.ids import id_problem
from catalog.metadata import describe
from catalog.model import BYTES_BY_DTYPE, File, Model
from catalog.policy import Refusal
from catalog.untrusted import Unreadable, count, mapping, objects, text, texts
from catalog.weights import stored_bytes

COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
HEADER_BYTES_PER_FILE = 200_000  # headers of large models; what a header may add to its values


def read_id(row: object, position: int) -> str | Refusal:
    """The id of a listing's row, or why it has none; `position` names a row without."""
    id = text(mapping(row).get("id"))
    if id is None:
        return Refusal(f"(row {position + 1})", "corrupt", "the Hub listed a row without an id")
    problem = id_problem(id)
    return Refusal(ascii(id)[1:-1][:200], "corrupt", problem) if problem else id


def read_model(info: Mapping[str, Any], source: str) -> Model:
    """What the API tells of a model, before its config.json is read. Raises Unreadable."""
    id, revision = text(info.get("id")), text(info.get("sha"))
    if id is None or id_problem(id):
        raise Unreadable("the Hub described a model without a valid id")
    if revision is None or not COMMIT.fullmatch(revision):
        raise Unreadable(f"the Hub gave no commit hash but {revision!a}")
    return Model(
        id=id,
        revision=revision,
        source=source,
        task=text(info.get("pipeline_tag")),
        parameters=_parameters(info),
        files=tuple(_file(sibling) for sibling in objects(info.get("siblings"))),
        license=_license_tag(info),
        library=text(info.get("library_name")),
        downloads=count(info.get("downloads")),
        likes=count(info.get("likes")),
        disabled=info.get("disabled") is True,
        last_modified=text(info.get("lastModified")),
    )


def with_config(model: Model, info: Mapping[str, Any], config: Mapping[str, Any]) -> Model:
    """The model with what its config.json and its card tell."""
    card = dict(mapping(info.get("cardData")))
    card["model-index"] = info.get("model-index") or card.get("model-index")
    return describe(model, ConfigFacts.parse(config), CardFacts.parse(card))


def tells_true_parameters(model: Model) -> bool:
    """Whether the parameters that the Hub tells fit the bytes of the weights (fault F10)."""
    weights = [file for file in model.weight_files if file.path.endswith(".safetensors")]
    if not weights:
        return True  # nothing is there to compare with, or to read a header from
    if not model.parameters or not model.parameters.keys() <= BYTES_BY_DTYPE.keys():
        return False
    surplus = sum(file.size_bytes for file in weights) - stored_bytes(model.parameters)
    return 0 <= surplus <= HEADER_BYTES_PER_FILE * len(weights)


def _parameters(info: Mapping[str, Any]) -> dict[str, int]:
    told = mapping(mapping(info.get("safetensors")).get("parameters"))
    read = ((dtype, count(n)) for dtype, n in told.items())
    return {dtype: n for dtype, n in read if n is not None}


def _file(sibling: Mapping[str, Any]) -> File:
    path, size_bytes = sibling.get("rfilename"), count(sibling.get("size"))
    if not isinstance(path, str) or size_bytes is None:
        raise Unreadable(f"the Hub listed a file without name or size: {path!a}")
    sha256 = text(mapping(sibling.get("lfs")).get("sha256"))
    return File(path, size_bytes, sha256 if sha256 and SHA256.fullmatch(sha256) else None)


def _license_tag(info: Mapping[str, Any]) -> str | None:
    found = (tag.removeprefix("license:") for tag in texts(info.get("tags")) if "license:" in tag)
    return next(found, None)
