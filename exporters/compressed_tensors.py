"""compressed-tensors checkpoints (``pack-quantized``): 2 to 8 bits a layer, as transformers and vLLM load them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from compressors.quantized import QuantizedWeight
from exporters import packed
from exporters.format import FormatInfo
from exporters.linter import Lint, lint
from exporters.packed_checkpoint import write_packed
from exporters.plan import Plan
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy

NAME: Final = "compressed-tensors"
FORMAT = "pack-quantized"
Scheme = tuple[int, int, bool]


class CompressedTensors:
    """Packed integer codes with groups or channels; every target is an exact name, in one group alone."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="packed mixed-precision checkpoint for servers: 2 to 8 bits, groups or channels",
        loads_in=(
            "transformers 5 with compressed-tensors >= 0.18 (symmetric layers)",
            "vLLM >= 0.33 (read, not run)",
            "transformers with compressed-tensors 0.15 to 0.17.1 (2, 4 and 8 bits, asymmetric layers too)",
        ),
        limits=(
            "Asymmetric layers load in vLLM and in compressed-tensors 0.15 to 0.17.1, not in transformers with 0.18 "
            "to 0.20, which expects a zero point of another shape: export those as auto-round, mlx or gguf.",
            "In bfloat16 the loaders round each scale, and each weight, to 8 significant bits: weights move by up to "
            "1/128 of themselves. In float32 and float16 they are the searched ones exactly; scales that float16 does "
            "not hold are refused for a float16 model.",
            "vLLM fuses q, k and v, and gate and up: their options must agree (ties: vllm).",
            "Before compressed-tensors 0.18, 3, 5, 6 and 7 bits were packed in another way, and are not read.",
            "Embeddings, a head tied to them, and GPT-2's Conv1D layers stay dense.",
            "transformers fails on Falcon with packed layers, and with CompressedTensorsConfig(dequantize=True) it "
            "decodes mixed bits wrongly, without an error: load it as it is.",
            "transformers unpacks the codes at the first forward pass: smaller files, no less memory.",
        ),
        kind="checkpoint",
        checked="loaded with transformers 5.23 and compressed-tensors 0.20: weights and logits equal bit for bit in "
        "float32; vLLM's rules by exporters.linter, not run",
        usage='AutoModelForCausalLM.from_pretrained("DIR")  # or: vllm serve DIR',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        known = [*plan.refuse_foreign(NAME), *plan.refuse_lookups(NAME), *plan.refuse_transposed(NAME)]
        return [*known, *plan.removal.refusals()]

    def notes(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        """What a person must know of this file: who cannot load it, and whether it is in the portable subset."""
        plan = Plan.of(anatomy, configuration)
        asymmetric = [each.name for each in plan.quantized if not each.option.symmetric]
        warnings = (
            [
                f"{len(asymmetric)} layers are asymmetric, the first {asymmetric[0]}: vLLM >= 0.33 loads them, "
                f"transformers with compressed-tensors 0.18 to 0.20 does not; export as auto-round, mlx or gguf for it"
            ]
            if asymmetric
            else []
        )
        return warnings + list(self.lint(plan).sentences())

    def lint(self, plan: Plan) -> Lint:
        """What vLLM makes of the file, by rule."""
        return lint(quantization_config(plan))

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return packed.size_bytes(Plan.of(anatomy, configuration), NAME)

    def write(self, source: Source, folder: Path) -> None:
        config = quantization_config(Plan.of(source.anatomy, source.configuration))
        is_half = source.dtype == torch.float16  # to which the loader rounds every scale

        def pack(weight: QuantizedWeight, layer: str) -> dict[str, Tensor]:
            scales = {"weight_scale": packed.half_scales(weight, layer)} if is_half else {}
            return packed.compressed_tensors(weight) | scales

        write_packed(source, folder, pack, {"quantization_config": config})


def quantization_config(plan: Plan) -> dict[str, Any]:
    """What ``config.json`` says: a group for each scheme with its layers' exact names, and all others ignored.

    Exact names in disjoint groups mean the same to transformers and vLLM, whose orders of precedence differ.
    """
    targets: dict[Scheme, list[str]] = {}
    for each in plan.quantized:
        targets.setdefault(each.scheme, []).append(each.name)
    groups = {f"group_{number}": _group(scheme, targets[scheme]) for number, scheme in enumerate(sorted(targets))}
    return {
        "quant_method": NAME,
        "format": FORMAT,
        "quantization_status": "compressed",
        "kv_cache_scheme": None,
        "ignore": list(plan.dense),
        "config_groups": groups,
    }


def _group(scheme: Scheme, names: list[str]) -> dict[str, Any]:
    return {
        "targets": names,
        "input_activations": None,
        "output_activations": None,
        "format": FORMAT,
        "weights": weight_arguments(scheme),
    }


def weight_arguments(scheme: Scheme) -> Mapping[str, Any]:
    """The ``weights`` of one group, which llm-compressor's recipes share."""
    bits, group_size, symmetric = scheme
    grouping: dict[str, Any] = (
        {"strategy": "channel"} if group_size < 0 else {"strategy": "group", "group_size": group_size}
    )
    return {"num_bits": bits, "type": "int", "symmetric": symmetric, **grouping, "dynamic": False}
