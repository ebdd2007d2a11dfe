"""The safetensors files of a checkpoint: which they are, and in which dtype they hold the weights."""

from __future__ import annotations

import json
from collections import Counter
from math import prod
from pathlib import Path

import torch
from huggingface_hub import HfApi, try_to_load_from_cache
from safetensors import SafetensorError, safe_open

from spaces.errors import InputError

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}  # in headers


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers reads: one whole file, or the shards of an index.

    Raises:
        InputError: there are none, the index cannot be read, or it names a file that is not there.
    """
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if not (folder / INDEX).is_file():
        raise InputError(
            f"{folder} holds neither {WHOLE} nor {INDEX}; Layerpress never reads pickled weights: "
            f"save the model again with save_pretrained"
        )
    shards = [folder / name for name in _shards(folder / INDEX)]
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise InputError(f"{folder} lacks {missing[0]}, which {INDEX} names; copy or download the checkpoint again")
    return shards


def stored_dtype(folder: Path) -> torch.dtype | None:
    """The floating dtype of most weights in a folder; reads headers alone. None where its files are not whole."""
    counts: Counter[str] = Counter()
    try:
        for path in weight_files(folder):
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (safe_open is no mapping)
                    tensor = file.get_slice(name)
                    counts[tensor.get_dtype()] += prod(tensor.get_shape())
    except (InputError, SafetensorError, OSError):
        return None  # whoever reads the weights says what is wrong with them
    return _most(counts)


def stored_dtype_on_hub(model: str, revision: str | None) -> torch.dtype | None:
    """The same of a hub id: of the copy in the hub's cache, or as the hub counts. None where neither tells."""
    config = try_to_load_from_cache(model, "config.json", revision=revision)
    found = stored_dtype(Path(config).parent) if isinstance(config, str) else None
    if found is not None:
        return found
    try:
        counted = HfApi().model_info(model, revision=revision, expand=["safetensors"]).safetensors
    except (OSError, ValueError):
        return None
    return _most(Counter(counted.parameters)) if counted is not None else None


def _most(counts: Counter[str]) -> torch.dtype | None:
    floats = [name for name, _ in counts.most_common() if name in FLOATS]
    return FLOATS[floats[0]] if floats else None


def _shards(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{index} is no index of safetensors files; copy or download it again") from error
    outside = [name for name in names if Path(name).name != name]
    if outside:
        raise InputError(f"{index} names {outside[0]!r}, which is not in its own folder; download it again")
    return names
