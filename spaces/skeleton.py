"""A model's shape without its weights: built on the meta device from a config, in seconds at any size."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

from spaces.announcements import unannounced
from spaces.discovery import Anatomy, find_anatomy
from spaces.errors import InputError
from spaces.weight_files import stored_dtype, stored_dtype_on_hub

_ALONE = Lock()  # transformers changes torch's default dtype, which all threads share, while it builds a model


def load_config(model: str) -> PreTrainedConfig:
    """The config of a local folder or of a hub id; code from the hub is never run.

    Its dtype is that of the weights wherever their files can be asked: configs often name another one, or none.

    Raises:
        InputError: there is no such folder or model, transformers does not know its architecture, or it is quantized.
    """
    looks_local = model.startswith((".", "/", "~")) or model.count("/") != 1 or Path(model).exists()
    path = str(Path(model).expanduser()) if looks_local else model
    if looks_local and not (Path(path) / "config.json").is_file():
        raise InputError(
            f"model must be a folder with a config.json or a hub id such as Qwen/Qwen3-0.6B, got {model!r}: "
            f"{'it has no config.json' if Path(path).is_dir() else 'there is no such folder'}"
        )
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError, KeyError, StrictDataclassError) as error:
        raise InputError(
            f"cannot read the config of model {model!r}: {_gist(error)}; "
            f"give a local folder, or check the hub id and the network"
        ) from error
    if getattr(config, "quantization_config", None) is not None:
        raise InputError(f"model {model!r} is quantized already; give the dense checkpoint that it was made from")
    stored = stored_dtype(Path(path)) if looks_local else stored_dtype_on_hub(model, config._commit_hash)
    if stored is not None:
        config.dtype = stored
    return config


def skeleton(config: PreTrainedConfig) -> nn.Module:
    """The causal language model of ``config`` on the meta device, in the checkpoint's dtype.

    Raises:
        InputError: the config belongs to no causal language model.
    """
    try:
        with _ALONE, torch.device("meta"), unannounced():
            model: nn.Module = AutoModelForCausalLM.from_config(config, dtype=config.dtype or torch.float32)  # type: ignore[no-untyped-call]
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{type(config).__name__} is not a causal language model that transformers builds: {_gist(error)}"
        ) from error
    return model


def anatomy_of(model: str) -> Anatomy:
    """The anatomy of a local folder or hub id, without reading a weight."""
    return find_anatomy(skeleton(load_config(model)))


def _gist(error: BaseException) -> str:
    """The first two lines of a message on one: a validation error says only in its second what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) or type(error).__name__
