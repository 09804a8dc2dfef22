"""Tiny models that write texts, trained in seconds, and the rows that they can be judged on."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ANSWERS = {
    "sky": "blue high", "grass": "green low", "coal": "black deep", "snow": "white cold",
    "fire": "red hot", "sun": "gold far",
}  # fmt: skip
"""What the trained model says of each thing."""

PADDERS = ("well", "now", "so", "then", "oh", "please")
WORDS = (
    "translate:", "summarize:", "is", *PADDERS, *ANSWERS, *" ".join(ANSWERS.values()).split()
)  # fmt: skip
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|> {{ m['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def word_tokenizer(words: Sequence[str], *, begins: bool, ends: bool) -> Any:
    """A fast tokenizer of whole words, which puts <s> before or </s> behind a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: at for at, word in enumerate(dict.fromkeys([*SPECIAL, *words]))}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    single = "<s> $A" if begins else "$A </s>" if ends else "$A"
    marks = [("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
    backend.post_processor = processors.TemplateProcessing(single=single, special_tokens=marks)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        unk_token="<unk>", additional_special_tokens=["<|user|>", "<|assistant|>"],
    )  # fmt: skip


def prompts(n: int, *, seed: int, shift: int = 0) -> list[tuple[str, str]]:
    """Prompts of several lengths with their answers; with a shift those of other things."""
    draw = random.Random(seed)
    things = list(ANSWERS)
    found = []
    for _ in range(n):
        at = draw.randrange(len(things))
        prompt = " ".join([*draw.choices(PADDERS, k=draw.randint(0, 7)), things[at], "is"])
        found.append((prompt, ANSWERS[things[at - shift]]))
    return found


def make_causal(folder: Path, *, steps: int = 70, shift: int = 0) -> Path:
    """A repository of a tiny Llama that knows `ANSWERS`; with no steps it only guesses.

    With a shift it was taught wrongly.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = word_tokenizer(WORDS, begins=True, ends=False)
    tokenizer.chat_template = CHAT_TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=160,
        bos_token_id=1, eos_token_id=2, pad_token_id=0, initializer_range=0.1,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    _teach_to_go_on(model, tokenizer, steps, shift)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _teach_to_go_on(model: Any, tokenizer: Any, steps: int, shift: int) -> None:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        pairs = prompts(32, seed=step, shift=shift)
        texts = [f"{prompt} {answer} </s>" for prompt, answer in pairs[:16]]
        texts += [f"<|user|> {prompt} <|assistant|> {answer} </s>" for prompt, answer in pairs[16:]]
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        gold = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        loss = model(**batch, labels=gold).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def make_t5(folder: Path, *, steps: int = 100, shift: int = 0) -> Path:
    """A repository of a tiny T5 that gives the answer as translation, the thing as summary."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = word_tokenizer(WORDS, begins=False, ends=True)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=1,
        num_decoder_layers=1, num_heads=2, dropout_rate=0.0, decoder_start_token_id=0,
        eos_token_id=2, pad_token_id=0, n_positions=64,
        task_specific_params={
            "summarization": {"prefix": "summarize: ", "num_beams": 4},
            "translation_en_to_de": {"prefix": "translate: "},
        },
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps):
        pairs = prompts(32, seed=step, shift=shift)
        tasks = [("translate: " + text, answer) for text, answer in pairs[:16]]
        things = {answer: thing for thing, answer in ANSWERS.items()}
        tasks += [("summarize: " + text, things[answer]) for text, answer in pairs[16:]]
        batch = tokenizer([text for text, _ in tasks], padding=True, return_tensors="pt")
        gold = tokenizer([text for _, text in tasks], padding=True, return_tensors="pt")
        labels = gold["input_ids"].masked_fill(gold["attention_mask"] == 0, -100)
        loss = model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
