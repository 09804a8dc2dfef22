"""Repositories made on the spot: of plain bytes, or a real tiny BERT where that is needed."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from catalog.store import Catalog
from catalog.testing import LoopbackHub

WORDS = "good bad great awful fine poor the a film plot cast was is not very and but so it this"

BERT_CONFIG = {
    "architectures": ["BertForSequenceClassification"],
    "model_type": "bert",
    "hidden_size": 4,
    "num_hidden_layers": 1,
    "vocab_size": 10,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "id2label": {"0": "negative", "1": "positive"},
    "label2id": {"negative": 0, "positive": 1},
}


def safetensors_bytes(tensors: Mapping[str, tuple[str, list[int], int]]) -> bytes:
    """A safetensors file of zeros: dtype, shape and bytes by name."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape, n_bytes) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + n_bytes]}
        end += n_bytes
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


@pytest.fixture(scope="session")
def weights_file() -> Callable[[Mapping[str, tuple[str, list[int], int]]], bytes]:
    """Builds the bytes of a safetensors file."""
    return safetensors_bytes


@pytest.fixture(scope="session")
def write_repository() -> Callable[..., Path]:
    """Writes a repository that looks like a model: 70 F32 values, a vocabulary, a config."""

    def write(
        folder: Path,
        *,
        config: Mapping[str, Any] | None = None,
        card: str = "",
        hub: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Path:
        tensors = {"embeddings": ("F32", [10, 6], 240), "head": ("F32", [10], 40)}
        contents = {
            "config.json": json.dumps(BERT_CONFIG | dict(config or {})).encode(),
            "model.safetensors": safetensors_bytes(tensors),
            "vocab.txt": b"[PAD]\n[UNK]\n",
        }
        if card:
            contents["README.md"] = card.encode()
        if hub:
            contents[".hub.json"] = json.dumps(hub).encode()
        for path, content in (contents | dict(files or {})).items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return folder

    return write


@pytest.fixture(scope="session")
def tiny_repository() -> Callable[..., Path]:
    """Writes a real, untrained BERT of one layer with its tokenizer, by transformers."""

    def write(folder: Path, *, labels: Sequence[str], seed: int) -> Path:
        import torch
        from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

        folder.mkdir(parents=True, exist_ok=True)
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
        vocabulary = [
            *special,
            *WORDS.split(),
            *letters[1:],
            *(f"##{letter}" for letter in letters),
        ]
        (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
        )
        BertForSequenceClassification(config).save_pretrained(folder)
        BertTokenizer(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
        return folder

    return write


@pytest.fixture
def zoo(tmp_path: Path, write_repository: Callable[..., Path]) -> Path:
    """Five models: three classifiers of text with an owner, one without, one of tokens."""
    root = tmp_path / "zoo"
    for index, name in enumerate(["ant", "bee", "cat"]):
        write_repository(root / "demo" / name, hub={"downloads": 10 * (index + 1), "likes": index})
    write_repository(root / "plain")
    write_repository(
        root / "demo" / "ner", config={"architectures": ["BertForTokenClassification"]}
    )
    return root


@pytest.fixture
def hub(zoo: Path) -> Iterator[LoopbackHub]:
    """The zoo as a Hub that lists two models a page."""
    with LoopbackHub(zoo, page_size=2) as hub:
        yield hub


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog."""
    with Catalog(tmp_path / "catalog.db") as store:
        yield store
