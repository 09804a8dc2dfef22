"""Which output is which label, inferred from answered rows; and heads whose names are permuted.

The rows that a map is inferred on are no evidence for it: the caller keeps them apart.

What "stands for" means. Of a table of outputs and true labels, each label counts alike, however
many rows it has: an assignment's quality is its balanced accuracy, the mean over the labels of the
share of their rows that it gets right. On raw accuracy a model that says `positive` too often
would look permuted wherever negative rows prevail; on balanced accuracy every assignment of a
model that knows nothing is equally good.

The test. For one assignment against one other, row i of label l gives D_i = w_l (right by the
first - right by the other) with w_l = n_min / n_l, in [-1, 1]. Given the labels, where the other
is at least as good, E[prod(1 + bet D_i)] <= exp(bet sum E[D_i]) <= 1 for each bet in (0, 1), so by
Markov's inequality the product reaches 1/alpha with a chance of at most alpha. Its logarithm is a
sum over the outputs that the two assign differently, so that all K! rivals are looked at together:
a rival that moves m outputs must be beaten at alpha/(S K^m), where S is the sum of K^-m over all of
them (a union bound: choosing the best of K! costs its full price), and the rival that comes nearest
is a shortest cycle. The chance that an assignment is inferred which is not the best one of the
population is at most the stated level; rows must be independent (one for each unit).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.labelling.label_map import Inferred, LabelMap

AMBIGUOUS = 0.01
"""The chance of inferring a wrong map. It costs a candidate and never a certificate."""

PERMUTED = 1e-4
"""The chance of calling names permuted that are right, for each candidate: names are believed."""

LEAST_RECALL = 0.5
"""Names are called permuted only if, once moved, each label gets this share of its rows right.

A head that was permuted in training is good again; a model that is merely bad is not.
"""

BETS = (0.15, 0.3, 0.5, 0.7, 0.9)
"""Each stands for its share of the level; one of them must beat all rivals."""

LEAST_REACHED = 2


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """No map can be inferred from these rows, and why."""

    reason: str


def infer(
    outputs: Sequence[int],
    truths: Sequence[str],
    wanted: Sequence[str],
    n_outputs: int,
    *,
    called: Sequence[str] = (),
    partial: bool = False,
    level: float = AMBIGUOUS,
) -> LabelMap | Ambiguous:
    """The map from outputs to labels that answered rows show, or why they show none.

    `outputs` are the indices that the model answered, `truths` the rows' labels, `called` the
    model's names of its outputs. As many outputs as labels are assigned one to one. Otherwise each
    output stands for the label whose rows it answers most often, or for none where that is not
    clear; then all labels must be reached. With `partial` two of them must be, and where one to
    one is ambiguous, the outputs that are clear may do.
    """
    table = _Table.of(outputs, truths, wanted, n_outputs)
    found = _found(table, level, partial=partial)
    names = tuple(None if column is None else wanted[column] for column in found)
    missing = tuple(label for label in wanted if label not in names)
    reached = len(wanted) - len(missing)
    if reached < LEAST_REACHED or (missing and not partial):
        return Ambiguous(_unclear(table, wanted))
    called = called or [f"output {at}" for at in range(n_outputs)]
    return LabelMap(
        names=names,
        how="inferred",
        unused=tuple(name for name, label in zip(called, names, strict=True) if label is None),
        missing=missing,
        inferred=Inferred(len(outputs), table.n_right(found)),
    )


def permuted(
    named: LabelMap,
    outputs: Sequence[int],
    truths: Sequence[str],
    wanted: Sequence[str],
    *,
    level: float = PERMUTED,
) -> LabelMap | None:
    """The named map with its names in the order that the rows show, or None if they may be right.

    The outputs keep the same names (and as many of None), in another order. That order must beat
    the named one at `level`, the choice among all orders paid for, and give each label that moved
    LEAST_RECALL of its rows.
    """
    table = _Table.of(outputs, truths, wanted, len(named.names))
    column = {label: at for at, label in enumerate(wanted)}
    old = tuple(None if name is None else column[name] for name in named.names)
    new = _best_order(table, old)
    moved = [at for at, label in enumerate(new) if label != old[at]]
    if not moved or not _are_good(table, new, moved):
        return None
    price = _price(table.n_outputs, level) + len(moved) * log(table.n_outputs)
    if max(_gain(table, old, new, moved, bet) for bet in BETS) < price:
        return None
    names = tuple(None if at is None else wanted[at] for at in new)
    found = Inferred(len(outputs), table.n_right(new), table.n_right(old))
    return LabelMap(names, "inferred", named.unused, named.missing, found)


Columns = Sequence[int | None]
"""For each output the place of its label, or None."""


@dataclass(frozen=True, slots=True)
class _Table:
    """How often each output answered the rows of each label, (n_outputs, n_labels)."""

    counts: NDArray[np.float64]

    @classmethod
    def of(
        cls, outputs: Sequence[int], truths: Sequence[str], wanted: Sequence[str], n_outputs: int
    ) -> "_Table":
        column = {label: at for at, label in enumerate(wanted)}
        counts = np.zeros((n_outputs, len(wanted)))
        for output, truth in zip(outputs, truths, strict=True):
            counts[output, column[truth]] += 1
        return cls(counts)

    @property
    def n_outputs(self) -> int:
        return len(self.counts)

    @property
    def rates(self) -> NDArray[np.float64]:
        """The share of each label's rows that an output answered; 0 for a label without rows."""
        return np.asarray(self.counts / np.maximum(1.0, self.counts.sum(axis=0)))

    @property
    def weights(self) -> NDArray[np.float64]:
        """What a row of each label weighs: one of the rarest label has 1."""
        n = self.counts.sum(axis=0)
        rarest = n[n > 0].min(initial=inf)
        return np.asarray(np.where(n > 0, rarest / np.maximum(1.0, n), 0.0))

    def n_right(self, columns: Columns) -> int:
        """How many of the rows a map gets right."""
        return int(sum(self.counts[at, to] for at, to in enumerate(columns) if to is not None))

    def log_evidence(self, columns: Sequence[int], bet: float) -> NDArray[np.float64]:
        """What each output adds to the log evidence against taking another label than its own."""
        own = np.arange(self.n_outputs), np.asarray(columns)
        right = self.counts * np.log1p(bet * self.weights)
        wrong = self.counts * np.log1p(-bet * self.weights)
        return np.asarray(right[own][:, None] + wrong)


def _found(table: _Table, level: float, *, partial: bool) -> Columns:
    """One to one where the numbers are equal; output by output where not, or where that fails."""
    if table.counts.shape[0] != table.counts.shape[1]:
        return _each(table, level)
    together = _one_to_one(table, level / 2 if partial else level)
    return _each(table, level / 2) if partial and None in together else together


def _one_to_one(table: _Table, level: float) -> Columns:
    """The best assignment if it beats every other one, else None for all outputs."""
    best = _assigned(table.rates)
    price, n = _price(table.n_outputs, level), table.n_outputs
    for bet in BETS:
        # Entry (a, b): output a takes the label of b. A rival is a cycle of such steps.
        steps = table.log_evidence(best, bet)[:, best] - log(n)
        if _beats_all(steps, price):
            return best
    return [None] * n


def _assigned(quality: NDArray[np.float64]) -> list[int]:
    """For each output its place in the one-to-one assignment with the highest sum."""
    from scipy.optimize import linear_sum_assignment

    places: Any = linear_sum_assignment(quality, maximize=True)[1]  # scipy has no types
    return [int(place) for place in places]


def _beats_all(steps: NDArray[np.float64], price: float) -> bool:
    """Whether every cycle of steps costs at least the price (Floyd and Warshall, all at once)."""
    shortest = steps.copy()
    np.fill_diagonal(shortest, inf)
    for via in range(len(shortest)):
        shortest = np.minimum(shortest, shortest[:, via, None] + shortest[None, via, :])
        if shortest.diagonal().min() < price:
            return False
    return True


def _each(table: _Table, level: float) -> Columns:
    """For each output the label whose rows it answers most often, if that beats all others."""
    best = [int(at) for at in table.rates.argmax(axis=1)]
    n_tests = table.n_outputs * (table.counts.shape[1] - 1) * len(BETS)
    price = log(n_tests / level)
    clear = np.zeros(table.n_outputs, dtype=bool)
    for bet in BETS:
        evidence = table.log_evidence(best, bet)
        evidence[np.arange(table.n_outputs), best] = inf
        clear |= evidence.min(axis=1) >= price
    return [at if is_clear else None for at, is_clear in zip(best, clear, strict=True)]


def _price(n: int, level: float) -> float:
    """log(S/level), for all bets: what a rival must be beaten by, besides log n a moved output.

    Of n outputs, m can be chosen and all moved in at most n!/(n-m)!/2 ways (exactly so for two).
    """
    orders = np.cumprod(1 - np.arange(n) / n)[1:] / 2  # for m = 2.., as shares of n^m
    return log(float(orders.sum()) * len(BETS) / level)


def _best_order(table: _Table, old: Columns) -> Columns:
    """The same labels and Nones in the order with the highest balanced accuracy."""
    rates = np.hstack([table.rates, np.zeros((table.n_outputs, 1))])
    places = [rates.shape[1] - 1 if at is None else at for at in old]
    stays = np.equal.outer(places, places) * 1e-9  # among equals, nothing moves
    quality = rates[:, places] + stays
    if (quality.diagonal() >= quality.max(axis=0)).all():  # no assignment can do better
        return old
    return [old[at] for at in _assigned(quality)]


def _are_good(table: _Table, new: Columns, moved: Sequence[int]) -> bool:
    """Whether each label that moved gets enough of its rows right."""
    recall = {at: 0.0 for at in (new[k] for k in moved) if at is not None}
    for output, at in enumerate(new):
        if at in recall:
            recall[at] += table.rates[output, at]
    has_rows = table.counts.sum(axis=0) > 0
    return all(share >= LEAST_RECALL for at, share in recall.items() if has_rows[at])


def _gain(table: _Table, old: Columns, new: Columns, moved: Sequence[int], bet: float) -> float:
    """The log evidence for one order against another."""
    weighed = np.hstack([bet * table.weights, 0.0])
    total = 0.0
    for output in moved:
        for at, sign in ((new[output], 1.0), (old[output], -1.0)):
            if at is not None:
                total += table.counts[output, at] * float(np.log1p(sign * weighed[at]))
    return total


def _unclear(table: _Table, wanted: Sequence[str]) -> str:
    n = table.counts.sum(axis=0)
    rarest = int(n.argmin())
    return (
        f"{int(n.sum()):,} rows do not tell which of {table.n_outputs} outputs is which of "
        f"{len(wanted)} labels (the rarest, '{wanted[rarest]}', has {int(n[rarest]):,} rows): "
        "say it with --label-map, or label more rows"
    )
