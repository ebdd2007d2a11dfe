"""MLX checkpoints for mlx-lm on Apple silicon: affine codes, written without mlx."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from transformers import PreTrainedConfig

from exporters import packed
from exporters.format import FormatInfo
from exporters.packed_checkpoint import write_packed
from exporters.plan import Plan
from exporters.source import Source
from spaces.carriers import MLX
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.shorter_config import has_kinds, shifted_kinds

NAME: Final = "mlx"
BITS, GROUPS = (2, 3, 4, 5, 6, 8), (32, 64, 128)


class Mlx:
    """Codes with a scale and a bias for each group; embeddings and tied heads may be quantized."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="MLX checkpoint for Apple silicon, with bits for each layer",
        loads_in=("mlx-lm >= 0.32",),
        limits=(
            "2, 3, 4, 5, 6 and 8 bits in groups of 32, 64 or 128; no channels.",
            "Scales and biases have 16 bits: float16, or bfloat16 in a bfloat16 model, which moves each weight by up "
            "to 1/256 of its group's range. Scales beyond float16 are refused where the model is not bfloat16.",
            "mlx-lm must know the architecture (its Qwen3 has no biases); GPT-2's Conv1D layers stay dense, and so do "
            "GPT-NeoX and GPT-J, whose layers it calls by names of its own.",
            "Blocks of a model whose blocks differ in kind (sliding and full attention) cannot be removed.",
        ),
        kind="checkpoint",
        checked="loaded with mlx-lm 0.32.2 on mlx-cpu 0.32.4: weights equal up to one rounding of scale and bias, "
        "top-1 >= 0.95; KL to the candidate 1.4e-3 on the bfloat16 reference model (1e-4 of it bfloat16 itself)",
        usage='model, tokenizer = mlx_lm.load("DIR")',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = _plan(anatomy, configuration)
        kinds = shifted_kinds(anatomy.config, len(anatomy.blocks), plan.removal.num_removed)
        return [
            *plan.refuse_foreign(NAME),
            *mlx_refusals(plan),
            *([kinds] if kinds else []),
            *plan.removal.refusals(),
        ]

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return packed.size_bytes(_plan(anatomy, configuration), NAME)

    def savings(self, source: Source) -> list[str]:
        return _own(source).removal.savings()

    def write(self, source: Source, folder: Path) -> None:
        dtype = torch.bfloat16 if source.dtype == torch.bfloat16 else torch.float16
        config = quantization(_plan(source.anatomy, source.configuration), source.tied)
        words = older_words(source.config) | {"quantization": config, "quantization_config": config}
        write_packed(
            _own(source), folder, lambda weight, layer: packed.mlx(weight, dtype, layer), words, {"format": "mlx"}
        )


def _plan(anatomy: Anatomy, configuration: Configuration) -> Plan:
    """Of a model whose blocks are of several kinds all stay, those that lost both their parts too."""
    return Plan.of(anatomy, configuration, keeps_hollow=has_kinds(anatomy.config))


def _own(source: Source) -> Source:
    return replace(source, keeps_hollow=has_kinds(source.anatomy.config))


def mlx_refusals(plan: Plan) -> list[str]:
    """What neither the checkpoint nor the predicate has room for."""
    widths = plan.refuse(
        lambda each: each.option.bits_per_code not in BITS,
        "MLX holds 2, 3, 4, 5, 6 and 8 bits",
        "choose one of these, or export compressed-tensors",
    )
    groups = plan.refuse(
        lambda each: each.option.group_size not in GROUPS,
        "MLX holds groups of 32, 64 and 128 alone",
        "choose a group, or export compressed-tensors",
    )
    config = plan.anatomy.config
    models = MLX.model_faults(config) if config is not None and plan.quantized else []
    return models + widths + groups + plan.refuse_transposed(NAME)


def older_words(config: PreTrainedConfig) -> dict[str, Any]:
    """What a config says of rotary embeddings in ``rope_parameters``, in the keys of before transformers 5.

    mlx-lm 0.32 reads those alone for most architectures, and takes its own defaults where they are not there.
    """
    found: Mapping[str, Any] = getattr(config, "rope_parameters", None) or {}
    local = found.get("sliding_attention")  # Gemma's, whose blocks are of two kinds
    rope = found.get("full_attention", found)
    words = {"rope_local_base_freq": local["rope_theta"]} if local else {}
    theta, share = rope.get("rope_theta"), rope.get("partial_rotary_factor")
    if theta is not None:
        words |= {"rope_theta": theta} | ({"rotary_emb_base": theta} if config.model_type == "gpt_neox" else {})
    if share is not None:
        words |= {"partial_rotary_factor": share} | ({"rotary_pct": share} if config.model_type == "gpt_neox" else {})
    if rope.get("rope_type", "default") != "default":
        own = {name: value for name, value in rope.items() if name not in ("rope_theta", "partial_rotary_factor")}
        words["rope_scaling"] = own | {"type": rope["rope_type"]}
    return words


def quantization(plan: Plan, tied: Mapping[str, str]) -> dict[str, Any]:
    """What ``config.json`` says: the usual bits and group, and every layer by its name."""
    bits, group_size, _ = plan.usual
    return {"group_size": group_size, "bits": bits, "mode": "affine", **layers(plan, tied)}


def layers(
    plan: Plan,
    tied: Mapping[str, str],  # an embedding -> the head that shares its matrix, and is no module of its own in MLX
) -> dict[str, dict[str, int] | bool]:
    """Bits and group of every quantized module, and False for all others that MLX could quantize."""
    names = {head: embedding for embedding, head in tied.items()}
    chosen: dict[str, dict[str, int] | bool] = {}
    for each in plan.quantized:
        bits, group_size, _ = each.scheme
        chosen[names.get(each.name, each.name)] = {"group_size": group_size, "bits": bits}
    return chosen | {names.get(name, name): False for name in (*plan.lookups, *plan.dense)}
