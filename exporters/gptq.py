"""GPTQ checkpoints whose ``dynamic`` rules give each layer its own bits, as GPTQModel loads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, Final

from exporters import packed
from exporters.format import FormatInfo
from exporters.packed_checkpoint import write_json, write_packed
from exporters.plan import Plan, Planned, tied_groups
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.ties import TIES

NAME: Final = "gptq"
BITS = (2, 3, 4, 8)
LANES = 32  # inputs and outputs are packed by 32
MERGED = {"qkv_proj": TIES["vllm"][0], "gate_up_proj": TIES["vllm"][1]}  # vLLM's name for layers that it merges
SPLIT = "gate_up_proj"  # Phi-3's one layer, which GPTQModel takes for two


class Gptq:
    """GPTQ's container; rules name layers exactly, and what vLLM merges them into."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="GPTQ checkpoint with per-layer rules, for GPTQModel",
        loads_in=("GPTQModel 7.7", "vLLM (4 and 8 bits, symmetric; read, not run)"),
        limits=(
            "2, 3, 4 and 8 bits; inputs and outputs in multiples of 32.",
            "transformers ignores the rules: a file of mixed bits fails there, one of uniform bits loads.",
            "Scales are float16, so a scale beyond it is refused; kernels compute in float16 or bfloat16.",
            "Asymmetric files use the second form (gptq_v2), whose zero points are stored as they are.",
            "Embeddings, the output head and Phi-3's gate_up_proj, which GPTQModel splits, stay dense.",
        ),
        kind="checkpoint",
        checked="loaded with GPTQModel 7.7's torch kernel: weights equal, logits of tiny models within 0.02 "
        "(bfloat16); KL 1.2e-4 on the bfloat16 reference model",
        usage='GPTQModel.load("DIR")',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        split = plan.refuse(
            lambda each: each.name.endswith(f".{SPLIT}"),
            f"GPTQModel takes {SPLIT} for two layers and does not find their codes",
            "keep it, or export compressed-tensors or auto-round",
        )
        odd = refuse_odd_shapes(plan, NAME)
        return [*plan.refuse_foreign(NAME), *gptq_refusals(plan, NAME), *odd, *split, *plan.removal.refusals()]

    def notes(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        """Who cannot load this file."""
        schemes = {each.scheme for each in Plan.of(anatomy, configuration).quantized}
        mixed = ["transformers ignores the rules of mixed bits: load it with GPTQModel"] if len(schemes) > 1 else []
        odd = any(bits not in (4, 8) or not symmetric for bits, _, symmetric in schemes)
        return mixed + (["vLLM loads 4 and 8 bits, symmetric, alone"] if odd else [])

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return packed.size_bytes(Plan.of(anatomy, configuration), NAME)

    def write(self, source: Source, folder: Path) -> None:
        config = quantization_config(Plan.of(source.anatomy, source.configuration))
        zeros = packed.LESS_ONE if config["sym"] else packed.AS_THEY_ARE
        write_packed(
            source, folder, lambda weight, layer: packed.gptq(weight, zeros, layer), {"quantization_config": config}
        )
        write_json(folder / "quantize_config.json", config)


def gptq_refusals(plan: Plan, format_: str) -> list[str]:
    """What neither the checkpoint nor the recipe has room for."""
    widths = plan.refuse(
        lambda each: each.option.bits_per_code not in BITS,
        f"{format_} holds 2, 3, 4 and 8 bits",
        "choose one of these, or export compressed-tensors or mlx",
    )
    outside = plan.refuse(
        lambda each: each.layer.block is None, f"{format_} keeps embeddings and the output head dense", "keep it"
    )
    return widths + outside


def refuse_odd_shapes(plan: Plan, format_: str) -> list[str]:
    """The container packs inputs and outputs by 32."""
    return plan.refuse(
        lambda each: bool(each.layer.rows % LANES or each.layer.columns % LANES),
        f"{format_} packs inputs and outputs in multiples of {LANES}",
        "keep this layer, or export compressed-tensors",
    )


def quantization_config(plan: Plan) -> dict[str, Any]:
    """What ``config.json`` and ``quantize_config.json`` say: the usual scheme, and rules for every other layer."""
    symmetric = all(each.option.symmetric for each in plan.quantized)
    return {
        "quant_method": "gptq",
        "checkpoint_format": "gptq" if symmetric else "gptq_v2",
        **base_and_rules(plan),
        "sym": symmetric,
        "pack_dtype": "int32",
    }


def base_and_rules(plan: Plan) -> dict[str, Any]:
    """The settings that GPTQModel's ``QuantizeConfig`` takes, as the recipe writes them."""
    bits, group_size, symmetric = plan.usual
    return {
        "bits": bits,
        "group_size": group_size,
        "sym": symmetric,
        "desc_act": False,
        "lm_head": False,
        "dynamic": _rules(plan),
    }


def _rules(plan: Plan) -> dict[str, dict[str, Any]]:
    """``+:`` for layers that differ from the usual scheme, ``-:`` for dense ones. The head is never quantized."""
    by_name = {each.name: each for each in plan.quantized}
    inside = [name for name in plan.dense if name.startswith(f"{plan.blocks}.")]
    exceptions = [name for name, each in by_name.items() if each.scheme != plan.usual] + inside
    rules: dict[str, dict[str, Any]] = {}
    for names in _alike(exceptions, by_name):
        each = by_name.get(names[0])
        rules[f"{'-' if each is None else '+'}:{_pattern(names)}"] = {} if each is None else _override(each)
    return rules


def _override(each: Planned) -> dict[str, Any]:
    bits, group_size, symmetric = each.scheme
    return {"bits": bits, "group_size": group_size, "sym": symmetric}


def _alike(names: list[str], by_name: dict[str, Planned]) -> list[list[str]]:
    """Layers that vLLM merges in one rule where they agree, all others in rules of their own."""
    rules: list[list[str]] = []
    for group in tied_groups(names, TIES["vllm"]):
        schemes = {by_name[name].scheme if name in by_name else None for name in group}
        rules += [group] if len(schemes) == 1 else [[name] for name in group]
    return rules


def _pattern(names: list[str]) -> str:
    """A regular expression for exactly these names, for what vLLM merges them into, and what GPTQModel splits."""
    parent, lasts = names[0].rpartition(".")[0], [name.rpartition(".")[2] for name in names]
    for merged, parts in MERGED.items():
        if set(parts) == set(lasts):
            lasts.append(merged)
        elif lasts == [merged]:
            lasts += parts
    listed = "|".join(map(re.escape, lasts))
    return f"^{re.escape(parent)}\\.{f'({listed})' if len(lasts) > 1 else listed}$"
