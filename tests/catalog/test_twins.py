"""Models that answer alike under several names are one candidate."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.model import File, Model
from catalog.sources.folder import FolderSource
from catalog.sources.hub import HubSource
from catalog.testing import LoopbackHub
from catalog.twins import merge_twins, twin_groups

WEIGHTS = File("model.safetensors", 100, "a" * 64)
VOCABULARY = File("vocab.txt", 10, None, "b" * 40)
CONFIG = File("config.json", 5, None, "c" * 40)
ORIGINAL = Model(
    "demo/original", "0" * 40, "hub",
    task="text-classification", labels=("no", "yes"), architecture="BertForSequenceClassification",
    files=(WEIGHTS, VOCABULARY, CONFIG), license="mit", downloads=1000,
)  # fmt: skip
COPY = replace(ORIGINAL, id="other/copy", revision="1" * 40, downloads=10)


def names(*models: Model) -> list[tuple[str, tuple[str, ...]]]:
    return [(model.id, model.aliases) for model in merge_twins(models)]


def test_twins_are_one_model_in_the_place_of_the_first() -> None:
    """The order of the others stays, and the aliases are sorted."""
    third = replace(COPY, id="a/copy")
    alone = with_files(File("model.safetensors", 100, "b" * 64), id="alone")
    expected = [("demo/original", ("a/copy", "other/copy")), ("alone", ())]
    assert names(COPY, alone, ORIGINAL, third) == expected


def with_files(*files: File, id: str = "other/copy", **changes: Any) -> Model:
    """The copy with these files in place of those of the same path, or added."""
    kept = {file.path: file for file in (*COPY.files, *files)}
    return replace(COPY, id=id, files=tuple(kept.values()), **changes)


DIFFERENT = {
    "other labels": replace(COPY, labels=("yes", "no")),
    "other names of labels": replace(COPY, label2id={"no": 1, "yes": 0}),
    "other weights": with_files(File("model.safetensors", 100, "b" * 64)),
    "an unknown hash": with_files(File("model.safetensors", 100)),
    "another task": replace(COPY, task="token-classification"),
    "not described": replace(COPY, files=(), described=False),
    "another vocabulary": with_files(File("vocab.txt", 10, None, "e" * 40)),
    "an unknown vocabulary": with_files(File("vocab.txt", 10)),
    "hashes that cannot be compared": with_files(File("vocab.txt", 10, "b" * 64)),
    "no vocabulary": replace(COPY, files=(WEIGHTS, CONFIG)),
    "one tokenizer more": with_files(File("tokenizer.json", 9, None, "e" * 40)),
    "a preprocessor": with_files(File("preprocessor_config.json", 9, None, "e" * 40)),
    "another config": with_files(File("config.json", 5, None, "e" * 40)),
    "a config that says otherwise": with_files(
        File("config.json", 5, None, "e" * 40), config_digest="f" * 64
    ),
    "a graph of its own": with_files(File("onnx/model.onnx", 90, "e" * 64)),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_models_that_may_answer_otherwise_stay_apart(other: Model) -> None:
    """Only what is known to be the same is merged."""
    assert names(ORIGINAL, other) == [("demo/original", ()), ("other/copy", ())]


SAME = {
    "a card": with_files(File("README.md", 90, None, "e" * 40)),
    "git's own files": with_files(File(".gitattributes", 9, None, "e" * 40)),
    "weights for others": with_files(File("pytorch_model.bin", 99, "e" * 64)),
    "what training left": with_files(File("trainer_state.json", 99, "e" * 64)),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME.keys())
def test_files_that_decide_no_answer_may_differ(other: Model) -> None:
    """They are still one candidate."""
    assert names(ORIGINAL, other) == [("demo/original", ("other/copy",))]


def test_configs_that_were_written_elsewhere_are_the_same() -> None:
    """By what they say, where their bytes differ."""
    told = replace(ORIGINAL, config_digest="d" * 64)
    other = with_files(File("config.json", 7, None, "e" * 40), config_digest="d" * 64)
    assert names(told, other) == [("demo/original", ("other/copy",))]


def test_twins_of_two_kinds_are_two_models() -> None:
    """Each is merged with those that have its own vocabulary."""
    bad = File("vocab.txt", 10, None, "e" * 40)
    models = (ORIGINAL, with_files(bad, id="bad/a"), COPY, with_files(bad, id="bad/b"))
    assert names(*models) == [("demo/original", ("other/copy",)), ("bad/a", ("bad/b",))]


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


def test_a_folder_and_a_hub_tell_what_twins_are_compared_by(
    tmp_path: Path, write_repository: Callable[..., Path]
) -> None:
    """A copy whose config was written anew is a twin, one with another vocabulary is none."""
    write_repository(tmp_path / "demo/a")
    write_repository(tmp_path / "demo/b", config={"_name_or_path": "demo/a"})
    write_repository(tmp_path / "demo/c", files={"vocab.txt": b"[UNK]\n[PAD]\n"})
    folder = FolderSource(tmp_path)
    with LoopbackHub(tmp_path) as hub:
        for source in (folder, HubSource(hub.endpoint, token=False)):
            models = [source.model(f"demo/{name}") for name in "abc"]
            assert [len(group) for group in twin_groups(models)] == [2, 1]
