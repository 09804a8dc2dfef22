"""The files of a synthetic model: small ones with contents, weights with a header and no values."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any  # the Hub's JSON

import numpy as np

from catalog.hashes import blob_id
from catalog.loopback.exchange import Answer, refusal
from catalog.loopback.hosted_files import HostedFile
from catalog.loopback.synthetic_models import Population, Stem
from catalog.loopback.synthetic_rows import COLUMNS, Rows, StemTexts
from catalog.model import BYTES_BY_DTYPE
from catalog.untrusted import mapping, texts

SHARD_VALUES = 2_500_000_000
HEADER_SPAN_BYTES = 1 << 20  # so much of a file of weights is given out: who asks wants the header
LENGTH_BYTES = 8


class SyntheticModel:
    """One model of a population as the routes of a Hub need it."""

    def __init__(self, population: Population, pieces: StemTexts, number: int) -> None:
        self.number = number
        self._population = population
        self._pieces = pieces
        self._stem = population.stems[number % population.n_stems]

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """All fields of its listing."""
        rows = Rows(self._population, self._pieces, np.array([self.number]))
        return dict(json.loads(rows.json(COLUMNS)[0]))

    @property
    def id(self) -> str:
        """As the listing tells it."""
        return str(self.info["id"])

    @property
    def commit(self) -> str:
        """As the listing tells it."""
        return str(self.info["sha"])

    @cached_property
    def files(self) -> Sequence[HostedFile]:
        """The files by path."""
        small = [
            HostedFile(path, len(content), blob_id(content))
            for path, content in self._contents.items()
        ]
        return tuple(sorted([*small, *self._weights()], key=lambda file: file.path))

    def described(self, *, expand: Collection[str] = (), blobs: bool = False) -> dict[str, Any]:
        """The answer of the description's route."""
        found = dict(self.info) | {"modelId": self.id}
        found["siblings"] = [
            file.sibling() if blobs else {"rfilename": file.path} for file in self.files
        ]
        return {
            name: value for name, value in found.items() if name in ("id", *expand) or not expand
        }

    def part(self, path: str, start: int, end: int) -> Answer:
        """Bytes of a small file, or of the front of a file of weights."""
        content = self._contents.get(path)
        if content is not None:
            return Answer(content=content[start:end])
        if end - start > HEADER_SPAN_BYTES or not path.endswith(".safetensors"):
            return refusal(404, "EntryNotFound", "synthetic models have no weights")
        header = self._headers[path]
        return Answer(content=header[start:end].ljust(end - start, b"\0"))

    @cached_property
    def _contents(self) -> dict[str, bytes]:
        written = {"README.md": self._readme(), "config.json": json.dumps(self._config(), indent=2)}
        if self._stem.config:
            written["tokenizer_config.json"] = json.dumps({"model_max_length": 512})
        if len(self._headers) > 1:
            index = {f"part{part}": path for part, path in enumerate(self._headers)}
            written["model.safetensors.index.json"] = json.dumps({"weight_map": index})
        return {path: text.encode() for path, text in written.items()}

    def _config(self) -> dict[str, object]:
        labels = self._stem.labels
        told: dict[str, object] = dict(self._stem.config)
        told |= {"hidden_size": 768, "num_hidden_layers": 12, "vocab_size": 30_522}
        if labels:
            told["id2label"] = {str(place): label for place, label in enumerate(labels)}
            told["label2id"] = {label: place for place, label in enumerate(labels)}
        return told

    def _readme(self) -> str:
        card = mapping(self.info["cardData"])
        base = texts(card.get("base_model"))
        origin = f"a version of {base[0]} trained" if base else "trained from scratch"
        data = f" on {self._stem.dataset}" if self._stem.dataset else ""
        return f"---\n{json.dumps(card)}\n---\n# {self.id}\n\nThis model is {origin}{data}.\n"

    @cached_property
    def _headers(self) -> dict[str, bytes]:
        """The first bytes of each safetensors file."""
        if self._stem.weights != "safetensors":
            return {}
        counts = list(_shards(self._stem.n_parameters))
        names = [
            f"model-{part + 1:05}-of-{len(counts):05}.safetensors" for part in range(len(counts))
        ]
        names = ["model.safetensors"] if len(counts) == 1 else names
        return {
            name: _header(self._stem, part, n_values)
            for part, (name, n_values) in enumerate(zip(names, counts, strict=True))
        }

    def _weights(self) -> Iterator[HostedFile]:
        n_bytes = self._stem.n_parameters * BYTES_BY_DTYPE[self._stem.dtype]
        sizes = {"pytorch_model.bin" if self._stem.weights == "pickle" else "model.gguf": n_bytes}
        if self._headers:
            counts = _shards(self._stem.n_parameters)
            pairs = zip(self._headers.items(), counts, strict=True)
            width = BYTES_BY_DTYPE[self._stem.dtype]
            sizes = {name: len(header) + int(width * n) for (name, header), n in pairs}
        for part, (name, size_bytes) in enumerate(sizes.items()):
            sha256 = self._population.weights_sha256(self.number, part)
            yield HostedFile(name, int(size_bytes), sha256)


def _shards(n_values: int) -> Iterator[int]:
    for start in range(0, n_values, SHARD_VALUES):
        yield min(SHARD_VALUES, n_values - start)


def _header(stem: Stem, part: int, n_values: int) -> bytes:
    n_bytes = int(n_values * BYTES_BY_DTYPE[stem.dtype])
    tensor = {"dtype": stem.dtype, "shape": [n_values], "data_offsets": [0, n_bytes]}
    text = json.dumps({f"part{part}": tensor}).encode()
    return len(text).to_bytes(LENGTH_BYTES, "little") + text
