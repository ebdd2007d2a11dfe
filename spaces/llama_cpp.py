"""Which models llama.cpp computes as transformers does, out of the GGUF files that are written here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # who only names targets does without torch
    from transformers import PreTrainedConfig

ARCHITECTURES = ("llama", "qwen2", "qwen3")
BIASED = "qwen2"  # the one whose queries, keys and values have biases
ROPES = ("default", "linear", "llama3")
WAY_OUT = "export dense, and convert that with llama.cpp's convert_hf_to_gguf.py"


def model_faults(config: PreTrainedConfig) -> list[str]:
    """The settings by which a model would load as something else, or not at all, a sentence each; [] where none is."""
    if config.model_type not in ARCHITECTURES:
        # of other types nothing is known: Gemma's norms add 1 to their weights, Mistral's windows slide
        return [_fault("model_type", config.model_type, f"one of {', '.join(ARCHITECTURES)}")]
    return [_fault(key, value, asked) for key, value, asked in _wrong(config)]


def rope(config: PreTrainedConfig) -> dict[str, Any]:
    """The settings of rotary positions."""
    return {"rope_type": "default", **(config.rope_parameters or {})}


def head_size(config: PreTrainedConfig) -> int:
    """Rows of one head's queries."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _wrong(config: PreTrainedConfig) -> Iterator[tuple[str, object, str]]:
    """(setting, value, what it must be) of each that llama.cpp's graph of the architecture does not have."""
    for key in ("attention_bias", "mlp_bias"):
        if config.model_type != BIASED and getattr(config, key, False):
            yield key, True, "false"
    if config.model_type == BIASED and head_size(config) * config.num_attention_heads != config.hidden_size:
        yield "head_dim", head_size(config), "hidden_size / num_attention_heads"
    others = sorted(set(getattr(config, "layer_types", None) or []) - {"full_attention"})
    if others:
        yield "layer_types", others[0], "full_attention alone"
    if config.hidden_act != "silu":
        yield "hidden_act", config.hidden_act, "silu"
    if rope(config)["rope_type"] not in ROPES:
        yield "rope_type", rope(config)["rope_type"], f"one of {', '.join(ROPES)}"


def _fault(key: str, value: object, asked: str) -> str:
    return f"{key} must be {asked} to be written as GGUF, got {value}; {WAY_OUT}"
