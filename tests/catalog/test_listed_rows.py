"""Rows of a listing, as they should be and as strangers may write them."""

import json
import os
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.ids import id_problem
from catalog.listed_rows import LISTED_FIELDS, read_listed
from catalog.model import Model, PublishedResult
from catalog.policy import Refusal
from catalog.store import Catalog
from catalog.untrusted import parse_json

N_EXAMPLES = 100_000 if os.environ.get("RECOMMENDER_NIGHTLY") == "1" else 2_000

ROW: dict[str, Any] = {
    "id": "acme/tiny-bert", "author": "acme", "sha": "a" * 40, "downloads": 12, "likes": 3,
    "pipeline_tag": "text-classification", "library_name": "transformers",
    "gated": False, "private": False, "disabled": False, "lastModified": "2025-03-01T12:00:00.000Z",
    "createdAt": "2024-03-01T12:00:00.000Z",
    "tags": ["transformers", "safetensors", "onnx", "bert", "text-classification", "finance", "de",
             "license:mit", "dataset:sst2", "base_model:google/bert", "region:us",
             "base_model:finetune:google/bert", "arxiv:1810.04805"],
    "config": {"architectures": ["BertForSequenceClassification"], "model_type": "bert",
               "quantization_config": {"quant_method": "gptq"}},
    "cardData": {"language": ["de", "gsw"], "license": "mit", "datasets": ["sst2", "acme/own"]},
    "model-index": [{"results": [{"dataset": {"name": "SST-2"},
                                  "metrics": [{"type": "accuracy", "value": 0.91}]}]}],
    "safetensors": {"parameters": {"F32": 70, "I64": 2}, "total": 72},
}  # fmt: skip


def test_a_row_tells_what_it_holds() -> None:
    """Each fact in its own field, and only the other tags as tags."""
    assert read_listed(ROW, 0, "hub") == Model(
        id="acme/tiny-bert", revision="a" * 40, source="hub", described=False, author="acme",
        task="text-classification", library="transformers", downloads=12, likes=3, license="mit",
        parameters={"F32": 70, "I64": 2}, languages=("de", "gsw"), base_models=("google/bert",),
        datasets=("sst2", "acme/own"), published=(PublishedResult("SST-2", "accuracy", 0.91),),
        formats=("safetensors", "onnx"), tags=("finance", "region:us", "arxiv:1810.04805"),
        architecture="BertForSequenceClassification", model_type="bert", quantization="gptq",
        created_at="2024-03-01T12:00:00.000Z", last_modified="2025-03-01T12:00:00.000Z",
    )  # fmt: skip


def test_two_hundred_results_are_kept() -> None:
    """A card may claim thousands."""
    metrics = [{"type": f"metric {n}", "value": 0.5} for n in range(300)]
    claims = [{"results": [{"dataset": {"name": "SST-2"}, "metrics": metrics}]}]
    found = read_listed(ROW | {"model-index": claims}, 0, "hub")
    assert isinstance(found, Model)
    assert len(found.published) == 200


def test_all_fields_are_asked_for() -> None:
    """A field that is read and not asked for would always be absent."""
    assert set(ROW) - {"id"} == set(LISTED_FIELDS)


ODD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a gate": ({"gated": "auto"}, {"gated": True}),
    "a quantised copy": ({"tags": ["base_model:quantized:a/b"]}, {"base_models": ("a/b",)}),
    "a colon in a data set": ({"tags": ["dataset:a:b"], "cardData": {}}, {"datasets": ("a:b",)}),
    "an absurd time": ({"lastModified": "9" * 24}, {"last_modified": None}),
    "a named licence": (
        {"cardData": {"license": "other", "license_name": "acme-1"}}, {"license": "acme-1"},
    ),
    "too long a tag": ({"tags": ["x" * 1000, "y"]}, {"tags": ("y",)}),
    "too many tags": (
        {"tags": [f"t{n}" for n in range(5000)]}, {"tags": tuple(f"t{n}" for n in range(100))},
    ),
    "no owner": ({"id": "gpt2", "author": None}, {"author": None}),
    "no author": ({"author": None}, {"author": "acme"}),
    "code": ({"config": {"auto_map": {"AutoModel": "x.Y"}}}, {"has_remote_code": True}),
}  # fmt: skip


@pytest.mark.parametrize(("told", "read"), ODD.values(), ids=ODD.keys())
def test_odd_values_are_read_with_care(told: dict[str, Any], read: dict[str, Any]) -> None:
    """Caps hold, and what the API writes in two ways is read in both."""
    model = read_listed(ROW | told, 0, "hub")
    assert {name: getattr(model, name) for name in read} == read


ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 2**53, 10**400, 1.5, -0.0, float("nan"), float("inf"), "", " ", "x",
    "\x00", "\x1b[31m", "../x", "..\\x", "\ud800", "\u202e", "a/b", "a/b/c", "license:", "dataset:",
    "base_model::", "base_model:merge:", "12", "nan", "en", "a" * 400, "9" * 24, [], {}, [[]],
    ["en", None, 7], {"a": {"b": ["c"]}}, [{}], "2025-13-45T99:99:99.999Z", "b" * 40,
]  # fmt: skip
INNER = (
    "architectures", "model_type", "id2label", "label2id", "max_position_embeddings", "vocab_size",
    "hidden_size", "num_hidden_layers", "quantization_config", "auto_map", "language", "license",
    "license_name", "datasets", "base_model", "model-index", "parameters", "results", "metrics",
    "dataset", "value", "type", "name", "0", "1", "\x00", "F32",
)  # fmt: skip


def odd_value(draw: random.Random, depth: int = 0) -> Any:
    """Any JSON value; with lists and objects to a depth of three."""
    if depth == 3 or draw.random() < 0.7:
        return draw.choice(ODD_VALUES)
    if draw.random() < 0.5:
        return [odd_value(draw, depth + 1) for _ in range(draw.randint(0, 4))]
    return {draw.choice(INNER): odd_value(draw, depth + 1) for _ in range(draw.randint(0, 4))}


def spoil(value: Any, draw: random.Random) -> Any:
    """The value with other values in some places, at any depth."""
    if draw.random() < 0.08:
        return odd_value(draw)
    if isinstance(value, dict):
        kept = {name: spoil(item, draw) for name, item in value.items() if draw.random() > 0.02}
        return kept | ({draw.choice(INNER): odd_value(draw)} if draw.random() < 0.2 else {})
    return [spoil(item, draw) for item in value] if isinstance(value, list) else value


def test_no_row_breaks_the_catalog(store: Catalog) -> None:
    """F09: whatever a row holds, it is a model or a refusal, and the store keeps both."""
    found: list[Model | Refusal] = []

    @settings(max_examples=N_EXAMPLES, deadline=None)
    @given(seed=st.integers(0, 2**64))
    def read(seed: int) -> None:
        row = spoil(ROW, random.Random(seed))
        (told,) = parse_json(json.dumps([row]).encode())
        found.append(read_listed(told, len(found), "hub"))

    read()
    models = [row for row in found if isinstance(row, Model)]
    refused = [row for row in found if isinstance(row, Refusal)]
    assert len(found) >= N_EXAMPLES
    assert models
    assert refused
    state = store.begin("hub", {})
    store.keep_page(state, models, refused, cursor="next", n_requests=1)
    last = {model.id: model for model in models}
    assert {model.id for model in store.models()} == last.keys()
    assert all(id_problem(id) is None for id in last)
    known = store.refusals()
    assert {refusal.id for refusal in known} == {refusal.id for refusal in refused}
    assert all(refusal.id.isprintable() and refusal.reason.isprintable() for refusal in known)
