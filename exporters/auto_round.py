"""AutoRound checkpoints, for transformers with auto-round installed: asymmetric layers load there as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from exporters import packed
from exporters.format import FormatInfo
from exporters.gptq import refuse_odd_shapes
from exporters.packed_checkpoint import write_packed
from exporters.plan import Plan
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy

NAME = "auto-round"
ASYMMETRIC_BITS = (2, 3, 4, 8)
SYMMETRIC_FORM, ASYMMETRIC_FORM = "auto_round:auto_gptq", "auto_round"  # zero points less one, and as they are
DENSE = {"bits": 16, "data_type": "float"}


class AutoRound:
    """GPTQ's container under AutoRound's config; layers that differ from the usual scheme are named exactly."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="AutoRound checkpoint: mixed bits in transformers, asymmetric layers too",
        loads_in=("transformers 5 with auto-round 0.16", "vLLM (inc; symmetric files alone; read, not run)"),
        limits=(
            "A file with asymmetric layers holds 2, 3, 4 and 8 bits, and vLLM does not take it.",
            "Inputs and outputs in multiples of 32; scales are float16.",
            "auto-round computes a float32 model in float16; a bfloat16 one stays so.",
            "Embeddings and the output head stay dense.",
        ),
        kind="checkpoint",
        checked="loaded with transformers 5.23 and auto-round 0.16.1 on the CPU: weights equal, logits of tiny "
        "models within 0.003 (float16) and 0.02 (bfloat16); KL 1.1e-4 on the bfloat16 reference model",
        usage='AutoModelForCausalLM.from_pretrained("DIR", device_map="auto")  # with auto-round installed',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        widths = plan.refuse(
            lambda each: not is_symmetric(plan) and each.option.bits_per_code not in ASYMMETRIC_BITS,
            "an AutoRound file with asymmetric layers holds 2, 3, 4 and 8 bits",
            "choose one of these, make every layer symmetric, or export mlx",
        )
        outside = plan.refuse(
            lambda each: each.layer.block is None, f"{NAME} keeps embeddings and the output head dense", "keep it"
        )
        odd = refuse_odd_shapes(plan, NAME)
        return [*plan.refuse_foreign(NAME), *widths, *outside, *odd, *plan.removal.refusals()]

    def notes(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        """Who cannot load this file."""
        plan = Plan.of(anatomy, configuration)
        return [] if is_symmetric(plan) else ["vLLM does not load AutoRound files with asymmetric layers"]

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return packed.size_bytes(Plan.of(anatomy, configuration), "gptq")

    def write(self, source: Source, folder: Path) -> None:
        plan = Plan.of(source.anatomy, source.configuration)
        zeros = packed.LESS_ONE if is_symmetric(plan) else packed.AS_THEY_ARE
        config = {"quantization_config": quantization_config(plan)}
        write_packed(source, folder, lambda weight, layer: packed.gptq(weight, zeros, layer), config)


def is_symmetric(plan: Plan) -> bool:
    """Whether no layer has zero points of its own: one file has one form."""
    return all(each.option.symmetric for each in plan.quantized)


def quantization_config(plan: Plan) -> dict[str, Any]:
    """What ``config.json`` says: the usual scheme, and every layer that differs."""
    bits, group_size, symmetric = plan.usual
    return {
        "quant_method": "auto-round",
        "bits": bits,
        "group_size": group_size,
        "sym": symmetric,
        "data_type": "int",
        "packing_format": SYMMETRIC_FORM if is_symmetric(plan) else ASYMMETRIC_FORM,
        "block_name_to_quantize": plan.blocks,
        "extra_config": layer_config(plan, is_whole=False),
    }


def layer_config(plan: Plan, *, is_whole: bool) -> dict[str, dict[str, Any]]:
    """The scheme of every layer, or (not whole) of those that differ from the usual one; dense ones always."""
    layers: dict[str, dict[str, Any]] = {}
    for each in plan.quantized:
        if is_whole or each.scheme != plan.usual:
            bits, group_size, symmetric = each.scheme
            layers[each.name] = {"bits": bits, "group_size": group_size, "sym": symmetric, "data_type": "int"}
    return layers | {name: dict(DENSE) for name in plan.dense}
