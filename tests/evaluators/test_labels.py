"""Label maps: found by rule, or refused with both lists."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.errors import BadInput
from cache.key import canonical_json
from evaluators.labelling.synonyms import TABLE
from evaluators.labels import Inferred, LabelMap, LabelMismatch, align, may_infer, normalised
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
        (GENERIC, {}, {"0": "LABEL_0"}, ("0", "1"), "explicit map"),
        (GENERIC, {}, {"0": "negative", "1": "positive"}, ("0", "1"),
         "index; --label-map was not used: the model has no output 'negative', 'positive'"),
    ],
    ids=["plain", "reversed", "case", "generic names", "against names", "partial", "index",
         "for others"],
)  # fmt: skip
def test_an_explicit_map_comes_first(outputs, label2id, explicit, names, how):
    """What the user says beats names; a map that was meant for other models is passed over."""
    found = align(outputs, label2id, ["0", "1"], explicit)
    assert (found.names, found.how) == (names, how)


def test_an_explicit_map_of_unknown_labels_is_refused():
    """A label that the data lacks is the user's slip, shown with the data's labels."""
    with pytest.raises(BadInput, match="--label-map names '2', but the data has '0', '1'"):
        align(["a", "b"], {}, ["0", "1"], {"2": "a"})


@pytest.mark.parametrize("names", [("a", "a"), ("a | b", "b")], ids=["whole", "in part"])
def test_two_labels_cannot_share_an_output(names):
    """One output cannot stand for two labels of the data, whatever the model."""
    with pytest.raises(BadInput, match="to two labels, '0' and '1'"):
        align(["a", "b"], {}, ["0", "1"], dict(zip("01", names, strict=True)))


MISFITS = {
    "typo": (["neg", "pos"], {"neg": "neg", "pos": "POSTIVE"}, "'POSTIVE', no output"),
    "two outputs": (["a", "a", "b"], {"neg": "a", "pos": "b"}, "'a', which is not one output"),
    "two spellings": (["POS", "neg"], {"neg": "pos", "pos": "POS"}, "not one output for one label"),
    "against names": (["neg", "pos"], {"pos": "neg"}, "no output for 'neg'; the model has 'neg', "),
    "part of the outputs": (["neg", "pos"], {"pos": "pos|very good"}, "'very good', no output"),
}


@pytest.mark.parametrize(("outputs", "explicit", "reason"), MISFITS.values(), ids=MISFITS.keys())
@pytest.mark.parametrize("asked", [True, False])
def test_an_explicit_map_that_does_not_fit_is_no_map(outputs, explicit, reason, asked):
    """Neither the names nor rows replace what the user says of this model."""
    with pytest.raises(LabelMismatch, match=reason):
        align(outputs, ids(outputs), ["neg", "pos"], explicit, asked=asked)
    assert not may_infer(outputs, ids(outputs), ["neg", "pos"], explicit, asked=asked)


@pytest.mark.parametrize("outputs", [["neg", "pos"], GENERIC])
def test_a_model_that_was_asked_for_needs_a_map_that_fits(outputs):
    """One for other models leaves it its own names only where nobody named it."""
    explicit = {"neg": "0", "pos": "1"}
    with pytest.raises(LabelMismatch, match=rf"no output '0', '1'; the model has '{outputs[0]}'"):
        align(outputs, ids(outputs), ["neg", "pos"], explicit, asked=True)
    assert not may_infer(outputs, ids(outputs), ["neg", "pos"], explicit, asked=True)
    assert may_infer(GENERIC, {}, ["neg", "pos"], explicit)


def test_a_partial_map_leaves_out_what_the_model_lacks():
    """A label whose output is not there is missing, and not found by another rule."""
    wanted, explicit = ["neg", "neutral", "pos"], {"neg": "A", "neutral": "none", "pos": "B"}
    found = align(["A", "B", "neutral"], {}, wanted, explicit, partial=True)
    assert (found.names, found.missing) == (("neg", "pos", None), ("neutral",))


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


STARS = ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"]
FIVE = ["Very Negative", "Negative", "Neutral", "Positive", "Very Positive"]


@pytest.mark.parametrize(
    ("outputs", "wanted", "names", "how"),
    [
        (STARS, ["neg", "pos"], ("neg", "neg", None, "pos", "pos"), "synonyms"),
        (STARS, ["neg", "neutral", "pos"], ("neg", "neg", "neutral", "pos", "pos"), "synonyms"),
        (STARS, FIVE, tuple(FIVE), "synonyms"),
        (STARS, ["1", "2", "3", "4", "5"], ("1", "2", "3", "4", "5"), "synonyms"),
        (["★★★★★", "★☆☆☆☆"], ["1 star", "5 stars"], ("5 stars", "1 star"), "synonyms"),
        (FIVE, STARS, tuple(STARS), "synonyms"),
        (FIVE, ["negative", "positive"], ("negative", "negative", None, "positive", "positive"),
         "normalised names and synonyms"),
        (["positif", "négatif"], ["Negative", "Positive"], ("Positive", "Negative"), "synonyms"),
        (["负面", "正面"], ["negativo", "positivo"], ("negativo", "positivo"), "synonyms"),
        (["spam", "ham"], ["not spam", "spam"], ("spam", "not spam"),
         "synonyms"),
        (["non-toxic", "toxic"], ["toxicity", "Not toxic"], ("Not toxic", "toxicity"), "synonyms"),
        (["False", "True"], ["0", "1"], ("0", "1"), "synonyms"),
        (["1", "0"], ["True", "False"], ("True", "False"), "synonyms"),
        (["0.0", "1.0"], ["0", "1"], ("0", "1"), "normalised names"),
        (["Sci/Tech", "Sport"], ["science & technology", "sports"],
         ("science & technology", "sports"), "synonyms"),
        (["हाँ", "हूँ"], ["हूँ ", "हाँ "], ("हाँ ", "हूँ "), "normalised names"),
        (["ＮＥＧ", "ＰＯＳ"], ["neg", "pos"], ("neg", "pos"), "normalised names"),
        (["Cafe\u0301", "Thé"], ["CAFÉ", "the\u0301"], ("CAFÉ", "the\u0301"), "normalised names"),
    ],
    ids=["two classes", "three", "five", "numbers", "signs", "opinions to stars", "very",
         "languages", "scripts", "ham", "negations", "truth", "to truth", "floats", "topics",
         "vowel signs", "full width", "composed"],
)  # fmt: skip
def test_meanings_find_the_map(outputs, wanted, names, how):
    """Synonyms, stars, numbers and Unicode forms are known; several outputs may be one label."""
    found = align(outputs, ids(outputs), wanted)
    assert (found.names, found.how) == (names, how)
    assert found.missing == ()


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        (["1 star", "2 stars", "3 stars"], ["negative", "neutral", "positive"]),
        ([f"{n} stars" for n in range(6)], ["negative", "neutral", "positive"]),
        (["negative", "neutral", "positive"], STARS),
        (STARS, ["1", "2", "3", "4"]),
        (STARS, ["0", "1", "2", "3", "4"]),
        (["1", "2", "3", "4", "5"], ["negative", "positive"]),
        (["good", "bad"], ["positive", "negative"]),
        (["positive", "negative"], ["pos", "positiv", "negative"]),
        (["True", "False"], ["-1", "1"]),
        (["none", "other"], ["note", "others?!"]),
    ],
    ids=["three stars", "six stars", "three classes to stars", "four numbers", "from 0",
         "bare numbers", "not in the table", "two labels of one meaning", "sign", "no prefix"],
)  # fmt: skip
def test_meanings_in_doubt_are_a_mismatch(outputs, wanted):
    """Other scales, bare numbers and words that the table lacks are left to the user."""
    with pytest.raises(LabelMismatch):
        align(outputs, ids(outputs), wanted)


def test_no_word_has_two_meanings():
    """Each word of the table, however it is spelled, stands under one meaning."""
    words = [(normalised(word), meaning) for meaning, all_ in TABLE.items() for word in all_]
    assert len({word for word, _ in words}) == len({(word, meaning) for word, meaning in words})


def test_label2id_may_name_an_output_twice():
    """What id2label leaves generic, label2id may name, with several names for one output."""
    found = align(GENERIC, {"bad": 0, "negative": 0, "positive": 1}, ["pos", "neg"])
    assert (found.names, found.how) == (("neg", "pos"), "label2id")
    with pytest.raises(LabelMismatch):
        align(GENERIC, {"pos": 0, "neg": 0, "x": 1}, ["pos", "neg"])


def test_an_explicit_map_may_name_several_outputs():
    """`4 stars|5 stars` stands for one label; other outputs keep their own meaning."""
    found = align(STARS, ids(STARS), ["pos", "neg"], {"pos": "3 stars|4 stars|5 stars"})
    assert found == LabelMap(("neg", "neg", "pos", "pos", "pos"), "explicit map")


def test_a_partial_map_lists_what_is_missing():
    """With `partial` a model that lacks a label may run; without, the option is named."""
    model, data = ["NEG", "POS", "mixed"], ["negative", "neutral", "positive"]
    with pytest.raises(LabelMismatch, match=r"nothing stands for 'neutral'.*--partial"):
        align(model, ids(model), data)
    found = align(model, ids(model), data, partial=True)
    assert found.names == ("negative", "positive", None)
    assert (found.unused, found.missing) == (("mixed",), ("neutral",))


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [(["neg", "other"], ["neg", "pos"]), (GENERIC, ["neg", "pos"]), ([], ["neg", "pos"])],
    ids=["one label", "generic", "none"],
)
def test_partial_is_no_licence_to_guess(outputs, wanted):
    """Two labels at least must be reached, by name."""
    with pytest.raises(LabelMismatch):
        align(outputs, ids(outputs), wanted, partial=True)


def test_a_partial_map_keeps_to_the_explicit_pairs():
    """What the user says holds, though another rule reached more labels."""
    model, data = ["neg", "neu", "pos"], ["neg", "neu", "pos", "mixed"]
    found = align(model, ids(model), data, {"mixed": "neu|pos"}, partial=True)
    assert (found.names, found.missing) == (("neg", "mixed", "mixed"), ("neu", "pos"))


def test_a_partial_map_tells_no_two_labels_of_one_meaning_apart():
    """Neither of two labels that mean the same is reached, nor an output that two labels share."""
    model, data = ["positif", "neg", "neutre"], ["pos", "positiv", "negativ", "neutral"]
    found = align(model, ids(model), data, partial=True)
    assert found.names == (None, "negativ", "neutral")
    generic, label2id = ["LABEL_0", "LABEL_1", "LABEL_2"], {"a": 0, "b": 0, "c": 1, "d": 2}
    found = align(generic, label2id, ["a", "b", "c", "d"], partial=True)
    assert (found.names, found.how) == ((None, "c", "d"), "label2id")


def test_json_of_a_plain_map_is_as_ever():
    """New keys are written only where they say something: keys of caches hold this text."""
    plain = align(["neg", "neutral", "pos"], {}, ["neg", "pos"])
    assert canonical_json(plain.to_json()) == (
        '{"how":"exact names","names":["neg",null,"pos"],"unused":["neutral"]}'
    )


@pytest.mark.parametrize("named", [None, 7], ids=["unnamed", "permuted"])
def test_marked_maps_cross_processes(named):
    """Missing labels and the rows of an inferred map survive the JSON form."""
    found = LabelMap(("a", None), "inferred", ("x",), ("b", "c"), Inferred(100, 84, named))
    assert LabelMap.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("wrong", [[1, 2], [1, 2, "3"], "no"], ids=["two", "text", "no list"])
def test_a_broken_inferred_map_is_refused(wrong):
    """Three counts are needed."""
    broken = {"names": ["a"], "how": "inferred", "unused": [], "inferred": wrong}
    with pytest.raises(BadInput, match="three counts"):
        LabelMap.from_json(broken)


MODELS = st.sampled_from([STARS, FIVE, ["neg", "pos", "mixed"], ["joy", "sad", "Angry", "x"]])
DATA = st.sampled_from(
    [["negative", "positive"], ["neg", "neutral", "pos"], STARS, ["joy", "sadness", "anger"]]
)


@given(MODELS, DATA, st.booleans(), st.data())
def test_permuting_ids_never_changes_the_score(outputs, wanted, partial, data):
    """Ids that are permuted with their names, and labels in another order, give the same map."""
    order = data.draw(st.permutations(range(len(outputs))))
    shuffled = data.draw(st.permutations(wanted))
    moved = [outputs[at] for at in order]
    answers = data.draw(st.lists(st.integers(0, len(outputs) - 1), max_size=20))
    plain = aligned(outputs, wanted, partial)
    other = aligned(moved, shuffled, partial)
    assert (plain is None) == (other is None)
    if plain is not None and other is not None:
        given_ = [plain.names[answer] for answer in answers]
        assert [other.names[order.index(answer)] for answer in answers] == given_
        assert sorted(other.unused) == sorted(plain.unused)
        assert sorted(other.missing) == sorted(plain.missing)
        assert other.how == plain.how


def aligned(outputs, wanted, partial):
    """The map, or None."""
    try:
        return align(outputs, ids(outputs), wanted, partial=partial)
    except LabelMismatch:
        return None


@given(st.text(min_size=1, max_size=12))
def test_normalising_twice_changes_nothing(label):
    """A normalised label is its own normalised form, and case does not matter."""
    assert normalised(normalised(label)) == normalised(label)


@pytest.mark.parametrize(
    ("label", "bare"),
    [("Not_Irony", "notirony"), ("POS", "positive"), ("-1", "-1"), ("1.5", "1.5"), ("+", "+"),
     ("Straße", "strasse"), ("非垃圾", "非垃圾"), ("B-PER", "bper"), ("1.0", "1"),
     ("-2.00", "-2"), ("01", "01"), ("İYİ", "iyi"), ("👍\ufe0f", "👍")],
)  # fmt: skip
def test_names_are_normalised(label, bare):
    """Case, spaces and punctuation go; signs of numbers, and bare punctuation, stay."""
    assert normalised(label) == bare
