"""Causal language models at work: they go on with a prompt, or say how likely a text is."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from jinja2.exceptions import TemplateError
from transformers import StoppingCriteria, StoppingCriteriaList

from cache.key import JSONValue
from evaluators.generation import (
    READ_PADDING,
    checked_tokenizer,
    decoding_of,
    ends_of,
    padded,
    plan_batches,
)
from evaluators.measurement import CandidateFailed, State
from evaluators.reading.contents import parts_of
from evaluators.serving import Serving
from evaluators.task import LIKELIHOODS
from evaluators.tokenization import clean
from evaluators.torch_model import accepted_inputs

TODAY = datetime(2024, 7, 26, tzinfo=UTC)
"""What templates that ask for the date are told: the day that Llama 3's name where none is given.
With the true date a stored answer would be another's tomorrow."""

DATE = "strftime_now"
"""The function that transformers gives to templates."""

DIRECTIVES = "aAbBdmYyHMSjp"
"""Those of strftime that templates use."""

Parts = Mapping[str, JSONValue]


@dataclass(frozen=True, slots=True)
class Continuation:
    """Tokens of which the last `n_scored` are predicted from those before them."""

    ids: Sequence[int]
    n_scored: int


class StopAt(StoppingCriteria):  # type: ignore[misc]  # transformers has no type information
    """Ends each text that holds one of the strings behind its `n_read` first tokens.

    transformers' own StopStringCriteria fails on tokenizers that cannot write "abcdef".
    """

    def __init__(self, tokenizer: Any, strings: Sequence[str], n_read: int) -> None:
        self.tokenizer = tokenizer
        self.strings = strings
        self.n_read = n_read

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> torch.Tensor:
        """Whether each row is done, (n,)."""
        written = (
            self.tokenizer.decode(row, skip_special_tokens=True)
            for row in input_ids[:, self.n_read :].tolist()
        )
        return torch.tensor([any(one in text for one in self.strings) for text in written])


@dataclass(frozen=True, slots=True)
class CausalWriter:
    """`decoding` is transformers' GenerationConfig; `alike` says that padding would change what
    the model answers, so that only prompts of one length share a batch. `encoded` holds the prompts
    of the last answers, so that choices and the count of what was cut encode none again."""

    serving: Serving
    tokenizer: Any  # of transformers: no type information
    model: Any
    decoding: Any
    alike: bool
    dtype: str
    weight_bytes: int
    encoded: dict[tuple[str, bool], list[int]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def load(
        cls, folder: Path, serving: Serving, model: Any, dtype: str, weight_bytes: int
    ) -> "CausalWriter":
        """The writer of an artifact."""
        tokenizer = checked_tokenizer(folder)
        tokenizer.chat_template = on_one_day(tokenizer.chat_template)
        decoding = decoding_of(folder, model, serving, tokenizer)
        told = accepted_inputs(model, ("attention_mask", "position_ids"))
        reads_padding = any(
            getattr(decoding, name, None) not in (None, idle) for name, idle in READ_PADDING.items()
        )
        alike = len(told) < 2 or reads_padding
        return cls(serving, tokenizer, model, decoding, alike, dtype, weight_bytes)

    def answers(self, texts: Sequence[str], *, batch_size: int | None = None) -> list[str]:
        """What follows each prompt as a JSON string; the index of a choice where there are some.

        With the option `likelihoods`: a JSON list of the text's log-likelihood, the number of its
        tokens that were predicted, and of its bytes.
        """
        self.encoded.clear()
        size = batch_size or self.serving.batch_size
        requests = [parts_of(text) for text in texts]
        if self.serving.options.get(LIKELIHOODS):
            return self._likelihoods(requests, size)
        found = [""] * len(texts)
        choosing = [row for row, parts in enumerate(requests) if "choices" in parts]
        writing = [row for row, parts in enumerate(requests) if "choices" not in parts]
        for rows, answer in ((choosing, self._choose), (writing, self._write)):
            given = answer([requests[row] for row in rows], size)
            for row, text in zip(rows, given, strict=True):
                found[row] = text
        return found

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many of the prompts are longer than the model may read; of texts whose likelihood is
        asked none is cut."""
        if self.serving.options.get(LIKELIHOODS):
            return 0
        prompts = (self._encode(self._prompt(parts_of(text))) for text in texts)
        n_cut = sum(len(prompt) > self.serving.max_length for prompt in prompts)
        self.encoded.clear()
        return n_cut

    def _write(self, requests: Sequence[Parts], size: int) -> list[str]:
        prompts = [self._cut(self._encode(self._prompt(parts))) for parts in requests]
        n_new = int(self.decoding.max_new_tokens)
        lengths = [len(prompt) + n_new for prompt in prompts]
        longest = self.serving.max_length + n_new
        found = [""] * len(requests)
        for rows in plan_batches(
            lengths, size, dtype=self.dtype, alike=self.alike, longest=longest
        ):
            batch = padded([prompts[row] for row in rows], self.decoding.pad_token_id, side="left")
            n_read = batch["input_ids"].shape[1]
            with torch.inference_mode():
                whole = self.model.generate(
                    **batch, generation_config=self.decoding, stopping_criteria=self._stop(n_read)
                )
            written = whole[:, n_read:].tolist()
            for row, ids in zip(rows, written, strict=True):
                found[row] = json.dumps(self._text(ids), ensure_ascii=False)
        return found

    def _choose(self, requests: Sequence[Parts], size: int) -> list[str]:
        """The choice with the largest log-likelihood a byte.

        Per byte, not per token: so a choice gains nothing from being cut into many tokens, and
        models with other tokenizers are asked the same question.
        """
        choices = [_texts(parts["choices"]) for parts in requests]
        continuations = [
            self._continuation(parts, choice)
            for parts, several in zip(requests, choices, strict=True)
            for choice in several
        ]
        scores = iter(self._scores(continuations, size))
        return [str(_likeliest(several, [next(scores) for _ in several])) for several in choices]

    def _likelihoods(self, requests: Sequence[Parts], size: int) -> list[str]:
        """Texts longer than the model may read are scored in windows, each from one token on."""
        prompts = [self._prompt(parts, add=False) for parts in requests]
        windows = [self._windows(self._encode(prompt)) for prompt in prompts]
        scores = iter(self._scores([window for row in windows for window in row], size))
        found = []
        for (text, _), row in zip(prompts, windows, strict=True):
            total = math.fsum(next(scores) for _ in row)
            n_tokens = sum(window.n_scored for window in row)
            found.append(json.dumps([total, n_tokens, len(text.encode())]))
        return found

    def _windows(self, ids: Sequence[int]) -> list[Continuation]:
        begun = [*ids] if ids[0] == self.tokenizer.bos_token_id else [self._first, *ids]
        step = self.serving.max_length
        return [
            Continuation(begun[start : start + step + 1], len(begun[start + 1 : start + step + 1]))
            for start in range(0, len(begun) - 1, step)
        ]

    def _scores(self, continuations: Sequence[Continuation], size: int) -> list[float]:
        """The log-likelihood of each, by natural logarithm."""
        lengths = [len(continuation.ids) for continuation in continuations]
        found = [0.0] * len(continuations)
        for rows in plan_batches(lengths, size, dtype=self.dtype, alike=self.alike):
            for row, score in zip(
                rows, self._scored([continuations[row] for row in rows]), strict=True
            ):
                found[row] = score
        return found

    def _scored(self, continuations: Sequence[Continuation]) -> list[float]:
        ids = [continuation.ids[:-1] for continuation in continuations]
        inputs = padded(ids, self.decoding.pad_token_id, side="left")
        n_kept = max(continuation.n_scored for continuation in continuations)
        positions = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        extra = {"position_ids": positions, "logits_to_keep": n_kept}
        names = accepted_inputs(self.model, [*inputs, *extra])
        with torch.inference_mode():
            logits = self.model(**{name: (inputs | extra)[name] for name in names}).logits
        scores = []
        for continuation, line in zip(continuations, logits, strict=True):
            wanted = torch.tensor(continuation.ids[-continuation.n_scored :])
            likely = torch.log_softmax(line[-continuation.n_scored :].double(), dim=-1)
            scores.append(float(likely[torch.arange(len(wanted)), wanted].sum()))
        return scores

    def _continuation(self, parts: Parts, choice: str) -> Continuation:
        """The prompt with a choice after it; a blank between, unless a template ends it.

        Both are encoded together, as they would be written; the first token that differs from the
        prompt's alone is the first that is scored.
        """
        prompt, special = self._prompt(parts)
        blank = "" if not special or not prompt or prompt[-1].isspace() else " "
        alone = self._encode((prompt.rstrip() if special else prompt, special))
        whole = self._encode((prompt + blank + choice, special))
        same = [a == b for a, b in zip(alone, whole, strict=False)]
        n_prompt = same.index(False) if False in same else len(same)
        ids = whole if n_prompt else [self._first, *whole]
        n_scored = max(1, min(len(whole) - n_prompt, self.serving.max_length))
        if len(ids) < 2:
            ids = [self._first, *ids]
        return Continuation(ids[-self.serving.max_length - 1 :], n_scored)

    def _prompt(self, parts: Parts, *, add: bool = True) -> tuple[str, bool]:
        """The text to read, and whether the tokenizer adds its special tokens; a template has them.

        `add` lets the template ask for the assistant's turn.
        """
        messages = parts.get("messages")
        if not isinstance(messages, list):
            return str(clean(str(parts.get("text", "")))), True
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=add
            )
        except (TemplateError, ValueError, TypeError) as error:
            reason = f"its chat template refuses the messages: {error}"
            raise CandidateFailed(State.UNSUPPORTED, reason) from error
        return str(clean(text)), False

    def _encode(self, prompt: tuple[str, bool]) -> list[int]:
        if prompt not in self.encoded:
            text, special = prompt
            ids: list[int] = self.tokenizer(text, add_special_tokens=special)["input_ids"]
            if special and len(ids) > 1 and ids[-1] in ends_of(self.decoding):
                ids = ids[:-1]  # some tokenizers end every text, and nothing would follow
            self.encoded[prompt] = ids or [self._first]
        return self.encoded[prompt]

    def _cut(self, ids: list[int]) -> list[int]:
        """The end of a prompt that is too long, behind its first token if that is special."""
        limit = self.serving.max_length
        if len(ids) <= limit:
            return ids
        head = ids[:1] if ids[0] == self.tokenizer.bos_token_id and limit > 1 else []
        return [*head, *ids[len(ids) - limit + len(head) :]]

    @property
    def _first(self) -> int:
        """What a text begins with that has no beginning."""
        begin = self.tokenizer.bos_token_id
        return int(begin) if begin is not None else min(ends_of(self.decoding), default=0)

    def _stop(self, n_read: int) -> StoppingCriteriaList:
        strings = _texts(self.serving.options.get("stop"))
        return StoppingCriteriaList([StopAt(self.tokenizer, strings, n_read)] if strings else [])

    def _text(self, ids: Sequence[int]) -> str:
        """What was written, up to its end or the first of the stop strings."""
        ends = ends_of(self.decoding)
        last = next((at for at, token in enumerate(ids) if token in ends), len(ids))
        text = str(self.tokenizer.decode(ids[:last], skip_special_tokens=True))
        for stop in _texts(self.serving.options.get("stop")):
            text = text.partition(stop)[0]
        return text


def on_one_day(template: Any) -> Any:
    """A chat template that is told `TODAY` whenever it asks for the date.

    transformers passes no functions to templates, so a macro hides the one that tells the date.
    """
    if not isinstance(template, str) or DATE not in template:
        return template
    swaps = "".join(f".replace('%{one}', '{TODAY.strftime('%' + one)}')" for one in DIRECTIVES)
    return f"{{%- macro {DATE}(form) -%}}{{{{ form{swaps} }}}}{{%- endmacro -%}}{template}"


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _likeliest(choices: Sequence[str], scores: Sequence[float]) -> int:
    """The first of the best."""
    by_byte = [
        score / max(1, len(choice.encode())) for choice, score in zip(choices, scores, strict=True)
    ]
    return max(range(len(choices)), key=lambda at: by_byte[at], default=0)
