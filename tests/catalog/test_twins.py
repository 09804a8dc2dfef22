"""Identical weights under several names are one candidate."""

from dataclasses import replace

import pytest

from catalog.model import File, Model
from catalog.twins import merge_twins

WEIGHTS = File("model.safetensors", 100, "a" * 64)
VOCABULARY = File("vocab.txt", 10)
ORIGINAL = Model(
    "demo/original", "0" * 40, "hub",
    task="text-classification", labels=("no", "yes"), architecture="BertForSequenceClassification",
    files=(WEIGHTS, VOCABULARY), license="mit", downloads=1000,
)  # fmt: skip
COPY = replace(ORIGINAL, id="other/copy", revision="1" * 40, downloads=10)


def names(*models: Model) -> list[tuple[str, tuple[str, ...]]]:
    return [(model.id, model.aliases) for model in merge_twins(models)]


def test_twins_are_one_model_in_the_place_of_the_first() -> None:
    """The order of the others stays, and the aliases are sorted."""
    third = replace(COPY, id="a/copy")
    alone = replace(ORIGINAL, id="alone", files=(File("model.safetensors", 100, "b" * 64),))
    expected = [("demo/original", ("a/copy", "other/copy")), ("alone", ())]
    assert names(COPY, alone, ORIGINAL, third) == expected


DIFFERENT = {
    "other labels": replace(COPY, labels=("yes", "no")),
    "other weights": replace(COPY, files=(File("model.safetensors", 100, "b" * 64), VOCABULARY)),
    "an unknown hash": replace(COPY, files=(File("model.safetensors", 100), VOCABULARY)),
    "another task": replace(COPY, task="token-classification"),
    "not described": replace(COPY, files=(), described=False),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_models_that_may_answer_otherwise_stay_apart(other: Model) -> None:
    """Only what is known to be the same is merged."""
    assert names(ORIGINAL, other) == [("demo/original", ()), ("other/copy", ())]


def test_unknown_hashes_are_no_reason_to_merge() -> None:
    """Two models of which nothing is known are not the same."""
    unknown = DIFFERENT["an unknown hash"]
    assert len(merge_twins([unknown, replace(unknown, id="x")])) == 2


def test_all_shards_count() -> None:
    """One shard in common makes no twins; the same shards in another order do."""
    index = File("model.safetensors.index.json", 5)
    shards = [File(f"model-0000{i}-of-00002.safetensors", 50, str(i) * 64) for i in (1, 2, 3)]
    one = replace(ORIGINAL, files=(index, shards[0], shards[1]))
    swapped = tuple(replace(s, path=p.path) for s, p in zip(shards[1::-1], shards[:2], strict=True))
    assert len(merge_twins([one, replace(one, id="b", files=(index, *swapped))])) == 1
    assert len(merge_twins([one, replace(one, id="b", files=(index, *shards[1:]))])) == 2


LESS = {
    "a licence beats downloads": replace(COPY, downloads=10**6, license=None),
    "`other` is no licence": replace(COPY, downloads=10**6, license="other"),
    "fewer downloads": replace(COPY, downloads=999),
    "unknown downloads": replace(COPY, downloads=None),
    "gated": replace(COPY, downloads=10**6, gated=True),
    "no tokenizer": replace(COPY, downloads=10**6, files=(WEIGHTS,)),
    "remote code": replace(COPY, downloads=10**6, has_remote_code=True),
    "the later id": replace(COPY, downloads=1000),
}


@pytest.mark.parametrize("other", LESS.values(), ids=LESS.keys())
def test_the_name_is_the_one_to_run(other: Model) -> None:
    """One that may be run, of the clearest licence, then of the most downloads."""
    assert names(other, ORIGINAL) == [("demo/original", ("other/copy",))]


def test_a_copy_on_this_machine_is_preferred() -> None:
    """Nothing has to be downloaded for it; its own name is no alias."""
    local = replace(ORIGINAL, source="folder:/models", downloads=None)
    assert [model.source for model in merge_twins([ORIGINAL, local])] == ["folder:/models"]
    assert names(ORIGINAL, local) == [("demo/original", ())]


def test_merging_again_keeps_the_aliases() -> None:
    """What was merged before stays merged."""
    merged = merge_twins([ORIGINAL, COPY])
    assert names(*merged, replace(COPY, id="z")) == [("demo/original", ("other/copy", "z"))]
