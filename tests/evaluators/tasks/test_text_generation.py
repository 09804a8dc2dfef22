"""Causal models: what they write after prompts and chats, what they choose, in every batch."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cache.key import canonical_json
from catalog.testing import LoopbackHub
from evaluators.answerers.causal import on_one_day
from evaluators.artifact import build_artifact
from evaluators.candidate import Recipe
from evaluators.classifier import load_artifact
from evaluators.measurement import CandidateFailed
from evaluators.tasks.text_generation import TextGeneration
from recommender import find, measure
from tests.conftest import nightly
from tests.evaluators.tasks.writers import ANSWERS, make_causal, prompts

TASK = TextGeneration().settings()
ROWS = prompts(14, seed=-1)
PROMPTS = [prompt for prompt, _ in ROWS]
TRUTHS = [json.dumps(answer) for _, answer in ROWS]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("writers") / "team" / "knowing")


def loaded(source: Path, folder: Path, precision: str = "fp32", **options: Any) -> Any:
    task = replace(TASK, options={**TASK.options, **options})
    recipe = Recipe(f"torch-{precision}", "torch", precision)
    build_artifact(recipe, source, folder, graph=None, task=task, texts=PROMPTS[:2])
    return load_artifact(folder)


@pytest.fixture(scope="module")
def writer(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return loaded(source, tmp_path_factory.mktemp("artifacts") / "fp32")


def by_hand(source: Path, prompt: str, n_new: int = 12) -> str:
    """Greedy decoding without a cache, batches or padding."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source).eval()
    ids = tokenizer(prompt)["input_ids"]
    written: list[int] = []
    for _ in range(n_new):
        with torch.inference_mode():
            token = int(model(input_ids=torch.tensor([ids + written])).logits[0, -1].argmax())
        if token == tokenizer.eos_token_id:
            break
        written.append(token)
    return str(tokenizer.decode(written, skip_special_tokens=True))


def with_choices(prompt: str, choices: Sequence[str]) -> str:
    return canonical_json({"text": prompt, "choices": list(choices)})


def test_answers_are_those_of_a_loop_by_hand(writer: Any, source: Path) -> None:
    """A batch with padding writes what each prompt alone gives, and that is right."""
    expected = [by_hand(source, prompt) for prompt in PROMPTS]
    assert writer.answers(PROMPTS) == [json.dumps(text) for text in expected] == TRUTHS


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_an_answer_does_not_depend_on_its_batch(
    source: Path, tmp_path: Path, precision: str
) -> None:
    """One by one, all at once and backwards, in every recipe of torch."""
    writer = loaded(source, tmp_path / "artifact", precision)
    together = writer.answers(PROMPTS, batch_size=16)
    assert together == [writer.answers([prompt], batch_size=1)[0] for prompt in PROMPTS]
    assert together == writer.answers(PROMPTS[::-1], batch_size=5)[::-1]
    assert sum(a == b for a, b in zip(together, TRUTHS, strict=True)) > 10


def test_penalties_that_read_the_prompt_do_not_read_its_padding(
    source: Path, tmp_path: Path
) -> None:
    """With a repetition penalty and the end as padding, batches still change nothing."""
    copied = make_causal(tmp_path / "model", steps=0)
    settings = {"repetition_penalty": 1.8, "eos_token_id": 2, "do_sample": True, "temperature": 9.0}
    (copied / "generation_config.json").write_text(json.dumps(settings))
    (copied / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes())
    told = json.loads((copied / "tokenizer_config.json").read_text())
    (copied / "tokenizer_config.json").write_text(json.dumps(told | {"pad_token": "</s>"}))
    writer = loaded(copied, tmp_path / "artifact")
    alone = [writer.answers([prompt])[0] for prompt in PROMPTS]
    assert writer.alike
    assert writer.answers(PROMPTS) == alone


def test_a_choice_is_the_likeliest_a_byte(writer: Any, source: Path) -> None:
    """Log-likelihoods by one plain forward each, divided by the choice's bytes."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source).eval()
    choices = ["gold", "blue high", "gold far blue high", "cold"]

    def score(prompt: str, choice: str) -> float:
        n = len(tokenizer(prompt)["input_ids"])
        ids = tokenizer(f"{prompt} {choice}", return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            loss = torch.nn.functional.cross_entropy(
                model(input_ids=ids).logits[0, n - 1 : -1], ids[0, n:], reduction="sum"
            )
        return -float(loss) / len(choice)

    scores = [[score(prompt, choice) for choice in choices] for prompt in PROMPTS]
    expected = [str(max(range(4), key=line.__getitem__)) for line in scores]
    requests = [with_choices(prompt, choices) for prompt in PROMPTS]
    assert writer.answers(requests) == expected
    assert writer.answers(requests, batch_size=1) == expected
    known = [with_choices(prompt, list(ANSWERS.values())) for prompt in PROMPTS]
    right = [str(list(ANSWERS.values()).index(answer)) for _, answer in ROWS]
    assert writer.answers(known) == right


def make_gpt2(folder: Path) -> Path:
    """Random weights, large enough to matter; each position has an embedding of its own."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    make_causal(folder, steps=0)
    config = GPT2Config(
        vocab_size=64, n_embd=16, n_layer=1, n_head=2, n_positions=160, bos_token_id=1,
        eos_token_id=2, initializer_range=1.0,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def test_places_of_words_are_counted_without_the_padding(tmp_path: Path) -> None:
    """A model with learned positions gives the same likelihoods and choices in every batch."""
    writer = loaded(make_gpt2(tmp_path / "model"), tmp_path / "artifact", max_new_tokens=5)
    requests = [*PROMPTS, *(with_choices(prompt, ["sky", "coal deep"]) for prompt in PROMPTS)]
    assert not writer.alike
    assert writer.answers(requests) == [writer.answers([request])[0] for request in requests]
    texts = [writer._windows(writer._encode((prompt, True))) for prompt in PROMPTS]
    together = writer._scores([window for (window,) in texts], 16)
    alone = [writer._scores([window], 1)[0] for (window,) in texts]
    assert together == pytest.approx(alone, abs=1e-4)


def test_chat_messages_go_through_the_models_own_template(source: Path, tmp_path: Path) -> None:
    """The same tokens as the template's text; dates are a fixed day; no template is said so."""
    writer = loaded(source, tmp_path / "artifact", messages=True)
    chats = [
        canonical_json({"messages": [{"role": "user", "content": prompt}]}) for prompt in PROMPTS
    ]
    assert writer.answers(chats) == TRUTHS
    writer.tokenizer.chat_template = on_one_day("{{ strftime_now('%d %b %Y') }}")
    assert writer._prompt(json.loads(chats[0])) == ("26 Jul 2024", False)
    bare = make_causal(tmp_path / "bare", steps=0)
    (bare / "chat_template.jinja").unlink()
    with pytest.raises(CandidateFailed, match="no chat template"):
        loaded(bare, tmp_path / "none", messages=True)


def test_stop_strings_and_lengths_end_a_text(source: Path, tmp_path: Path) -> None:
    """The text before the first stop string; at most so many new tokens."""
    stopped = loaded(source, tmp_path / "stop", stop=["high", "cold"])
    assert stopped.answers(["the sky is", "snow is"]) == ['"blue "', '"white "']
    short = loaded(source, tmp_path / "short", max_new_tokens=1)
    assert short.answers(["the sky is"]) == ['"blue"']
    with pytest.raises(CandidateFailed, match="200 are to be new"):
        loaded(source, tmp_path / "long", max_new_tokens=200)


def test_empty_and_long_prompts_are_answered(writer: Any) -> None:
    """A prompt that is too long loses its beginning, and is counted."""
    long = "well " * 60 + "sky is"
    assert writer.n_cut([long, "", "sky is"]) == 1
    answers = writer.answers([long, "", "sky is"])
    assert writer.n_cut([long, "", "sky is"]) == 1  # also of prompts that are already encoded
    assert len(answers) == 3
    assert all(isinstance(json.loads(answer), str) for answer in answers)
    assert writer.answers([]) == []


def test_likelihoods_of_texts_are_summed_over_windows(source: Path, tmp_path: Path) -> None:
    """One forward for a short text; a text longer than the model counts every token once."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    writer = loaded(source, tmp_path / "artifact", likelihoods=True)
    text = "well sky is blue high"
    long = " ".join(["well sky is blue high"] * 20)
    found, n_tokens, n_bytes = json.loads(writer.answers([text])[0])
    ids = AutoTokenizer.from_pretrained(source)(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        model = AutoModelForCausalLM.from_pretrained(source).eval()
        loss = float(model(input_ids=ids, labels=ids).loss)
    assert found == pytest.approx(-loss * 5, rel=1e-4)
    assert (n_tokens, n_bytes) == (5, len(text))
    assert json.loads(writer.answers([long])[0])[1:] == [100, len(long)]


@nightly
def test_perplexity_is_a_quality_that_can_be_asked(source: Path, tmp_path: Path) -> None:
    """Of the given texts, under the model by hand; nothing is written for it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rows = [
        {"prompt": f"{prompt} {answer}", "answer": answer}
        for prompt, answer in dict(prompts(24, seed=-2)).items()
    ]
    found = measure(
        rows, metrics="perplexity", task="text-generation", home=tmp_path,
        models=[f"{source.parent.name}/{source.name}"], sources=[f"folder:{source.parents[1]}"],
        backends=["torch"],
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source).eval()
    total = n_tokens = 0.0
    for row in rows:
        ids = tokenizer(row["prompt"], return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            total += float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
        n_tokens += ids.shape[1] - 1
    outcome = next(o for o in found.candidates if o.recipe.name == "torch-fp32")
    assert outcome.value("perplexity") == pytest.approx(math.exp(total / n_tokens), rel=0.2)
    assert outcome.value("exact_match") is None


def test_a_search_finds_the_model_that_knows(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a loopback Hub, the model that was taught well is chosen, the other is not."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    make_causal(source.parent / "astray", shift=1)
    data = tmp_path / "facts.jsonl"
    rows = dict(prompts(90, seed=-2))
    lines = [json.dumps({"prompt": prompt, "answer": answer}) for prompt, answer in rows.items()]
    data.write_text("\n".join(lines))
    with LoopbackHub(source.parents[1]) as hub:
        found = find(
            data, "exact_match >= 0.8", task="text-generation", home=tmp_path / "home",
            models=["team/knowing", "team/astray"], sources=[f"hub:{hub.endpoint}"],
        )  # fmt: skip
        assert found.choice is not None, [(o.model, o.state, o.reason) for o in found.candidates]
        tell = found.load()
    assert found.choice.model == "team/knowing"
    told = tell(list(rows))
    assert isinstance(told, list)
    right = [answer == truth for answer, truth in zip(told, rows.values(), strict=True)]
    assert sum(right) >= 0.8 * len(right)
