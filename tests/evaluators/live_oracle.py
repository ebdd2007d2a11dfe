"""What a configuration must compute, done the plain way: on a copy of the model, with hooks."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import torch
from tiny_models import Tiny
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from compressors.bank import Bank
from compressors.build import build_bank
from evaluators.linear import quicken
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.option import DROP, Quantize

RTN = {bits: Quantize(bits_per_code=bits, group_size=32, symmetric=bits == 8, solver="rtn") for bits in (2, 4, 8)}


def built_bank(root: Path, model: nn.Module, *, beside: tuple[str, ...] = ()) -> Bank:
    """All of ``RTN`` for every layer inside the blocks, and for those ``beside`` them."""
    anatomy = find_anatomy(model)
    bank = Bank(root, model="w" * 16, calibration="c" * 16, propagate="dense")
    layers = {name: list(RTN.values()) for name in (*(layer.name for layer in anatomy.weights), *beside)}
    tokens = torch.arange(16).reshape(2, 8)
    build_bank(model, blocks=anatomy.blocks, layers=layers, tokens=tokens, bank=bank, propagate=None)
    return bank


def multiplied_alike(model: nn.Module) -> nn.Module:
    """``model`` with the linear layers of live models, so that what both compute can be compared to the last bit."""
    quicken(model)
    return model


def logits_of(model: nn.Module, tokens: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(input_ids=tokens, use_cache=False).logits
    return found


def expected_logits(tiny: Tiny, model: nn.Module, bank: Bank, configuration: Configuration, tokens: Tensor) -> Tensor:
    """Weights replaced by what the bank holds; branches' outputs zeroed and blocks skipped by hooks."""
    patched = copy.deepcopy(model)
    for name, option in configuration.options:
        if isinstance(option, Quantize):
            overwrite(patched.get_submodule(name), bank.read(name, option).dequantize(torch.float32))
        elif option == DROP and re.fullmatch(rf"{re.escape(tiny.blocks)}\.\d+", name):
            patched.get_submodule(name).register_forward_hook(skipped, with_kwargs=True)
        elif option == DROP and is_branch(tiny, name):
            patched.get_submodule(output_of(tiny, name)).register_forward_hook(zeroed)
    return logits_of(patched, tokens)


def is_branch(tiny: Tiny, name: str) -> bool:
    return name.rpartition(".")[2] in (tiny.attention, tiny.mlp)


def output_of(tiny: Tiny, name: str) -> str:
    """The last module of a branch, OPT's loose MLP too."""
    return name.removesuffix("mlp") + "fc2" if "fc2" in tiny.linears and name.endswith(".mlp") else name


def overwrite(module: nn.Module, weight: Tensor) -> None:
    parameter: Tensor = module.weight  # type: ignore[assignment]
    own = weight.T if isinstance(module, Conv1D) else weight
    parameter.data = own.clone().contiguous()


def zeroed(module: nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> object:
    if isinstance(output, tuple):
        return (torch.zeros_like(output[0]), *output[1:])
    return torch.zeros_like(output)


def skipped(
    module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor | tuple[Tensor, ...]
) -> object:
    hidden = inputs[0] if inputs else named["hidden_states"]
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden
