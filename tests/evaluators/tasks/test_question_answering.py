"""Questions answered by spans, on a reader that was taught a small language."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from cache.key import canonical_json
from evaluators.answerers.spans import LONGEST, SpanReader, best_span
from evaluators.plugins import task_method
from evaluators.samples import Samples
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tokenization import Tokenization
from evaluators.worker_process import Worker
from recommender import Recommendation
from tests.conftest import nightly
from tests.evaluators.tasks.makers import OTHERS, built, found_on_a_hub, make_reader, question_rows

SHAPE = "question-answering"
METHOD = task_method(SHAPE)
Row = Mapping[str, Any]


def task(*, unanswerable: bool) -> Task:
    rows = question_rows(40, seed=1, unanswerable=unanswerable)
    samples = Samples.of(rows, shape=None)
    assert samples.task == SHAPE
    return METHOD.fitted(METHOD.settings(), samples)


def request(row: Row) -> str:
    return canonical_json({"context": row["context"], "question": row["question"]})


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_reader(tmp_path_factory.mktemp("models") / "reader", steps=70)


@pytest.fixture(scope="module")
def folders(
    reader: Path, worker: Worker, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The reader built by two recipes, for data with unanswerable questions; and one without."""
    root = tmp_path_factory.mktemp("artifacts")
    texts = [request(row) for row in question_rows(4, seed=2)]
    squad2, squad1 = (task(unanswerable=there_are) for there_are in (True, False))
    both = {name: built(worker, reader, root, name, squad2, texts)
            for name in ("torch-fp32", "onnxruntime-fp32")}  # fmt: skip
    return both | {"squad1": built(worker, reader, root / "1", "torch-fp32", squad1, texts)}


@pytest.fixture(scope="module")
def direct(reader: Path) -> Callable[[Row], str]:
    """The same answers by transformers' own windows and a search through every span."""
    tokenizer = AutoTokenizer.from_pretrained(reader)
    model = AutoModelForQuestionAnswering.from_pretrained(reader).eval()

    def answer(row: Row) -> str:
        room = 64 - len(tokenizer(row["question"])["input_ids"]) - 1
        batch = tokenizer(
            row["question"], row["context"], truncation="only_second", max_length=64,
            stride=room // 2, return_overflowing_tokens=True, return_offsets_mapping=True,
            padding=True, return_tensors="pt",
        )  # fmt: skip
        offsets = batch.pop("offset_mapping")
        batch.pop("overflow_to_sample_mapping")
        with torch.inference_mode():
            output = model(**batch)
        best, text, null = -np.inf, "", np.inf
        for at, (starts, ends) in enumerate(
            zip(output.start_logits.tolist(), output.end_logits.tolist(), strict=True)
        ):
            null = min(null, starts[0] + ends[0])
            inside = [i for i, part in enumerate(batch.sequence_ids(at)) if part == 1]
            for first in inside:
                for last in inside:
                    fits = first <= last <= first + 29
                    if fits and starts[first] + ends[last] > best:
                        best = starts[first] + ends[last]
                        text = row["context"][offsets[at][first][0] : offsets[at][last][1]]
        return "" if null > best else text

    return answer


def long_rows(n: int) -> list[dict[str, Any]]:
    """Contexts of up to five windows, the name anywhere in them."""
    rows = question_rows(n, seed=6, unanswerable=True)
    for at, row in enumerate(rows):
        filler = " ".join(OTHERS[k % len(OTHERS)] for k in range(15 + 9 * at))
        row["context"] = f"{filler}  {row['context']} {filler}"
    return rows


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_answers_are_those_of_a_direct_computation(
    folders: Mapping[str, Path], worker: Worker, direct: Callable[[Row], str], recipe: str
) -> None:
    """Short contexts and long ones, with answers and without, in the original spelling."""
    rows = [*question_rows(60, seed=4, unanswerable=True), *long_rows(12)]
    rows += [{**row, "context": row["context"].title()} for row in rows[:10]]
    worker.load(folders[recipe])
    found = [json.loads(text) for text in worker.answers([request(row) for row in rows]).texts]
    assert found == [direct(row) for row in rows]
    assert {text == "" for text in found} == {True, False}
    assert any(text != text.lower() for text in found)


def test_the_reader_is_right(folders: Mapping[str, Path], worker: Worker) -> None:
    """Nearly every name is found in long contexts too, and its absence."""
    rows = [*question_rows(100, seed=5, unanswerable=True), *long_rows(12)]
    worker.load(folders["torch-fp32"])
    found = worker.answers([request(row) for row in rows])
    right = [json.loads(text) in (row["answers"] or [""]) for text, row in zip(found.texts, rows, strict=True)]  # fmt: skip  # noqa: E501
    assert np.mean(right[:100]) >= 0.95
    assert np.mean(right[100:]) >= 0.7


def test_every_question_is_answered_where_the_data_has_answers_for_all(
    folders: Mapping[str, Path], worker: Worker
) -> None:
    """SQuAD 1: the null score is not asked."""
    rows = [row for row in question_rows(60, seed=4, unanswerable=True) if not row["answers"]]
    worker.load(folders["squad1"])
    assert '""' not in worker.answers([request(row) for row in rows]).texts


def test_rows_of_several_windows_are_counted(folders: Mapping[str, Path], worker: Worker) -> None:
    """A context that fits with its question is not cut."""
    rows = [*question_rows(5, seed=4), *long_rows(12)]
    tokens = [len((row["question"] + " " + row["context"]).split()) + 3 for row in rows]
    worker.load(folders["torch-fp32"])
    n_cut = worker.answers([request(row) for row in rows]).n_cut
    assert n_cut == sum(n > 64 for n in tokens)
    assert 0 < n_cut < len(rows)


@pytest.mark.parametrize(
    "row",
    [
        {"question": "which colour ?", "context": ""},
        {"question": "", "context": "the red cat"},
        {"question": "which colour " * 60, "context": "the red cat"},
        {"question": "which colour " * 60, "context": "the old cat " * 60},
        {"question": "which colour ?", "context": "\ud800 zebra ☃ red"},
    ],
    ids=["no context", "no question", "long question", "both long", "odd characters"],
)
def test_odd_requests_are_answered_from_the_context(
    folders: Mapping[str, Path], worker: Worker, row: Row
) -> None:
    """Whatever is asked, the answer is a part of the context, and nobody fails."""
    worker.load(folders["squad1"])
    (answer,) = worker.answers([canonical_json(row)]).texts
    assert json.loads(answer) in row["context"]


def test_batches_change_no_answer(folders: Mapping[str, Path], worker: Worker) -> None:
    """One at a time or sixteen."""
    texts = [request(row) for row in [*question_rows(20, seed=8), *long_rows(6)]]
    worker.load(folders["onnxruntime-fp32"])
    alone = worker.answers(texts, batch_size=1).texts
    assert alone == worker.answers(texts, batch_size=16).texts


def test_one_window_with_an_answer_is_enough(folders: Mapping[str, Path]) -> None:
    """The null score is the least of all windows: those beside the answer are sure of none."""
    folder = folders["torch-fp32"]
    serving = Serving.read(folder)
    tokenization = Tokenization.uncut(folder, serving)
    red = tokenization.tokenizer.token_to_id("red")

    def forward(arrays: Mapping[str, Any]) -> tuple[Any, ...]:
        here = arrays["input_ids"] == red
        logits = np.where(here, 3.0, -5.0).astype(np.float32)
        logits[:, 0] = np.where(here.any(axis=1), 0.0, 10.0)
        return logits, logits

    reader = SpanReader(serving, tokenization, forward, "", 0, stride=128, answerable=False)
    far = "and then we saw " * 40
    contexts = [f"red {far}", f"{far} red {far}", f"{far} red", far]
    asked = [request({"question": "which colour ?", "context": one}) for one in contexts]
    assert reader.answers(asked) == ['"red"'] * 3 + ['""']


def test_the_best_span_is_that_of_a_search_through_all() -> None:
    """No span is longer than thirty tokens, and none ends before it starts."""
    draw = np.random.default_rng(0)
    for n in (1, 2, 29, 30, 31, 80):
        start, end = draw.normal(size=(2, n)).astype(np.float32)
        every = [(start[i] + end[j], i, j) for i in range(n) for j in range(i, min(n, i + LONGEST))]
        assert best_span(start, end) == max(every)


def test_only_the_presence_of_unanswerable_rows_enters_the_settings() -> None:
    """The settings of SQuAD 1 and 2 differ in one option."""
    first, second = task(unanswerable=False).options, task(unanswerable=True).options
    assert dict(second) == {**first, "unanswerable": True}


@nightly
def test_a_search_finds_the_reader_that_can_read(
    reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End to end, by a Hub: the trained reader is chosen, the random one is not."""
    rows = question_rows(150, seed=21, unanswerable=True)
    models = {"good": reader, "guessing": make_reader(tmp_path / "guessing")}
    answer: Recommendation = found_on_a_hub(
        models, rows, "exact_match >= 0.8", tmp_path, monkeypatch, tag=SHAPE
    )
    assert answer.choice is not None
    assert answer.choice.model == "team/good"
