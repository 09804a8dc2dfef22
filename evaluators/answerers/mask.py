"""Filling a gap at work: a text with [MASK] in, the likeliest words out."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluators.answerers.windows import Window, check_finite, tokens_of, windows_of
from evaluators.classifier import batch_plan, check_shape
from evaluators.protocols import Forward
from evaluators.reading.cells import MASK
from evaluators.reading.contents import parts_of
from evaluators.serving import Serving
from evaluators.tokenization import Tokenization, clean

if TYPE_CHECKING:
    from tokenizers import Encoding

N_WORDS = 10
N_TOKENS = 100
"""So many of the likeliest tokens are looked at: parts of words are no answers."""

LOGITS_LIMIT = 1 << 26
"""Numbers that a batch's logits may have: 256 MiB."""


@dataclass(frozen=True, slots=True)
class MaskFiller:
    """`tokenization` sets no limit, `mask` is the model's own token for the gap."""

    serving: Serving
    tokenization: Tokenization
    forward: Forward
    dtype: str
    weight_bytes: int
    mask: str

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """A JSON list of at most ten words for each request, best first."""
        found = [[] for _ in texts]  # type: list[list[str]]
        windows = [self._window(encoding) for encoding in self._encode(texts)]
        asked = [(row, window) for row, window in enumerate(windows) if window is not None]
        lengths = [len(window.ids) for _, window in asked]
        for places in self._plan(lengths, batch_size or self.serving.batch_size):
            chosen = [asked[place] for place in places]
            for (row, _), line in zip(chosen, self._logits([w for _, w in chosen]), strict=True):
                found[row] = self._words(line)
        return [json.dumps(words, ensure_ascii=False, separators=(",", ":")) for words in found]

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the model may read around the gap."""
        asked = tuple(texts)
        if asked not in self.tokenization.cut:
            self._encode(texts)
        return self.tokenization.cut[asked]

    def _encode(self, texts: Sequence[str]) -> "list[Encoding]":
        asked = [str(parts_of(text).get("text", "")).replace(MASK, self.mask) for text in texts]
        encodings: list[Encoding] = self.tokenization.tokenizer.encode_batch(
            [clean(text) for text in asked]
        )
        n_cut = sum(len(encoding) > self.serving.max_length for encoding in encodings)
        self.tokenization.cut.clear()
        self.tokenization.cut[tuple(texts)] = n_cut
        return encodings

    @property
    def _mask_id(self) -> int:
        return int(self.tokenization.tokenizer.token_to_id(self.mask))

    def _window(self, encoding: "Encoding") -> Window | None:
        """The tokens around the gap, as many as the model may read; None where there is no gap."""
        if self._mask_id not in encoding.ids:
            return None
        tokens = tokens_of(encoding, 0)
        room = max(1, self.serving.max_length - (len(encoding.ids) - len(tokens)))
        gap = encoding.ids.index(self._mask_id) - tokens.start
        start = max(0, min(gap - room // 2, len(tokens) - room))
        return next(windows_of(encoding, tokens, [tokens[start : start + room]]))

    def _plan(self, lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
        """Batches whose logits, rows x longest x vocabulary, stay within the limit."""
        a_token = self.tokenization.tokenizer.get_vocab_size()
        longest = max(lengths, default=1)
        return batch_plan(lengths, max(1, min(batch_size, LOGITS_LIMIT // (longest * a_token))))

    def _logits(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """Logits at the gap: (len(windows), vocabulary)."""
        logits = self.forward(self.tokenization.batch(windows))[0]
        n_tokens = max(len(window.ids) for window in windows)
        check_shape(logits.shape[:2], (len(windows), n_tokens))
        side = self.serving.padding.side
        gaps = [w.shift(n_tokens, side) + w.ids.index(self._mask_id) for w in windows]
        at_gap: NDArray[np.float32] = logits[np.arange(len(windows)), gaps]
        check_finite(at_gap)
        return at_gap

    def _words(self, line: NDArray[np.float32]) -> list[str]:
        """Whole words, likeliest first: (vocabulary,) -> at most ten."""
        line = line[: self.tokenization.tokenizer.get_vocab_size()]
        found: dict[str, None] = {}
        for token in likeliest(line, N_TOKENS).tolist():
            if word := self._word(token):
                found[word] = None
            if len(found) == N_WORDS:
                break
        return list(found)

    def _word(self, token: int) -> str:
        """The word that a token is; empty for special tokens and ends of words (##ing)."""
        tokenizer = self.tokenization.tokenizer
        if str(tokenizer.id_to_token(token)).startswith("##"):
            return ""
        return str(tokenizer.decode([token], skip_special_tokens=True)).strip()


def likeliest(line: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """The places of the `n` largest numbers, largest first; of equal ones the first comes first.

    A vocabulary is not sorted whole for a few words.
    """
    if n < len(line):
        least = np.partition(line, len(line) - n)[len(line) - n]
        places = np.flatnonzero(line >= least)
    else:
        places = np.arange(len(line))
    return places[np.argsort(-line[places], kind="stable")][:n]
