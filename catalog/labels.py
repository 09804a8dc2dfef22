"""Label names of models, made comparable."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

SYNONYMS = {"pos": "positive", "neg": "negative", "neu": "neutral"}
"""Abbreviations that mean the same in every model that was seen; anything else is a guess."""

GENERIC = re.compile(r"label_(\d+)", re.IGNORECASE)
"""What transformers calls the outputs of a model whose author named none."""


def normalised(label: str) -> str:
    """A label without case, spaces and punctuation, abbreviations written out.

    Numbers keep their sign and point: -1 is not 1. So do labels of punctuation only.
    """
    folded = label.strip().casefold()
    if re.fullmatch(r"[-+]?[\d.,]+", folded):
        return folded
    bare = "".join(sign for sign in folded if sign.isalnum()) or folded
    return SYNONYMS.get(bare, bare)


def output_names(outputs: Sequence[str], label2id: Mapping[str, int]) -> tuple[str, ...]:
    """The outputs' names, from `label2id` where `outputs` are generic and it is not."""
    by_index = {index: name for name, index in label2id.items()}
    complete = len(by_index) == len(label2id) and set(by_index) == set(range(len(outputs)))
    if not complete or not all(GENERIC.fullmatch(name) for name in outputs):
        return tuple(outputs)
    return tuple(by_index[index] for index in range(len(outputs)))


def label_set(labels: Iterable[str]) -> str:
    """The same text for the same labels, whatever their order and spelling."""
    return json.dumps(sorted({normalised(label) for label in labels}), ensure_ascii=False)
