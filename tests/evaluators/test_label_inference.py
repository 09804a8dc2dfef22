"""Maps that are inferred from answered rows: found, refused, and wrong as seldom as stated."""

from collections.abc import Sequence
from itertools import permutations
from math import ceil, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from evaluators.labelling.inference import Ambiguous, infer, permuted
from evaluators.labels import Inferred, LabelMap

Answers = tuple[list[int], list[str]]


def rows(table: Sequence[Sequence[int]], labels: Sequence[str]) -> Answers:
    """Answered rows from their counts: a line for each output, a column for each label."""
    pairs = [
        (output, label)
        for output, line in enumerate(table)
        for label, n in zip(labels, line, strict=True)
        for _ in range(n)
    ]
    return [output for output, _ in pairs], [label for _, label in pairs]


def drawn(
    given: Sequence[Sequence[float]], n_rows: Sequence[int], rng: np.random.Generator
) -> np.ndarray:
    """Counts (outputs, labels): each label's rows are answered by its line of `given`."""
    columns = [rng.multinomial(n, line) for n, line in zip(n_rows, given, strict=True)]
    return np.stack(columns, axis=1)


def alike(n_labels: int, accuracy: float) -> list[list[float]]:
    """What a model with one accuracy for all labels answers, its errors spread evenly."""
    wrong = (1 - accuracy) / (n_labels - 1)
    return [[accuracy if a == b else wrong for b in range(n_labels)] for a in range(n_labels)]


LABELS = ["ham", "other", "spam"]


def test_a_permutation_is_inferred():
    """Outputs without names are assigned one to one, and the map is marked with its rows."""
    outputs, truths = rows([[2, 27, 1], [1, 2, 28], [27, 1, 1]], LABELS)
    assert infer(outputs, truths, LABELS, 3) == LabelMap(
        ("other", "spam", "ham"), "inferred", inferred=Inferred(90, 82)
    )


def test_an_output_that_was_never_answered_is_what_is_left():
    """One to one, the last output has the last label; two that are alike are ambiguous."""
    one = infer(*rows([[198, 104, 4], [0, 0, 0], [2, 96, 196]], LABELS), LABELS, 3)
    assert isinstance(one, LabelMap)
    assert one.names == ("ham", "other", "spam")
    two = infer(*rows([[38, 1, 1], [0, 19, 18], [0, 19, 20]], LABELS), LABELS, 3)
    assert isinstance(two, Ambiguous)


def test_several_outputs_may_be_one_label_or_none():
    """Stars without names on two classes: the middle one is clear for neither."""
    outputs, truths = rows([[30, 1], [25, 2], [12, 14], [3, 28], [1, 30]], ["neg", "pos"])
    found = infer(outputs, truths, ["neg", "pos"], 5, called=["a", "b", "c", "d", "e"])
    assert isinstance(found, LabelMap)
    assert found.names == ("neg", "neg", None, "pos", "pos")
    assert (found.unused, found.missing) == (("c",), ())
    assert found.inferred == Inferred(146, 113)


def test_fewer_outputs_than_labels_need_partial():
    """The label that no output reaches is listed where such a model may run, else it may not."""
    answered = rows([[300, 8, 120], [4, 300, 130]], LABELS)
    assert isinstance(infer(*answered, LABELS, 2), Ambiguous)
    found = infer(*answered, LABELS, 2, partial=True)
    assert isinstance(found, LabelMap)
    assert (found.names, found.missing) == (("ham", "other"), ("spam",))


def test_partial_leaves_out_what_is_ambiguous():
    """Of as many outputs as labels, those that are clear may do, and the others stand for none."""
    labels = ["a", "b", "c", "d"]
    table = [[40, 0, 0, 0], [0, 40, 0, 0], [0, 0, 20, 20], [0, 0, 20, 20]]
    assert isinstance(infer(*rows(table, labels), labels, 4), Ambiguous)
    found = infer(*rows(table, labels), labels, 4, partial=True)
    assert isinstance(found, LabelMap)
    assert found.names == ("a", "b", None, None)
    assert (found.unused, found.missing) == (("output 2", "output 3"), ("c", "d"))


@pytest.mark.parametrize(
    "table",
    [[[5, 1], [1, 5]], [[30, 30], [30, 30]], [[60, 60], [0, 0]], [[90, 8], [2, 0]], [[0, 0]] * 2],
    ids=["few rows", "knows nothing", "one answer", "one answer, rare label", "no rows"],
)
def test_doubt_is_refused(table):
    """What the rows do not tell is said, with the label that has the fewest rows."""
    found = infer(*rows(table, ["no", "yes"]), ["no", "yes"], 2)
    assert isinstance(found, Ambiguous)
    assert "do not tell which of 2 outputs is which of 2 labels (the rarest, " in found.reason


def rivals(n: int) -> float:
    """The sum over all other orders of n^-m, m the number that they move."""
    orders = permutations(range(n))
    moved = (sum(at != to for at, to in enumerate(order)) for order in orders)
    return sum(float(n) ** -m for m in moved if m)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_choosing_the_best_of_all_orders_is_paid_for(n):
    """A faultless model needs rows enough to beat every swap at its share of the level."""
    labels = [str(at) for at in range(n)]
    named = LabelMap(tuple(labels), "exact names")
    needed = log(rivals(n) * 5 / 0.01) + 2 * log(n)  # five bets
    n_rows = ceil(needed / (2 * log(1.9)))  # the highest bet is 0.9, and a swap moves two labels
    for n_each, is_found in ((n_rows - 1, False), (n_rows + 1, True)):
        answered = rows(n_each * np.eye(n, dtype=int), labels)
        assert isinstance(infer(*answered, labels, n), LabelMap) == is_found
    swapped = np.eye(n, dtype=int)[[1, 0, *range(2, n)]]
    for n_each, is_found in ((n_rows - 1, False), (n_rows + 1, True)):
        found = permuted(named, *rows(n_each * swapped, labels), labels, level=0.01)
        assert (found is not None) == is_found


def test_names_that_nothing_speaks_against_stay():
    """Outputs that were never answered keep their names where another one's moves."""
    labels = ["0", "1", "2", "3"]
    table = np.zeros((5, 4), dtype=int)
    table[1, 2] = table[4, 0] = 60
    named = LabelMap(("1", None, "1", "3", "2"), "exact names")
    found = permuted(named, *rows(table, labels), labels)
    assert found is not None
    assert found.names == ("1", "2", "1", "3", None)


def test_a_rare_label_does_not_turn_the_map():
    """A model that says `yes` too often is read by what leans to `yes`, not by what is right."""
    table = [[396, 6], [594, 54]]  # `no` in 40 of 100 where it is true, `yes` in 90 of 100
    found = infer(*rows(table, ["no", "yes"]), ["no", "yes"], 2)
    assert isinstance(found, LabelMap)
    assert found.names == ("no", "yes")


# -------------------------------------------------------------------- permuted heads
def test_a_permuted_head_is_said():
    """Names that stand in another order are put right; the sentence has both accuracies."""
    labels = [str(at) for at in range(4)]
    good = np.array([[21, 1, 2, 1], [1, 21, 1, 2], [2, 1, 21, 1], [1, 2, 1, 21]])
    named = LabelMap(tuple(labels), "exact names")
    found = permuted(named, *rows(good[[2, 3, 1, 0]], labels), labels)
    assert found is not None
    assert found.names == ("2", "3", "1", "0")
    assert found.inferred is not None
    assert found.inferred.sentence == (
        "label names permuted: was 6 %, is 84 % after alignment, "
        "on 100 rows that are not used as evidence"
    )


def test_a_permuted_none_is_found():
    """The output for a label that the data lacks may be among those that moved."""
    named = LabelMap((None, "neg", "pos"), "exact names", ("neutral",))
    found = permuted(named, *rows([[40, 3], [4, 5], [2, 44]], ["neg", "pos"]), ["neg", "pos"])
    assert found is not None
    assert (found.names, found.unused) == (("neg", None, "pos"), ("neutral",))


@pytest.mark.parametrize(
    "table",
    [
        [[40, 4], [5, 41]], [[25, 24], [25, 26]], [[396, 6], [594, 54]], [[10, 14], [14, 10]],
        [[200, 260], [260, 200]],
    ],
    ids=["right", "knows nothing", "biased: swapped, 57 of 100 are right and not 43",
         "worse by chance", "a little better swapped, and bad either way"],
)  # fmt: skip
def test_a_bad_model_is_not_repaired(table):
    """Names are believed unless another order is good, and better beyond chance."""
    named = LabelMap(("neg", "pos"), "exact names")
    found = permuted(named, *rows(table, ["neg", "pos"]), ["neg", "pos"])
    assert found is None


@pytest.mark.parametrize(("best", "is_called"), [(55, True), (45, False)], ids=["55 %", "45 %"])
def test_labels_that_move_must_be_good(best, is_called):
    """Three labels that take turns are a permuted head if most rows are right then."""
    labels, rest = ["a", "b", "c"], 85 - best
    table = 3 * np.array([[15, rest, best], [best, 15, rest], [rest, best, 15]])
    named = LabelMap(tuple(labels), "exact names")
    assert (permuted(named, *rows(table, labels), labels) is not None) == is_called


# -------------------------------------------------------------------- rates, by simulation
NOTHING_KNOWN = {
    "two labels": ([[0.5, 0.5]] * 2, [30, 30]),
    "rare label": ([[0.4, 0.6]] * 2, [90, 10]),
    "six labels": ([[1 / 6] * 6] * 6, [20] * 6),
    "two of three alike": ([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.1, 0.9]], [25] * 3),
}


@pytest.mark.parametrize("world", NOTHING_KNOWN)
def test_a_wrong_map_is_as_rare_as_stated(world):
    """Where no assignment is best, one is inferred with a chance of at most the level."""
    given, n_rows = NOTHING_KNOWN[world]
    rng, labels = np.random.default_rng(1), [str(at) for at in range(len(n_rows))]
    n, n_inferred = 150, 0
    for _ in range(n):
        answered = rows(drawn(given, n_rows, rng), labels)
        n_inferred += isinstance(infer(*answered, labels, len(labels), level=0.2), LabelMap)
    assert n_inferred <= 0.2 * n


BAD = {
    "knows nothing": ([[0.5, 0.5]] * 2, [30, 30]),
    "biased": ([[0.35, 0.65], [0.25, 0.75]], [90, 10]),
    "four labels": ([[0.25] * 4] * 4, [10] * 4),
    "six labels": (alike(6, 0.2), [8] * 6),
}


@pytest.mark.parametrize("world", BAD)
def test_bad_models_are_seldom_called_permuted(world):
    """At level 5 % at most so many, though another order does better in most of these draws."""
    given, n_rows = BAD[world]
    rng, labels = np.random.default_rng(2), [str(at) for at in range(len(n_rows))]
    named = LabelMap(tuple(labels), "exact names")
    n, n_permuted, n_better = 200, 0, 0
    for _ in range(n):
        counts = drawn(given, n_rows, rng)
        n_permuted += permuted(named, *rows(counts, labels), labels, level=0.05) is not None
        n_better += counts[linear_sum_assignment(counts, maximize=True)].sum() > counts.trace()
    assert n_permuted <= 0.05 * n
    assert n_better > 0.4 * n


@pytest.mark.parametrize(
    ("n_labels", "accuracy"), [(2, 0.84), (4, 0.84), (10, 0.9)], ids=["two", "four", "ten"]
)
def test_permuted_heads_are_found(n_labels, accuracy):
    """On 30 rows a label and 30 more, most permuted heads are called so, and put right."""
    rng, labels = np.random.default_rng(3), [str(at) for at in range(n_labels)]
    n_each = 30 * (n_labels + 1) // n_labels
    named = LabelMap(tuple(labels), "exact names")
    right = tuple(labels[1:] + labels[:1])
    n_found = 0
    for _ in range(40):
        counts = drawn(alike(n_labels, accuracy), [n_each] * n_labels, rng)
        found = permuted(named, *rows(np.roll(counts, -1, axis=0), labels), labels)
        assert found is None or found.names == right
        n_found += found is not None
    assert n_found >= 36


# -------------------------------------------------------------------- laws
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 5), st.booleans())
def test_inferring_follows_permuted_ids(seed, n_outputs, n_labels, partial):
    """Permuting a model's ids, or the order of the labels, changes no answer and no count."""
    rng = np.random.default_rng(seed)
    labels = [f"label {at}" for at in range(n_labels)]
    counts = rng.integers(0, 3, size=(n_outputs, n_labels))
    for at in range(n_outputs):
        counts[at, rng.integers(n_labels)] += rng.integers(0, 60)
    order, columns = rng.permutation(n_outputs), rng.permutation(n_labels)
    plain = infer(*rows(counts, labels), labels, n_outputs, partial=partial)
    moved = [labels[at] for at in columns]
    other = infer(*rows(counts[order][:, columns], moved), moved, n_outputs, partial=partial)
    assert type(plain) is type(other)
    if isinstance(plain, LabelMap) and isinstance(other, LabelMap):
        assert other.names == tuple(plain.names[at] for at in order)
        assert (other.inferred, sorted(other.missing)) == (plain.inferred, sorted(plain.missing))


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_alignment_undoes_any_permutation(order, columns):
    """A good model with its names in any order has the same score after alignment."""
    labels = ["a", "b", "c", "d"]
    counts = np.array([[30, 1, 0, 2], [1, 28, 3, 0], [2, 1, 31, 1], [0, 3, 0, 30]])
    moved = [labels[at] for at in columns]
    answered = rows(counts[list(order)], labels)
    named = LabelMap(("a", "b", "c", "d"), "exact names")
    found = permuted(named, *answered, moved)
    names = found.names if found else named.names
    assert names == tuple(labels[at] for at in order)
    assert found is None or (found.inferred is not None and found.inferred.n_right == 119)
