"""The model's settings as GGUF's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from compressors.ggml import gguf_package
from exporters.removal import Removal
from spaces.layer import Layer
from spaces.llama_cpp import head_size, rope

WITHOUT_PARTS = "deci"  # llama.cpp's architecture of Llama blocks that may lack an attention
NARROWEST = 32  # inner width of an MLP that adds nothing; 0 would make llama.cpp skip the block's attention as well


def add_settings(writer: Any, config: PreTrainedConfig, removal: Removal, name: str) -> None:
    """Write every key that a reader needs to build the model of ``removal``; ``writer`` knows the architecture."""
    without = idle_parts(removal) if writer.arch == WITHOUT_PARTS else {}
    count = len(removal.blocks)
    writer.add_name(name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(count)
    writer.add_feed_forward_length(_by_block("mlp", NARROWEST, config.intermediate_size, without, count))
    writer.add_head_count(_by_block("attention", 0, config.num_attention_heads, without, count))
    writer.add_head_count_kv(_by_block("attention", 0, config.num_key_value_heads, without, count))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(head_size(config))
    writer.add_value_length(head_size(config))
    writer.add_vocab_size(config.vocab_size)
    writer.add_quantization_version(2)
    _add_rope(writer, config)


def idle_parts(removal: Removal) -> Mapping[tuple[int, str], None]:
    """(new number of a block, kind) of the parts that a file of architecture ``deci`` leaves out.

    The first block keeps its attention, whose head count llama.cpp needs.
    """
    places = [part_of(part, removal.blocks) for part in removal.zeroed]
    return dict.fromkeys(place for place in places if place != (0, "attention"))


def part_of(part: Layer, blocks: Sequence[int]) -> tuple[int, str]:
    """(new number of its block, kind) of an attention or MLP, of whose model the ``blocks`` stay."""
    assert part.block is not None
    return blocks.index(part.block), str(part.part)


def _by_block(kind: str, less: int, whole: int, without: Mapping[tuple[int, str], None], count: int) -> int | list[int]:
    """One number for all blocks, or one for each where ``without`` has any."""
    return [less if (number, kind) in without else whole for number in range(count)] if without else whole


def _add_rope(writer: Any, config: PreTrainedConfig) -> None:
    settings = rope(config)
    writer.add_rope_dimension_count(head_size(config))
    writer.add_rope_freq_base(float(settings["rope_theta"]))
    if settings["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf_package().RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(settings["factor"]))


def rope_factors(config: PreTrainedConfig) -> Tensor | None:  # float32 (half a head,)
    """What Llama 3 divides each frequency by: 1 for short waves, ``factor`` for long ones, in between between."""
    settings = rope(config)
    if settings["rope_type"] != "llama3":
        return None
    half = torch.arange(0, head_size(config), 2, dtype=torch.float64) / head_size(config)
    waves = 2 * torch.pi * float(settings["rope_theta"]) ** half  # tokens in one turn
    turns = settings["original_max_position_embeddings"] / waves
    low, high = settings["low_freq_factor"], settings["high_freq_factor"]
    share = ((turns - low) / (high - low)).clamp(0, 1)
    factors: Tensor = 1 / (share + (1 - share) / settings["factor"])
    return factors.to(torch.float32)
