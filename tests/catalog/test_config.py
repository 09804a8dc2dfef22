"""What config.json tells, and what it may not break."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.config import ConfigFacts, config_digest

TEXT = st.text("01a é\x00", max_size=3)  # all of Unicode takes seconds to set up
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
KNOWN_KEYS = [
    "architectures", "model_type", "id2label", "label2id", "num_hidden_layers", "vocab_size",
    "hidden_size", "max_position_embeddings", "position_embedding_type", "auto_map",
]  # fmt: skip


def test_labels_come_in_the_order_of_the_outputs() -> None:
    """The eleventh label follows the tenth, whatever the order in the file."""
    names = {str(index): f"class {index}" for index in reversed(range(12))}
    labels = ConfigFacts.parse({"id2label": names}).labels
    assert labels == tuple(f"class {index}" for index in range(12))


@pytest.mark.parametrize(
    "id2label",
    [{"0": "a", "2": "c"}, {"0": "a", "1": None}, {"0": "a", "1": True}, ["a", "b"], {"0": " "}],
    ids=["gap", "null", "boolean", "list", "blank"],
)
def test_labels_are_unknown_when_one_is_missing(id2label: object) -> None:
    """Half a list of labels would name the wrong output: there is none instead."""
    assert ConfigFacts.parse({"id2label": id2label}).labels == ()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514}, 512),
        ({"n_positions": 1024}, 1024),
        ({"model_type": "roberta", "max_position_embeddings": 2}, None),
        ({}, None),
    ],
    ids=["bert", "roberta", "gpt2", "too short", "unknown"],
)
def test_max_length_is_the_number_of_usable_positions(
    config: dict[str, Any], expected: int | None
) -> None:
    """RoBERTa's first two positions hold no token."""
    assert ConfigFacts.parse(config).max_length == expected


BERT = {"vocab_size": 100, "hidden_size": 8, "max_position_embeddings": 16, "type_vocab_size": 2}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (BERT, (100 + 16 + 2) * 8),
        (BERT | {"embedding_size": 4}, (100 + 16 + 2) * 4),
        ({"vocab_size": 100, "dim": 8, "max_position_embeddings": 16}, (100 + 16) * 8),
        (BERT | {"rope_theta": 1e4, "type_vocab_size": 0}, 100 * 8),
        ({"vocab_size": 100}, None),
        ({"hidden_size": 768}, None),
    ],
    ids=["bert", "albert", "distilbert", "rotary", "unknown width", "no vocabulary"],
)
def test_embedding_parameters_count_words_positions_and_types(
    config: dict[str, Any], expected: int | None
) -> None:
    """Learned positions count, rotary ones have no table."""
    assert ConfigFacts.parse(config).embedding_parameters == expected


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("DistilBertForSequenceClassification", "text-classification"),
        ("BertForTokenClassification", "token-classification"),
        ("ViTForImageClassification", "image-classification"),
        ("BertModel", None),
    ],
)
def test_the_task_is_told_by_the_head(architecture: str, task: str | None) -> None:
    """The class's last words name the task."""
    assert ConfigFacts.parse({"architectures": [architecture]}).task == task


@given(st.dictionaries(st.sampled_from(KNOWN_KEYS), JSON))
def test_no_value_of_a_wrong_type_breaks_the_reading(config: dict[str, Any]) -> None:
    """Whatever a config holds, each fact has its type or is absent."""
    facts = ConfigFacts.parse(config)
    assert all(isinstance(label, str) for label in facts.labels)
    assert facts.max_length is None or facts.max_length > 0
    assert facts.embedding_parameters is None or facts.embedding_parameters < 2**53


def test_a_digest_is_of_what_decides_answers() -> None:
    """Neither the order of keys nor who wrote the file enters it; all else does."""
    config = {"hidden_size": 4, "id2label": {"0": "no", "1": "yes"}}
    written = {"_name_or_path": "/tmp/x", "transformers_version": "5.0", **config}
    assert config_digest(dict(reversed(written.items()))) == config_digest(config)
    assert config_digest({**config, "hidden_size": 5}) != config_digest(config)
    turned = {"id2label": {"0": "yes", "1": "no"}}
    assert config_digest(config | turned) != config_digest(config)
