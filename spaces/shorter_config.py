"""The config of a model without some of its blocks, checked to mean the same blocks as before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import PreTrainedConfig

from spaces.discovery import Anatomy
from spaces.errors import InputError
from spaces.skeleton import skeleton

# lists of block numbers; every other list as long as the model is deep has a value for each block
NUMBER_LISTS = frozenset(
    {"mlp_only_layers", "moe_layers", "attn_layer_indices", "full_attn_idxs", "cross_attention_layers"}
)
FIRST_BLOCKS = frozenset({"max_window_layers", "first_k_dense_replace"})  # how many of the first blocks are special
NOT_BY_BLOCK = frozenset({"architectures", "eos_token_id", "bos_token_id", "pad_token_id", "suppress_tokens"})
WAY_OUT = "choose a configuration that drops its attention and its MLP in place of the block"
OWN_NUMBER = frozenset({"layer_idx", "layer_id", "layer_number", "layer_index"})  # what a block may know of its place


def shorter_config(
    config: PreTrainedConfig,
    raw: Mapping[str, Any],
    anatomy: Anatomy,
    kept: tuple[int, ...],  # the blocks that stay, by their numbers
) -> dict[str, Any]:
    """``config.json`` of the model with the blocks that stay; ``raw`` is its makers' own.

    Raises:
        InputError: the config says something of single blocks that cannot be said of fewer.
    """
    content, fault = _shortened(config, raw, anatomy, kept)
    if fault:
        raise InputError(f"{fault}; {WAY_OUT}")
    return content


def removal_fault(anatomy: Anatomy, kept: tuple[int, ...]) -> str:
    """Why the model's config cannot be that of the blocks that stay; "" where it can, or where it is not known."""
    config = anatomy.config
    if config is None or len(kept) == len(anatomy.blocks):
        return ""
    return _fault(_Cut(config=config.to_json_string(use_diff=False), kept=kept, anatomy=anatomy))


def has_kinds(config: PreTrainedConfig | None) -> bool:
    """Whether some of the model's blocks see a window alone, say, and others everything."""
    return len(_kinds(config)) > 1


def shifted_kinds(config: PreTrainedConfig | None, num_blocks: int, num_removed: int) -> str:
    """Why mlx-lm, which counts blocks, would take one that stays for one of another kind, without an error; or ""."""
    if config is None or not num_removed or not has_kinds(config):
        return ""
    return (
        f"mlx-lm counts which blocks of {config.model_type} are of {', '.join(_kinds(config))}, and a removed block "
        f"shifts the others: blocks must stay, got {num_removed} removed of {num_blocks}; "
        f"drop attentions or MLPs, or export gguf, compressed-tensors or dense"
    )


def _kinds(config: PreTrainedConfig | None) -> list[str]:
    return sorted(set(getattr(config, "layer_types", None) or ()))


@dataclass(frozen=True)
class _Cut:
    config: str
    kept: tuple[int, ...]
    anatomy: Anatomy = field(compare=False)


@lru_cache(maxsize=256)
def _fault(cut: _Cut) -> str:
    config = cut.anatomy.config
    assert config is not None
    _, fault = _shortened(config, config.to_dict(), cut.anatomy, cut.kept)
    return fault


def _shortened(
    config: PreTrainedConfig, raw: Mapping[str, Any], anatomy: Anatomy, kept: tuple[int, ...]
) -> tuple[dict[str, Any], str]:
    """The shorter config, and why it is none of the blocks that stay, or ""."""
    content = {**raw, **_changed(config, len(anatomy.blocks), kept)}
    if config.get_text_config() is not config:
        reason = "its text model's config lies within another"
    elif getattr(config, "scale_attn_by_inverse_layer_idx", False):
        reason = "scale_attn_by_inverse_layer_idx makes a block compute otherwise at another place"
    else:
        try:
            shorter = type(config).from_dict(content)
            reason = _difference(skeleton(config), skeleton(shorter), anatomy, kept)
        except (StrictDataclassError, ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
    gone = next(name for number, name in enumerate(anatomy.blocks) if number not in kept)
    return content, f"{gone} cannot be removed from this model's checkpoint: {reason}" if reason else ""


def _changed(config: PreTrainedConfig, count: int, kept: tuple[int, ...]) -> dict[str, Any]:
    """The settings that are of blocks, as they are with fewer."""
    depth = config.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    changed: dict[str, Any] = {depth: len(kept)}
    for key, value in config.to_dict().items():
        if key in NUMBER_LISTS and isinstance(value, list):
            changed[key] = [kept.index(number) for number in value if number in kept]
        elif key in FIRST_BLOCKS and isinstance(value, int):
            # a number beyond the depth means all blocks, and goes on to
            changed[key] = value if value > count else sum(number < value for number in kept)
        elif isinstance(value, list) and len(value) == count and key not in NOT_BY_BLOCK:
            changed[key] = [value[number] for number in kept]
    return changed


def _difference(before: nn.Module, after: nn.Module, anatomy: Anatomy, kept: tuple[int, ...]) -> str:
    """How the shorter model's blocks are not the ones that stay: a sliding window, say, at another place."""
    for old, new in zip(kept, anatomy.blocks, strict=False):  # its first blocks have the names of theirs
        name = anatomy.blocks[old]
        one, other = _traits(before.get_submodule(name)), _traits(after.get_submodule(new))
        differing = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
        if differing:
            return f"{differing[0]} of {name} would differ from that of the smaller model's {new}"
    return ""


def _traits(block: nn.Module) -> dict[str, object]:
    """All plain settings and shapes within a block, by name."""
    traits: dict[str, object] = {}
    for name, module in block.named_modules():
        traits[f"{name}.class"] = type(module)
        for key, value in vars(module).items():
            if isinstance(value, int | float | str | tuple | list | None) and key.lstrip("_") not in OWN_NUMBER:
                traits[f"{name}.{key}"] = value
    shapes = {f"{name}.shape": tuple(parameter.shape) for name, parameter in block.named_parameters()}
    return traits | shapes
