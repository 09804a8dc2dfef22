"""Which words or tokens tell an encoder-decoder model what to do, and in which languages."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evaluators.answerers.rewriting import PREFIX, SOURCE_CODE
from evaluators.generation import FORCED, ServedTokenizer
from evaluators.measurement import CandidateFailed, State
from evaluators.repository import Config, read_config
from evaluators.task import Task

SOURCE, TARGET = "source_language", "target_language"

CODE = re.compile(r"[a-z]{2,3}_[A-Z][A-Za-z]{1,3}")
"""How NLLB (`eng_Latn`) and mBART (`en_XX`) name languages."""

MARKED = re.compile(r">>([^<]+)<<")
"""How Marian's models of several target languages name them."""

ISO_639_3: Mapping[str, str] = MappingProxyType(
    {
        "ar": "arb", "bg": "bul", "bn": "ben", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu",
        "el": "ell", "en": "eng", "es": "spa", "et": "est", "eu": "eus", "fa": "pes", "fi": "fin",
        "fr": "fra", "gl": "glg", "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "hy": "hye",
        "id": "ind", "is": "isl", "it": "ita", "ja": "jpn", "ka": "kat", "ko": "kor", "lt": "lit",
        "lv": "lvs", "mk": "mkd", "nl": "nld", "no": "nob", "pl": "pol", "pt": "por", "ro": "ron",
        "ru": "rus", "sk": "slk", "sl": "slv", "sq": "als", "sr": "srp", "sv": "swe", "sw": "swh",
        "ta": "tam", "te": "tel", "th": "tha", "tr": "tur", "uk": "ukr", "ur": "urd", "vi": "vie",
    }
)  # fmt: skip
"""Codes of ISO 639-1 as NLLB's of ISO 639-3; of macrolanguages the one that its list has."""

SHOWN = 6


def for_summaries(source: Path, task: Task) -> ServedTokenizer:
    """A tokenizer for summaries: with T5's prefix, with the language where the model asks it."""
    made = ServedTokenizer.of_encoder(source, task)
    told: dict[str, Any] = {PREFIX: _prefix_of(read_config(source), "summarization")}
    if SOURCE in task.options and (codes := _codes(made.tokenizer)):
        told[SOURCE_CODE] = _code(codes, task, SOURCE)
    return replace(made, told=told)


def for_translation(source: Path, task: Task) -> ServedTokenizer:
    """A tokenizer for translations; CandidateFailed where the languages must be told and are not.

    T5's kind is told them in a prefix; mBART, M2M and NLLB by tokens; a Marian model of several
    target languages by a mark before the text.
    """
    made = ServedTokenizer.of_encoder(source, task)
    codes, marks = _codes(made.tokenizer), _marks(made.tokenizer)
    if codes:
        return replace(made, told=_tokens(made.tokenizer, codes, task))
    if len(marks) > 1:
        return replace(made, told={PREFIX: f">>{_code(marks, task, TARGET)}<< "})
    return replace(made, told={PREFIX: _direction(read_config(source), task)})


def _tokens(tokenizer: Any, codes: Sequence[str], task: Task) -> dict[str, Any]:
    source, target = _code(codes, task, SOURCE), _code(codes, task, TARGET)
    token = getattr(tokenizer, "lang_code_to_token", {}).get(target, target)
    number = tokenizer.convert_tokens_to_ids(token)
    forced = {"forced_bos_token_id": number}
    if type(tokenizer).__name__.startswith("MBartTokenizer"):  # of 25 languages: begins with it
        forced = {"decoder_start_token_id": number, "forced_bos_token_id": None}
    return {SOURCE_CODE: source, FORCED: forced}


def _codes(tokenizer: Any) -> list[str]:
    """The languages of a tokenizer that has to be told which one it reads."""
    if not hasattr(tokenizer, "src_lang"):
        return []
    own = getattr(tokenizer, "lang_code_to_id", None)
    return sorted(own or filter(CODE.fullmatch, tokenizer.get_added_vocab()))


def _marks(tokenizer: Any) -> list[str]:
    marks = map(MARKED.fullmatch, getattr(tokenizer, "supported_language_codes", ()))
    return sorted(mark[1] for mark in marks if mark)


def _code(codes: Sequence[str], task: Task, option: str) -> str:
    """A model's own code of a language; CandidateFailed where none or several would do."""
    wanted = task.options.get(option)
    if not isinstance(wanted, str):
        raise _failed(f"it needs the option {option}, as 'en'; it knows {_some(codes)}")
    folded = wanted.casefold().replace("-", "_")
    names = {folded, ISO_639_3.get(folded, folded)}
    exact = [code for code in codes if code.casefold() == folded]
    fitting = exact or [code for code in codes if code.casefold().partition("_")[0] in names]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _failed(f"{option} {wanted!r} may be {_some(fitting)}: say which")
    raise _failed(f"it does not know the {option} {wanted!r}; it knows {_some(codes)}")


def _direction(config: Config, task: Task) -> str:
    """T5's prefix for the languages asked; none for models of one direction."""
    prefixes = {
        name.removeprefix("translation_"): _prefix_of(config, name)
        for name in _told(config)
        if name.startswith("translation_") and _prefix_of(config, name)
    }
    if not prefixes:
        return ""
    source, target = task.options.get(SOURCE), task.options.get(TARGET)
    if source is None and target is None and len(prefixes) == 1:
        return next(iter(prefixes.values()))
    asked = f"{source}_to_{target}"
    if asked not in prefixes:
        known = _some([name.replace("_", " ") for name in prefixes])
        raise _failed(f"it needs {SOURCE} and {TARGET}; it translates {known}")
    return prefixes[asked]


def _told(config: Config) -> Mapping[str, Any]:
    told = config.get("task_specific_params")
    return told if isinstance(told, Mapping) else {}


def _prefix_of(config: Config, name: str) -> str:
    parameters = _told(config).get(name)
    return str(parameters.get("prefix") or "") if isinstance(parameters, Mapping) else ""


def _some(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _failed(reason: str) -> CandidateFailed:
    return CandidateFailed(State.UNSUPPORTED, reason)
