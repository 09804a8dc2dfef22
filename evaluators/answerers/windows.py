"""Parts of a long input, as token ids: what stands before and behind the cut part is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evaluators.measurement import CandidateFailed, State

if TYPE_CHECKING:
    from tokenizers import Encoding


@dataclass(frozen=True, slots=True)
class Window:
    """One input of a model. Its tokens from `first` on are those of `part`, by number in the whole
    encoding."""

    ids: list[int]
    attention_mask: list[int]
    type_ids: list[int]
    first: int
    part: range

    def shift(self, n_tokens: int, side: str) -> int:
        """Where its first token stands in a row of `n_tokens` that is padded on a side."""
        return n_tokens - len(self.ids) if side == "left" else 0


def windows_of(
    encoding: "Encoding", cut: range, parts: Sequence[range], *, dropped: range = range(0)
) -> Iterator[Window]:
    """A window for each of `parts`, which are in `cut`; tokens in `dropped` are left out."""
    ids, type_ids = encoding.ids, encoding.type_ids  # each is a copy out of Rust
    before = [at for at in range(cut.start) if at not in dropped]
    behind = [at for at in range(cut.stop, len(ids)) if at not in dropped]
    for part in parts:
        kept = [*before, *part, *behind]
        yield Window(
            [ids[at] for at in kept],
            [1] * len(kept),
            [type_ids[at] for at in kept],
            len(before),
            part,
        )


def tokens_of(encoding: "Encoding", sequence: int) -> range:
    """The places of the tokens of the first (0) or second (1) text; empty where there are none."""
    places = [at for at, found in enumerate(encoding.sequence_ids) if found == sequence]
    return range(places[0], places[-1] + 1) if places else range(0)


def check_finite(outputs: NDArray[Any]) -> None:
    """CandidateFailed (bad output) where an output that decides is no number."""
    if not np.isfinite(outputs).all():
        raise CandidateFailed(State.BAD_OUTPUT, "the model gives scores that are no numbers")
