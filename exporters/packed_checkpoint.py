"""Writes a checkpoint whose quantized layers are packed: one tensor in memory at a time, then its config."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from compressors.quantized import QuantizedWeight
from exporters.shards import ShardWriter
from exporters.source import Source

Pack = Callable[[QuantizedWeight, str], Mapping[str, Tensor]]  # a weight and its layer's name -> tensors by last name


def write_packed(
    source: Source,
    folder: Path,
    pack: Pack,
    config: Mapping[str, Any],
    metadata: Mapping[str, str] | None = None,
    called: Callable[[str], str] = str,
) -> None:
    """Write every tensor of ``source``, those of quantized layers as ``pack`` gives them, and ``config.json``.

    ``config`` is added to the config that the model has after its drops; ``called`` says what tensors are called.
    """
    with ShardWriter(folder, metadata=metadata) as shards:
        for name, tensor in source.weights():
            layer = source.layer_of(name)
            if layer is None:
                shards.add(called(name), tensor)
                continue
            module = called(name).removesuffix(".weight")
            for last, packed in pack(source.quantized(layer), layer).items():
                shards.add(f"{module}.{last}", packed)
    write_json(folder / "config.json", {**source.exported_config(), **config})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON file that people can read."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
