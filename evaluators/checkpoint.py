"""A model's checkpoint: where it lies, what its weights hash to, and loading it; never a pickle, never remote code."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from spaces.announcements import unannounced
from spaces.errors import InputError
from spaces.weight_files import weight_files

CONFIG_FILE = "config.json"
LABELS = frozenset({"_name_or_path", "transformers_version", "dtype", "torch_dtype", "use_cache"})  # of config.json
NEEDED_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
NEEDLESS_FILES = ["consolidated*", "original/*"]  # the same weights once more, in their makers' own format


def locate(model: str) -> Path:
    """The folder of a local model, or of a hub model's snapshot (downloaded when it is not in the hub's cache).

    Raises:
        InputError: the hub cannot give it, or the folder holds no safetensors or lacks some of them.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(model, allow_patterns=NEEDED_FILES, ignore_patterns=NEEDLESS_FILES))
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
            raise InputError(
                f"model {model!r} is no local folder, and the hub did not give it ({type(error).__name__}); "
                f"check the path or the hub id, the network and, for a gated model, HF_TOKEN"
            ) from error
    weight_files(folder)
    return folder


def fingerprint(folder: Path) -> str:
    """SHA-256 over the name, dtype, shape and bytes of every tensor, whatever the sharding.

    Raises:
        InputError: a file is damaged or missing, or a tensor holds NaN or infinity (named).
    """
    digests: dict[str, str] = {}
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (safe_open is no mapping)
                    digests[name] = _digest(name, file.get_tensor(name))
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path} is not a whole safetensors file ({error}); copy or download it again") from error
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def fingerprint_model(folder: Path, weights: str) -> str:
    """SHA-256 over ``weights``, their fingerprint, and the settings in config.json that a forward pass may depend on.

    Raises:
        InputError: config.json cannot be read.
    """
    path = folder / CONFIG_FILE
    try:
        settings = _without_labels(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); copy or download it again") from error
    return hashlib.sha256(json.dumps([weights, settings], sort_keys=True).encode()).hexdigest()


def _without_labels(settings: object) -> object:
    """Settings, nested ones too, without those that name what the files are and change nothing that is computed."""
    if not isinstance(settings, dict):
        return settings
    return {name: _without_labels(value) for name, value in settings.items() if name not in LABELS}


def _digest(name: str, tensor: Tensor) -> str:
    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
        count = int((~torch.isfinite(tensor)).sum())
        raise InputError(
            f"weight {name} holds {count} NaN or infinite values of {tensor.numel()}; the checkpoint is damaged: "
            f"convert or download it again"
        )
    digest = hashlib.sha256(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_model(folder: Path, *, dtype: torch.dtype, device: str = "cpu") -> nn.Module:
    """The causal language model in ``folder``, ready to be read: no dropout, no gradients.

    Raises:
        InputError: as `read_model`.
    """
    return read_model(folder, dtype=dtype).to(device)


def read_model(folder: Path, *, dtype: torch.dtype | Literal["auto"]) -> nn.Module:
    """The same, where transformers puts it; ``auto`` is the dtype that it was written in.

    Raises:
        InputError: the files do not hold every weight, which transformers would fill with random numbers, or hold
            one of another shape.
    """
    try:
        with quiet():
            loaded: tuple[nn.Module, dict[str, Any]] = AutoModelForCausalLM.from_pretrained(  # type: ignore[assignment]
                folder,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputError(f"transformers cannot load the model in {folder}: {_first_line(error)}") from error
    model, info = loaded
    _check_complete(folder, type(model).__name__, info)
    return model.eval().requires_grad_(False)


def _check_complete(folder: Path, kind: str, info: dict[str, Any]) -> None:
    missing = sorted(info["missing_keys"])
    if missing:
        raise InputError(
            f"{folder} lacks {len(missing)} weights of {kind}, the first {missing[0]}; "
            f"the checkpoint is incomplete: copy or download it again"
        )
    mismatched = sorted(info["mismatched_keys"])
    if mismatched:
        name, stored, expected = mismatched[0]
        raise InputError(
            f"{folder}: weight {name} has shape {tuple(stored)}, and the config asks for {tuple(expected)}; "
            f"config.json and the weights are of different models: copy or download both again"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' bars and reports off the terminal for a while: what matters in them is raised."""
    verbosity, had_bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with unannounced():
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if had_bar:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer beside the model.

    Raises:
        InputError: there is none that transformers reads.
    """
    try:
        with quiet():
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(
            f"{folder} has no tokenizer that transformers reads ({_first_line(error)}); "
            f"copy tokenizer.json and tokenizer_config.json beside the weights"
        ) from error
    return tokenizer


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
