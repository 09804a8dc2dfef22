"""Words for a gap, by a model that was taught which word goes with which."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, pipeline

from cache.key import canonical_json
from evaluators.answerers import mask as mask_module
from evaluators.answerers.mask import MaskFiller, likeliest
from evaluators.measurement import CandidateFailed
from evaluators.plugins import task_method
from evaluators.serving import Serving
from evaluators.tokenization import Tokenization
from evaluators.worker_process import Worker
from tests.conftest import nightly
from tests.evaluators.tasks.makers import built, found_on_a_hub, make_filler, masked_rows

METHOD = task_method("fill-mask")
TASK = METHOD.settings()


def request(text: str) -> str:
    return canonical_json({"text": text})


@pytest.fixture(scope="module")
def filler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_filler(tmp_path_factory.mktemp("models") / "filler", steps=70)


@pytest.fixture(scope="module")
def folders(
    filler: Path, worker: Worker, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("artifacts")
    texts = [request(row["text"]) for row in masked_rows(4, seed=2)]
    return {name: built(worker, filler, root, name, TASK, texts)
            for name in ("torch-fp32", "onnxruntime-fp32")}  # fmt: skip


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_words_are_those_of_transformers_own_pipeline(
    folders: dict[str, Path], filler: Path, worker: Worker, recipe: str
) -> None:
    """The same ten tokens in the same order, special ones left out."""
    texts = [row["text"] for row in masked_rows(20, seed=4)]
    theirs = pipeline("fill-mask", str(filler), device="cpu")
    special = AutoTokenizer.from_pretrained(filler).all_special_tokens
    worker.load(folders[recipe])
    found = worker.answers([request(text) for text in texts]).texts
    for text, answer in zip(texts, found, strict=True):
        every = [one["token_str"] for one in theirs(text, top_k=20)]
        assert json.loads(answer) == [word for word in every if word not in special][:10]


def test_the_filler_is_right(folders: dict[str, Path], worker: Worker) -> None:
    """The first word is the one that was left out."""
    rows = masked_rows(60, seed=5)
    worker.load(folders["torch-fp32"])
    found = worker.answers([request(row["text"]) for row in rows]).texts
    firsts = [json.loads(text)[0] for text in found]
    assert sum(f == row["word"] for f, row in zip(firsts, rows, strict=True)) >= 57


def test_a_long_text_is_read_around_its_gap(folders: dict[str, Path], worker: Worker) -> None:
    """A gap at the beginning, in the middle and at the end of a text of many windows."""
    near, far = "the old red the [MASK] was there", "and then we saw " * 40
    texts = [f"{near} {far}", f"{far} {near} {far}", f"{far} {near}", near]
    worker.load(folders["torch-fp32"])
    found = worker.answers([request(text) for text in texts])
    assert [json.loads(text)[0] for text in found.texts] == ["cat"] * 4
    assert found.n_cut == 3


@pytest.mark.parametrize("text", ["", "no gap here", "[MASK]", "[MASK] \ud800 ☃"])
def test_odd_texts_have_an_answer(folders: dict[str, Path], worker: Worker, text: str) -> None:
    """Without a gap there are no words."""
    worker.load(folders["onnxruntime-fp32"])
    (answer,) = worker.answers([request(text)]).texts
    assert len(json.loads(answer)) == (10 if "[MASK]" in text else 0)


def test_batches_change_no_first_word(folders: dict[str, Path], worker: Worker) -> None:
    """One at a time or eight."""
    texts = [request(row["text"]) for row in masked_rows(30, seed=8)]
    worker.load(folders["torch-fp32"])
    alone = worker.answers(texts, batch_size=1).texts
    many = worker.answers(texts, batch_size=8).texts
    assert [json.loads(a)[0] for a in alone] == [json.loads(m)[0] for m in many]


def test_a_large_vocabulary_makes_batches_small(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits are rows x length x vocabulary, and stay within a limit."""
    folder = folders["torch-fp32"]
    serving = Serving.read(folder)
    seen: list[int] = []

    def forward(arrays):  # type: ignore[no-untyped-def]
        shape = (*arrays["input_ids"].shape, 38)
        seen.append(int(np.prod(shape)))
        return (np.zeros(shape, dtype=np.float32),)

    monkeypatch.setattr(mask_module, "LOGITS_LIMIT", 5_000)
    filler = MaskFiller(serving, Tokenization.uncut(folder, serving), forward, "", 0, "[MASK]")
    filler.answers([request(row["text"]) for row in masked_rows(30, seed=8)])
    assert len(seen) > 4
    assert max(seen) <= 5_000


@given(
    st.lists(st.sampled_from([-2.5, -0.0, 0.0, 1.0, 1.5, 7.0]) | st.floats(-9, 9, width=32),
             min_size=1, max_size=40),
    st.integers(1, 50),
)  # fmt: skip
def test_the_likeliest_are_the_first_of_all_in_order(scores: list[float], n: int) -> None:
    """Ties too: as if all were sorted, and equal ones kept their order."""
    line = np.array(scores, dtype=np.float32)
    expected = np.argsort(-line, kind="stable")[:n]
    assert likeliest(line, n).tolist() == expected.tolist()


def test_parts_of_words_are_no_answers(folders: dict[str, Path]) -> None:
    """`##ing` ends a word and is none."""
    folder = folders["torch-fp32"]
    serving = Serving.read(folder)
    tokenization = Tokenization.uncut(folder, serving)
    tokenization.tokenizer.add_tokens(["##ing"])
    filler = MaskFiller(serving, tokenization, lambda _: (), "", 0, "[MASK]")
    token = tokenization.tokenizer.token_to_id
    words = [filler._word(token(word)) for word in ("##ing", "[SEP]", "cat")]
    assert words == ["", "", "cat"]


def test_a_tokenizer_without_a_mask_token_is_no_candidate(filler: Path, tmp_path: Path) -> None:
    """Such a model cannot be asked for a word."""
    tokenizer = AutoTokenizer.from_pretrained(filler)
    tokenizer.mask_token = None
    for file in ("vocab.txt", "config.json"):
        (tmp_path / file).write_bytes((filler / file).read_bytes())
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(CandidateFailed, match="no mask token"):
        METHOD.inputs(tmp_path, TASK)


@nightly
def test_a_search_finds_the_filler_that_knows(
    filler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End to end, by a Hub: the trained model is chosen, the random one is not."""
    models = {"good": filler, "guessing": make_filler(tmp_path / "guessing")}
    answer = found_on_a_hub(
        models, masked_rows(150, seed=21), "accuracy@1 >= 0.8", tmp_path, monkeypatch,
        tag="fill-mask",
    )  # fmt: skip
    assert answer.choice is not None
    assert answer.choice.model == "team/good"
