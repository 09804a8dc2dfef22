"""Summaries and translations by encoder-decoder models, and the languages that they are told."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.testing import LoopbackHub
from evaluators.answerers.languages import _code, for_translation
from evaluators.artifact import build_artifact
from evaluators.candidate import Recipe
from evaluators.classifier import load_artifact
from evaluators.measurement import CandidateFailed
from evaluators.plugins import task_method
from evaluators.task import Task
from recommender import find
from tests.conftest import nightly
from tests.evaluators.tasks.writers import make_t5, prompts

ROWS = prompts(14, seed=-1)
TEXTS = [text for text, _ in ROWS]
ENGLISH_TO_GERMAN = {"source_language": "en", "target_language": "de"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_t5(tmp_path_factory.mktemp("writers") / "team" / "knowing")


def loaded(
    task_name: str, source: Path, folder: Path, precision: str = "fp32", **options: Any
) -> Any:
    settings = task_method(task_name).settings()
    task = replace(settings, options={**settings.options, **options})
    recipe = Recipe(f"torch-{precision}", "torch", precision)
    build_artifact(recipe, source, folder, graph=None, task=task, texts=TEXTS[:2])
    return load_artifact(folder)


def by_hand(source: Path, text: str, n_new: int = 8) -> str:
    """Greedy decoding without a cache, batches or padding."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForSeq2SeqLM.from_pretrained(source).eval()
    read = tokenizer(text, return_tensors="pt")["input_ids"]
    written = [0]
    for _ in range(n_new):
        with torch.inference_mode():
            out = model(input_ids=read, decoder_input_ids=torch.tensor([written]))
        written.append(int(out.logits[0, -1].argmax()))
        if written[-1] == tokenizer.eos_token_id:
            break
    return str(tokenizer.decode(written, skip_special_tokens=True))


@pytest.mark.parametrize(
    ("task", "prefix", "options"),
    [("summarization", "summarize: ", {}), ("translation", "translate: ", ENGLISH_TO_GERMAN)],
)
def test_answers_are_those_of_a_loop_by_hand(
    source: Path, tmp_path: Path, task: str, prefix: str, options: dict[str, str]
) -> None:
    """With the prefix that config.json names for the task, greedily whatever it says of beams."""
    writer = loaded(task, source, tmp_path / "artifact", **options)
    expected = [json.dumps(by_hand(source, prefix + text)) for text in TEXTS]
    assert writer.answers(TEXTS) == expected
    right = [text.split()[-2] for text in TEXTS] if task == "summarization" else dict(ROWS).values()
    assert len(set(expected) & {json.dumps(text) for text in right}) > 3


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_an_answer_does_not_depend_on_its_batch(
    source: Path, tmp_path: Path, precision: str
) -> None:
    """In every recipe of torch; int8 fills the embeddings that encoder and decoder share."""
    writer = loaded("translation", source, tmp_path / "a", precision, **ENGLISH_TO_GERMAN)
    together = writer.answers(TEXTS, batch_size=16)
    assert together == [writer.answers([text])[0] for text in TEXTS]
    right = [json.dumps(answer) == text for (_, answer), text in zip(ROWS, together, strict=True)]
    assert sum(right) > 10


def test_empty_and_long_texts_are_answered(source: Path, tmp_path: Path) -> None:
    """A text that is too long loses its end, and is counted."""
    writer = loaded("summarization", source, tmp_path / "artifact")
    texts = ["sky is " * 60, "", "sky is"]
    assert writer.n_cut(texts) == 1
    assert all(isinstance(json.loads(answer), str) for answer in writer.answers(texts))
    assert writer.n_cut(texts) == 1  # also where only what may have been cut is looked at again


def test_beams_are_used_where_they_are_asked(source: Path, tmp_path: Path) -> None:
    """The option reaches transformers."""
    writer = loaded("summarization", source, tmp_path / "artifact", num_beams=3)
    assert writer.decoding.num_beams == 3
    assert writer.answers(["sky is"]) == ['"sky"']


def test_t5_must_be_told_a_direction_that_it_knows(source: Path, tmp_path: Path) -> None:
    """The failure says which options to give, and which directions there are."""
    wrong = {"source_language": "en", "target_language": "xx"}
    with pytest.raises(CandidateFailed, match=r"source_language and target_language.*en to de"):
        loaded("translation", source, tmp_path / "artifact", **wrong)


@pytest.mark.parametrize(
    ("codes", "wanted", "found"),
    [
        (["en_XX", "de_DE"], "de", "de_DE"),
        (["eng_Latn", "deu_Latn"], "de", "deu_Latn"),
        (["en", "de"], "de", "de"),
        (["zho_Hans", "zho_Hant"], "zho_Hant", "zho_Hant"),
    ],
)
def test_a_language_is_found_by_each_models_code(codes: list[str], wanted: str, found: str) -> None:
    """mBART's, NLLB's and M2M's codes."""
    assert _code(codes, told(wanted), "target_language") == found


@pytest.mark.parametrize(
    ("codes", "wanted", "reason"),
    [
        (["zho_Hans", "zho_Hant"], "zho", "say which"),
        (["en", "de"], "tlh", "does not know"),
        (["en", "de"], None, "needs the option target_language"),
    ],
)
def test_a_language_that_is_not_known_is_refused_with_those_that_are(
    codes: list[str], wanted: str | None, reason: str
) -> None:
    """None, several, or nothing said."""
    with pytest.raises(CandidateFailed, match=rf"{reason}.*|{codes[0]}.*{reason}"):
        _code(codes, told(wanted), "target_language")


def told(target: str | None) -> Task:
    return Task("translation", options={"target_language": target})


def make_nllb(folder: Path) -> Path:
    """A tokenizer of NLLB's kind with the config of its model."""
    from transformers import M2M100Config, NllbTokenizer

    letters = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdefghij"]
    tokenizer = NllbTokenizer(
        vocab={letter: at for at, letter in enumerate(letters)}, merges=[],
        additional_special_tokens=["eng_Latn", "deu_Latn", "fra_Latn"],
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    M2M100Config(vocab_size=len(tokenizer)).save_pretrained(folder)
    return folder


def test_nllb_is_told_the_languages_by_tokens(tmp_path: Path) -> None:
    """The source's code goes to the tokenizer, the target's is forced to be written first."""
    folder = make_nllb(tmp_path)
    task = replace(task_method("translation").settings(), options=ENGLISH_TO_GERMAN)
    made = for_translation(folder, task)
    number = made.tokenizer.convert_tokens_to_ids("deu_Latn")
    assert made.told == {"source_code": "eng_Latn", "forced": {"forced_bos_token_id": number}}
    with pytest.raises(CandidateFailed, match="needs the option source_language"):
        for_translation(folder, replace(task, options={}))


@nightly
def test_a_search_finds_the_model_that_knows(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a loopback Hub, the model that was taught well is chosen, the other is not."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    make_t5(source.parent / "astray", shift=1)
    data = tmp_path / "facts.jsonl"
    rows = {text: text.split()[-2] for text, _ in prompts(90, seed=-2)}
    lines = [json.dumps({"document": text, "summary": one}) for text, one in rows.items()]
    data.write_text("\n".join(lines))
    with LoopbackHub(source.parents[1]) as hub:
        found = find(
            data, "rougeL >= 0.8", task="summarization", home=tmp_path / "home",
            models=["team/knowing", "team/astray"], sources=[f"hub:{hub.endpoint}"],
        )  # fmt: skip
    assert found.choice is not None, [(o.model, o.state, o.reason) for o in found.candidates]
    assert found.choice.model == "team/knowing"
