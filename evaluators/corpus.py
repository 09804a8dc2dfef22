"""A retrieval's documents on their way to a worker: a file beside the artifacts, named by content.

They are no part of an artifact: what a candidate weighs does not depend on them.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cache.key import canonical_json, digest
from evaluators.measurement import CandidateFailed, State

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGITS = 32

CORPUS = "corpus"
"""The task's option that holds the digest of the documents."""


def corpus_digest(corpus: Mapping[str, str]) -> str:
    """Of ids and texts, whatever their order: the first 32 hexadecimal digits of the SHA-256."""
    return digest(dict(corpus))[:DIGITS]


def corpus_file(root: Path, found: str) -> Path:
    """Where the corpus of a digest is kept, among the artifacts in `root`."""
    return root / f"corpus-{found}.json"


def keep_corpus(root: Path, corpus: Mapping[str, str], found: str) -> None:
    """Write the corpus of a digest where it is not yet."""
    file = corpus_file(root, found)
    if file.exists():
        return
    root.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(canonical_json(dict(corpus)), encoding="utf-8", errors="surrogatepass")
    part.replace(file)


@dataclass(frozen=True, slots=True, eq=False)
class Documents:
    """A corpus with each text once.

    `ids` are in the order of their hashes, which stands for nothing in the data: documents that
    score the same come in it. `places` are each document's text among `texts`: (documents,).
    """

    ids: tuple[str, ...]
    places: "NDArray[np.int64]"
    texts: tuple[str, ...]

    @classmethod
    def of(cls, corpus: Mapping[str, str]) -> "Documents":
        """The documents of a corpus, whatever their order there."""
        import numpy as np

        ids = tuple(sorted(corpus, key=lambda id: hashlib.sha256(id.encode()).digest()))
        place = {text: at for at, text in enumerate(dict.fromkeys(corpus[id] for id in ids))}
        places = np.array([place[corpus[id]] for id in ids], dtype=np.int64)
        return cls(ids, places, tuple(place))

    @classmethod
    def read(cls, file: Path) -> "Documents":
        """What `keep_corpus` wrote; CandidateFailed (corrupt) where it is gone or damaged."""
        try:
            return cls.of(json.loads(file.read_text(encoding="utf-8", errors="surrogatepass")))
        except (OSError, ValueError, AttributeError) as error:
            reason = f"the corpus {file} cannot be read: {error}"
            raise CandidateFailed(State.CORRUPT, reason) from error
