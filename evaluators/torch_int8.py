"""torch's dynamically quantized modules, to a file and back without pickle."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.ao.nn.quantized.dynamic import Linear as QuantizedLinear

from evaluators.measurement import CandidateFailed, State

INT8_FILE = "model.int8.safetensors"
SCALES, ZERO_POINTS = "weight_scales", "weight_zero_points"


@contextmanager
def _deprecation_accepted() -> Iterator[None]:
    """torch.ao still works in torch 2.13 though it says that 2.10 would remove it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.ao.quantization is deprecated")
        warnings.filterwarnings("ignore", message="torch.quantize_per")
        yield


def quantize(model: Any) -> Any:
    """The model with int8 linear layers, one scale a row of weights."""
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    with _deprecation_accepted():
        mapping = {torch.nn.Linear: per_channel_dynamic_qconfig}
        return quantize_dynamic(model, mapping)  # type: ignore[no-untyped-call]  # torch's lack


def save(model: Any, folder: Path) -> None:
    """Write int8 values, their scales, and all other weights in float32."""
    tensors: dict[str, torch.Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, QuantizedLinear):
            tensors |= {f"{name}.{part}": value for part, value in _parts(module).items()}
    stored = model.state_dict()  # names what is persistent; the packed layers are in it as tuples
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if name in stored:
            tensors[name] = value.detach()
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / INT8_FILE)


def load_into(model: Any, folder: Path) -> Any:
    """The empty model with what `save` wrote: its linear layers replaced, the rest filled."""
    tensors = load_file(folder / INT8_FILE)
    quantized = [name.removesuffix(f".{SCALES}") for name in tensors if name.endswith(SCALES)]
    with _deprecation_accepted():
        for name in quantized:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, _linear(name, tensors))
    for name, value in tensors.items():
        parent, _, child = name.rpartition(".")
        module = model.get_submodule(parent)
        if child in module._parameters:
            setattr(module, child, torch.nn.Parameter(value, requires_grad=False))
        else:
            setattr(module, child, value)
    _tie(model, frozenset(tensors))
    return model.eval()


def _tie(model: Any, filled: frozenset[str]) -> None:
    """Fill the weights that are another's, and of which only one was therefore written.

    CandidateFailed where a weight stays without values.
    """
    lacking = {name for name, _ in model.named_parameters()} - filled
    for pair in model.all_tied_weights_keys.items():
        target, source = pair if pair[1] in filled else reversed(pair)
        if target in lacking and source in filled:
            parent, _, child = target.rpartition(".")
            setattr(model.get_submodule(parent), child, model.get_parameter(source))
            lacking.discard(target)
    if lacking:
        reason = f"int8 weights are missing: {', '.join(sorted(lacking)[:5])}"
        raise CandidateFailed(State.CORRUPT, reason)


def weight_bytes(model: Any) -> int:
    """Bytes of the weights in memory, packed ones as they were before packing."""
    packed = [module for module in model.modules() if isinstance(module, QuantizedLinear)]
    parts = [value for module in packed for value in _parts(module).values()]
    return sum(value.nbytes for value in [*parts, *model.parameters()])


def _parts(module: Any) -> dict[str, torch.Tensor]:
    weight, bias = module.weight(), module.bias()
    parts = {
        "weight": weight.int_repr(),
        SCALES: weight.q_per_channel_scales().float(),
        ZERO_POINTS: weight.q_per_channel_zero_points().to(torch.int8),
    }
    return parts if bias is None else {**parts, "bias": bias.detach()}


def _linear(name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """The quantized layer, its parts taken out of `tensors`."""
    values = tensors.pop(f"{name}.weight")
    scales = tensors.pop(f"{name}.{SCALES}").double()
    zero_points = tensors.pop(f"{name}.{ZERO_POINTS}").long()
    bias = tensors.pop(f"{name}.bias", None)
    has_bias = bias is not None
    module: Any = QuantizedLinear(  # type: ignore[no-untyped-call]  # torch's lack
        values.shape[1], values.shape[0], bias_=has_bias
    )
    weight = torch._make_per_channel_quantized_tensor(values, scales, zero_points, 0)
    module.set_weight_bias(weight, bias)
    return module
