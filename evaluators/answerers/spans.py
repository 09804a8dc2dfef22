"""Extractive question answering at work: a question and its context in, a part of it out.

A long context is read in windows that overlap; the answer is the span with the highest sum of
start and end logit over all of them (Devlin et al. 2019, section 4.2). Where questions may have no
answer, it must beat the null score, the same sum at the first token, least over the windows
(section 4.3, with the threshold 0).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluators.answerers.windows import Window, check_finite, tokens_of, windows_of
from evaluators.classifier import batch_plan, check_shape
from evaluators.protocols import Forward
from evaluators.reading.contents import parts_of
from evaluators.serving import Serving
from evaluators.tokenization import Tokenization, clean

if TYPE_CHECKING:
    from tokenizers import Encoding

LONGEST = 30
"""Tokens of an answer, as in the official scripts."""


class Span(NamedTuple):
    """A span of tokens by number in the whole encoding, and its score; with the null score."""

    score: float
    first: int
    last: int
    null: float


@dataclass(frozen=True, slots=True)
class Page:
    """A question with its context, and the windows that they are read in."""

    context: str
    encoding: "Encoding"
    windows: tuple[Window, ...]
    cut: bool


@dataclass(frozen=True, slots=True)
class SpanReader:
    """`tokenization` sets no limit; `stride` is how many tokens two windows have in common.

    With `answerable` every question is answered; else the null score may win.
    """

    serving: Serving
    tokenization: Tokenization
    forward: Forward
    dtype: str
    weight_bytes: int
    stride: int
    answerable: bool

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """A JSON string for each request; `""` where there is no answer."""
        pages = self._pages(texts)
        windows = [(row, window) for row, page in enumerate(pages) for window in page.windows]
        found: list[Span | None] = [None] * len(windows)
        lengths = [len(window.ids) for _, window in windows]
        for places in batch_plan(lengths, batch_size or self.serving.batch_size):
            chosen = [windows[place][1] for place in places]
            starts, ends = self._logits(chosen)
            for place, window, start, end in zip(places, chosen, starts, ends, strict=True):
                found[place] = self._best(window, start, end)
        of_row: list[list[Span]] = [[] for _ in pages]
        for (row, _), span in zip(windows, found, strict=True):
            of_row[row] += [span] if span else []
        return [self._answer(page, spans) for page, spans in zip(pages, of_row, strict=True)]

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the requests need several windows, or lose a part of the question."""
        asked = tuple(texts)
        if asked not in self.tokenization.cut:
            self._pages(texts)
        return self.tokenization.cut[asked]

    def _pages(self, texts: Sequence[str]) -> list[Page]:
        parts = [parts_of(text) for text in texts]
        contexts = [str(clean(str(part.get("context", "")))) for part in parts]
        questions = [str(clean(str(part.get("question", "")))) for part in parts]
        # Models that are padded on the left (XLNet) were trained with the context first.
        parts_of_pairs = (contexts, questions) if self._is_left else (questions, contexts)
        pairs = list(zip(*parts_of_pairs, strict=True))
        encodings = self.tokenization.tokenizer.encode_batch(pairs)
        pages = [
            self._page(context, encoding)
            for context, encoding in zip(contexts, encodings, strict=True)
        ]
        self.tokenization.cut.clear()
        self.tokenization.cut[tuple(texts)] = sum(page.cut for page in pages)
        return pages

    @property
    def _is_left(self) -> bool:
        return self.serving.padding.side == "left"

    def _page(self, context: str, encoding: "Encoding") -> Page:
        tokens = tokens_of(encoding, 0 if self._is_left else 1)
        question = tokens_of(encoding, 1 if self._is_left else 0)
        limit, n_tokens = self.serving.max_length, len(encoding.ids)
        if not tokens:
            return Page(context, encoding, (), cut=False)
        n_other = n_tokens - len(tokens)
        dropped = range(0)
        if n_tokens > limit and n_other > limit // 2:  # the question leaves too little room
            dropped = question[max(0, len(question) - (n_other - limit // 2)) :]
        parts = _parts(tokens, limit - (n_other - len(dropped)), self.stride)
        windows = tuple(windows_of(encoding, tokens, parts, dropped=dropped))
        return Page(context, encoding, windows, cut=n_tokens > limit)

    def _logits(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], ...]:
        batch = self.tokenization.batch(windows)
        shape = (len(windows), max(len(window.ids) for window in windows))
        outputs = self.forward(batch)
        for output in outputs:
            check_shape(output.shape, shape)
        return outputs

    def _best(self, window: Window, start: NDArray[Any], end: NDArray[Any]) -> Span:
        """The best span of a window's logits, each (n_tokens,)."""
        shift = window.shift(len(start), self.serving.padding.side)
        here = slice(shift + window.first, shift + window.first + len(window.part))
        null = -1 if self._is_left else 0  # the token that stands for the whole input
        check_finite(start[here] + end[here])
        score, first, last = best_span(start[here], end[here])
        at = window.part.start
        return Span(score, at + first, at + last, float(start[null] + end[null]))

    def _answer(self, page: Page, spans: Sequence[Span]) -> str:
        if not spans:
            return _as_json("")
        best = max(spans, key=lambda span: span.score)
        if not self.answerable and min(span.null for span in spans) > best.score:
            return _as_json("")
        offsets = page.encoding.offsets
        return _as_json(page.context[offsets[best.first][0] : offsets[best.last][1]].strip())


def best_span(start: NDArray[Any], end: NDArray[Any]) -> tuple[float, int, int]:
    """The highest start[i] + end[j] with i <= j < i + LONGEST, and i and j; of equals the first.

    >>> best_span(np.array([0.0, 3.0, 0.0]), np.array([5.0, 0.0, 1.0]))
    (5.0, 0, 0)
    """
    n = len(start)
    sums = np.full((n, LONGEST), -np.inf, dtype=np.float32)
    for length in range(min(LONGEST, n)):
        sums[: n - length, length] = start[: n - length] + end[length:]
    first, length = divmod(int(sums.argmax()), LONGEST)
    return float(sums[first, length]), first, first + length


def _parts(tokens: range, room: int, stride: int) -> list[range]:
    """Ranges of at most `room` tokens, each with the last `stride` of the one before."""
    room = max(1, room)
    step = room - min(stride, room // 2)
    n_parts = 1 + max(0, -(-(len(tokens) - room) // step))
    return [tokens[at * step : at * step + room] for at in range(n_parts)]


def _as_json(answer: str) -> str:
    return json.dumps(answer, ensure_ascii=False)
