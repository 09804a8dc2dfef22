"""Label maps: found by rule, or refused with both lists."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.errors import BadInput
from evaluators.labels import LabelMap, LabelMismatch, align, normalised
from evaluators.measurement import CandidateFailed, State

GENERIC = ["LABEL_0", "LABEL_1"]


def ids(names):
    """label2id as transformers writes it for these outputs."""
    return {name: index for index, name in enumerate(names)}


@pytest.mark.parametrize(
    ("outputs", "label2id", "wanted", "names", "how"),
    [
        (["neg", "pos"], None, ["neg", "pos"], ("neg", "pos"), "exact names"),
        (["pos", "neg"], None, ["neg", "pos"], ("pos", "neg"), "exact names"),
        (["1", "0"], None, ["0", "1"], ("1", "0"), "exact names"),
        (["NEGATIVE", "POSITIVE"], None, ["neg", "pos"], ("neg", "pos"), "normalised names"),
        (["not-spam", "Spam!"], None, ["not_spam", "spam"], ("not_spam", "spam"),
         "normalised names"),
        (["neu", "neg", "pos"], None, ["positive", "negative"],
         (None, "negative", "positive"), "normalised names"),
        (GENERIC, {"no": 0, "yes": 1}, ["no", "yes"], ("no", "yes"), "exact names"),
        (GENERIC, {"yes": 0, "no": 1}, ["no", "yes"], ("yes", "no"), "exact names"),
        (GENERIC, None, ["0", "1"], ("0", "1"), "index"),
        (["LABEL_1", "LABEL_0"], None, ["0", "1"], ("1", "0"), "index"),
        (["label_0", "label_1"], None, ["0", "1"], ("0", "1"), "index"),
    ],
    ids=["exact", "order", "digits", "case", "signs", "unused", "label2id", "label2id order",
         "index", "index order", "index case"],
)  # fmt: skip
def test_rules_find_the_map(outputs, label2id, wanted, names, how):
    """The first rule that reaches every label gives the map, and its name."""
    found = align(outputs, label2id or ids(outputs), wanted)
    assert (found.names, found.how) == (names, how)


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        (["negative", "positive"], ["0", "1"]),
        (["neg", "pos"], ["neg", "pos", "neutral"]),
        (["pos", "positive"], ["Pos", "neg"]),
        (["a", "a"], ["a", "b"]),
        (["spam", "ham"], ["Spam", "spam"]),
        (["LABEL_0", "LABEL_1", "LABEL_2"], ["0", "1"]),
        (["LABEL_0", "LABEL_1", "LABEL_1"], ["0", "1"]),
        (GENERIC, ["1", "2"]),
        (GENERIC, ["neg", "pos"]),
        (["1", "0"], ["-1", "0"]),
        ([], ["0", "1"]),
    ],
    ids=["names and digits", "too few", "two outputs", "same output", "two labels",
         "third output", "same number", "from one", "generic", "sign", "no outputs"],
)  # fmt: skip
def test_doubt_is_a_mismatch(outputs, wanted):
    """Where a label is missing or could be two outputs, the candidate ends as label mismatch."""
    with pytest.raises(LabelMismatch) as caught:
        align(outputs, ids(outputs), wanted)
    assert caught.value.state is State.LABEL_MISMATCH
    assert all(repr(label) in caught.value.reason for label in (*outputs, *wanted))


def test_a_mismatch_shows_the_option():
    """The reason holds a map that could be given; it is a failure of the candidate."""
    with pytest.raises(CandidateFailed, match="--label-map 0=negative,1=positive"):
        align(["negative", "positive"], {}, ["0", "1"])


def test_long_lists_are_cut():
    """Seventy-seven labels do not flood the message."""
    many = [f"intent {number}" for number in range(77)]
    with pytest.raises(LabelMismatch, match="'intent 11' and 65 more, the data has"):
        align(many, ids(many), [*many[:5], "another"])


@pytest.mark.parametrize(
    ("outputs", "label2id", "explicit", "names", "how"),
    [
        (["negative", "positive"], {}, {"0": "negative", "1": "positive"}, ("0", "1"),
         "explicit map"),
        (["negative", "positive"], {}, {"0": "positive", "1": "negative"}, ("1", "0"),
         "explicit map"),
        (["NEGATIVE", "POSITIVE"], {}, {"0": "negative", "1": "positive"}, ("0", "1"),
         "explicit map"),
        (GENERIC, {"a": 0, "b": 1}, {"0": "LABEL_1", "1": "LABEL_0"}, ("1", "0"),
         "explicit map"),
        (["0", "1"], {}, {"0": "1", "1": "0"}, ("1", "0"), "explicit map"),
        (["1", "zero"], {}, {"0": "zero"}, ("1", "0"), "explicit map"),
        (GENERIC, {}, {"0": "negative", "1": "positive"}, ("0", "1"), "index"),
    ],
    ids=["plain", "reversed", "case", "generic names", "against names", "partial", "for others"],
)  # fmt: skip
def test_an_explicit_map_comes_first(outputs, label2id, explicit, names, how):
    """What the user says beats names; a map that was meant for other models is passed over."""
    found = align(outputs, label2id, ["0", "1"], explicit)
    assert (found.names, found.how) == (names, how)


def test_an_explicit_map_of_unknown_labels_is_refused():
    """A label that the data lacks is the user's slip, shown with the data's labels."""
    with pytest.raises(BadInput, match="--label-map names '2', but the data has '0', '1'"):
        align(["a", "b"], {}, ["0", "1"], {"2": "a"})


def test_two_labels_cannot_share_an_output():
    """One output cannot stand for two labels of the data."""
    with pytest.raises(LabelMismatch):
        align(["a", "b"], {}, ["0", "1"], {"0": "a", "1": "a"})


def test_outputs_that_the_data_lacks_are_listed():
    """They stand for None, so that predicting them counts as wrong."""
    found = align(["neg", "neutral", "pos"], {}, ["neg", "pos"])
    assert found == LabelMap(("neg", None, "pos"), "exact names", ("neutral",))


def test_maps_cross_processes():
    """A map survives its JSON form."""
    found = align(["neg", "neutral", "pos"], {}, ["neg", "pos"])
    assert LabelMap.from_json(json.loads(json.dumps(found.to_json()))) == found


NAMES = st.sampled_from(
    [["neg", "pos"], ["NEGATIVE", "Neutral", "POSITIVE"], ["LABEL_0", "LABEL_1", "LABEL_2"]]
)


@given(NAMES, st.permutations(range(3)), st.lists(st.integers(0, 2), max_size=9))
def test_permuted_ids_decode_to_the_same_labels(names, order, answers):
    """A model whose ids are permuted gives the same decoded predictions."""
    order = [index for index in order if index < len(names)]
    wanted = ["0", "1", "2"] if names[0] == "LABEL_0" else ["neg", "pos"]
    plain = align(names, ids(names), wanted)
    permuted_names = [names[index] for index in order]
    permuted = align(permuted_names, ids(permuted_names), wanted)
    for answer in answers:
        if answer < len(names):
            assert permuted.names[order.index(answer)] == plain.names[answer]


@pytest.mark.parametrize(
    ("label", "bare"),
    [("Not_Irony", "notirony"), ("POS", "positive"), ("-1", "-1"), ("1.5", "1.5"), ("+", "+"),
     ("Straße", "strasse"), ("非垃圾", "非垃圾"), ("B-PER", "bper")],
)  # fmt: skip
def test_names_are_normalised(label, bare):
    """Case, spaces and punctuation go; signs of numbers, and bare punctuation, stay."""
    assert normalised(label) == bare
