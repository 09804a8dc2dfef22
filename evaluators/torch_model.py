"""A repository's weights as a torch module (home of transformers' Auto classes)."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, PreTrainedModel
from transformers.initialization import no_init_weights
from transformers.utils import logging

from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import task_method
from evaluators.repository import n_parameters, read_config, variant_of
from evaluators.task import Task

PARAMETERS_TOLERANCE = 1.5
"""A config may describe so many times the values that the files hold (tied weights, heads)."""


def load_pretrained(
    source: Path, task: Task, *, dtype: torch.dtype, attention: str | None = None
) -> PreTrainedModel:
    """A repository's model for a task in evaluation mode; CandidateFailed where it is not whole.

    transformers fills a missing head with random numbers and only logs it: here it is an error.
    """
    check_parameters(source, task)
    try:
        with _no_progress_bar():
            model, info = auto_class(source, task).from_pretrained(
                source,
                dtype=dtype,
                attn_implementation=attention,
                variant=variant_of(source),
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise
        raise CandidateFailed(State.CORRUPT, f"the weights cannot be loaded: {error}") from error
    spare = task_method(task.name).spare_weights
    missing = [name for name in info["missing_keys"] if not name.startswith(spare)]
    check_keys(model, missing=missing, mismatched=info["mismatched_keys"])
    return model.eval()


def auto_class(source: Path, task: Task) -> Any:
    """The class of transformers that makes a task's model of a repository."""
    return getattr(transformers, task_method(task.name).class_for(read_config(source)))


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Without transformers' bar, which would land on the user's terminal."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def empty_model(folder: Path, task: Task) -> PreTrainedModel:
    """The model that config.json describes, its weights not yet filled in."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    with no_init_weights():
        model = auto_class(folder, task).from_config(
            config, dtype=torch.float32, trust_remote_code=False
        )
    return model.eval()


def check_parameters(source: Path, task: Task) -> None:
    """CandidateFailed where config.json describes another model than the weights hold (F23)."""
    read_config(source)
    carried = n_parameters(source)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=True)
        with torch.device("meta"):
            model = auto_class(source, task).from_config(config, trust_remote_code=False)
    except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        reason = f"no {task.name} model can be made from config.json: {error}"
        raise CandidateFailed(State.UNSUPPORTED, reason) from error
    described = sum(parameter.numel() for parameter in model.parameters())
    if described > PARAMETERS_TOLERANCE * carried:
        reason = f"config.json describes {described} weights, the files hold {carried}"
        raise CandidateFailed(State.CORRUPT, reason)


def check_keys(
    model: PreTrainedModel, *, missing: Sequence[str], mismatched: Sequence[Any]
) -> None:
    """CandidateFailed where weights are missing: `no head` if they are the head's."""
    is_bare = model.base_model is model  # without a head; its weights have no prefix
    prefix = "" if is_bare else f"{model.base_model_prefix}."
    head = sorted(name for name in missing if not name.startswith(prefix))
    if head:
        reason = f"the weights of the head are missing: {', '.join(head)}"
        raise CandidateFailed(State.NO_HEAD, reason)
    if missing or mismatched:
        names = ", ".join(sorted(map(str, [*missing, *mismatched]))[:5])
        reason = f"weights are missing or of another shape: {names}"
        raise CandidateFailed(State.CORRUPT, reason)


def accepted_inputs(model: PreTrainedModel, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the tokenizer's arrays that the model's forward takes."""
    parameters = inspect.signature(model.forward).parameters
    return tuple(name for name in names if name in parameters)
