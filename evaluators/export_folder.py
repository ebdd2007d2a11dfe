"""Loads the files of an export, packed or not, the way that transformers itself loads them."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from evaluators.checkpoint import load_model, quiet, read_model
from spaces.errors import InputError

PACKAGES = {  # by quant_method: what transformers needs to read it, and what pip installs
    "compressed-tensors": ("compressed_tensors", "'layerpress[compressed-tensors]'"),
    "torchao": ("torchao", "'layerpress[torchao]'"),
    "auto-round": ("auto_round", "auto-round"),
    "gguf": ("gguf", "'layerpress[gguf]'"),
}
FOREIGN = {"gptq": "GPTQModel", "mlx": "mlx-lm"}  # transformers ignores the one's rules, and does not know the other


def load_export(folder: Path, *, dtype: torch.dtype, device: str = "cpu") -> nn.Module:
    """The model in a folder of safetensors, dense or packed, or with one GGUF file; it computes in ``dtype``.

    Raises:
        InputError: it holds neither, the package that reads it is missing, or transformers cannot load it.
    """
    files = sorted(folder.glob("*.gguf"))
    if len(files) == 1:
        return _load_gguf(folder, files[0].name, dtype).to(device)
    if files:
        names = ", ".join(file.name for file in files)
        raise InputError(f"{folder} must hold one GGUF file, got {names}; keep one")
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} holds neither a GGUF file nor a config.json; give a folder that `export` wrote")
    if _method(folder) == "torchao":
        return _decoded(read_model(folder, dtype="auto"), dtype).to(device)
    return load_model(folder, dtype=dtype, device=device)


def _load_gguf(folder: Path, name: str, dtype: torch.dtype) -> nn.Module:
    _check_package("gguf")
    try:
        with quiet():
            model: nn.Module = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=dtype)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"transformers cannot load {folder / name}: {str(error).strip().splitlines()[0]}") from error
    return model.eval().requires_grad_(False)


def _decoded(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A torchao model with plain weights, exact in float32 and then rounded once to ``dtype``.

    As they are they compute in the dtype of the file alone, and ``.to`` rounds their scales to the model's dtype, even
    where nothing is moved.
    """
    from torchao.utils import TorchAOBaseTensor

    for module in model.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            if isinstance(weight, TorchAOBaseTensor):
                values = weight.to(torch.float32).dequantize()
                setattr(module, name, nn.Parameter(values.to(dtype), requires_grad=False))
            else:  # in place: two modules may share it. Not of buffers: rotary frequencies stay float32
                weight.data = weight.data.to(dtype)
    return model


def _method(folder: Path) -> str:
    """How a checkpoint is quantized, as its config says; "" for a dense one.

    Raises:
        InputError: this installation, or transformers itself, cannot read it.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        quantization = config.get("quantization_config") or {}
        method = str(quantization.get("quant_method") or ("mlx" if quantization.get("mode") == "affine" else ""))
    except (ValueError, AttributeError) as error:
        raise InputError(f"{folder / 'config.json'} is no model's config; export the model again") from error
    if method in FOREIGN:
        raise InputError(
            f"{folder} is a checkpoint for {FOREIGN[method]}, and what is measured is loaded by transformers; "
            f"measure the candidate's dense or compressed-tensors export, or its configuration"
        )
    if method in PACKAGES:
        _check_package(method)
    return method


def _check_package(method: str) -> None:
    package, to_install = PACKAGES[method]
    if find_spec(package) is None:
        raise InputError(f"reading {method} files needs the package {package}; run: pip install {to_install}")
