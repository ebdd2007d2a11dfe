"""Dense safetensors with the compressed layers' values in place: what every tool loads, at the dense model's size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from exporters.format import FormatInfo
from exporters.removal import Removal
from exporters.shards import MAX_SHARD_BYTES, ShardWriter
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy


class Dense:
    """The searched candidate as a plain checkpoint: quantized layers hold their dequantized values."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name="dense",
        summary="Plain safetensors with the compressed layers' values in place: loads anywhere, saves nothing.",
        loads_in=("transformers", "vLLM", "SGLang", "converters such as llama.cpp's"),
        limits=(
            "Quantized layers take their dense size: it is for checking and converting, not for serving.",
            "A dropped attention or MLP is zeroed and keeps its size and time; dropped blocks, and "
            "blocks that lost both, are really removed.",
        ),
        kind="checkpoint",
        checked="loaded with transformers 5.23: logits bit-equal to the searched candidate, nine architectures",
        usage='AutoModelForCausalLM.from_pretrained("DIR")',
    )

    def __init__(self, max_shard_bytes: int = MAX_SHARD_BYTES) -> None:
        self._max_shard_bytes = max_shard_bytes

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        return Removal.of(anatomy, configuration).refusals()

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return Removal.of(anatomy, configuration).kept_parameters * anatomy.dense_bits // 8

    def write(self, source: Source, folder: Path) -> None:
        with ShardWriter(folder, self._max_shard_bytes) as shards:
            for name, tensor in source.weights():
                layer = source.layer_of(name)
                if layer is not None:
                    # exact in float32, then rounded once: what a packed format decodes to
                    tensor = source.matrix(layer, source.compressed(layer).dequantize(tensor.dtype))
                shards.add(name, tensor)
        config = json.dumps(source.exported_config(), indent=2) + "\n"
        (folder / "config.json").write_text(config, encoding="utf-8")
