"""A ModelOpt recipe: rules for NVIDIA's quantizer, one for each layer by its exact name."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from exporters.format import FormatInfo
from exporters.plan import Plan, Planned
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy

NAME: Final = "modelopt"
HEADER = """\
# ModelOpt: mtq.quantize(model, load_recipe("modelopt.yaml").quantize.model_dump(), forward_loop=...)
# Later rules win: the first disables every quantizer, and each other one names one layer.
metadata:
  recipe_type: ptq
  description: bits of each layer, found by Layerpress
quantize:
  algorithm: max
  quant_cfg:
    - {quantizer_name: "*", enable: false}
"""


class ModelOpt:
    """``load_recipe("modelopt.yaml")``, whose rules match whole names."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="recipe for NVIDIA ModelOpt: quant_cfg with a rule for every layer",
        loads_in=("nvidia-modelopt 0.47",),
        limits=(
            "The tool quantizes anew: its codes and losses are near ours, not ours.",
            "Symmetric layers of 2 to 8 bits, in groups or channels; embeddings stay dense.",
            "What ModelOpt exports of such integers, vLLM does not read: it reads its FP8 and NVFP4 families (read, "
            "not run).",
            "Dropped parts have no word in it: export the dropped model as dense first.",
        ),
        kind="recipe",
        file_name="modelopt.yaml",
        media_type="application/yaml",
        checked="read by nvidia-modelopt 0.47's own load_recipe and run by mtq.quantize: each layer has its bits",
        usage='mtq.quantize(model, load_recipe("modelopt.yaml").quantize.model_dump(), forward_loop=calibrate)',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        zeros = plan.refuse(
            lambda each: not each.option.symmetric,
            "ModelOpt's integer weights are symmetric",
            "set symmetric: true, or export auto-round-config, llm-compressor or gguf",
        )
        return [
            *plan.refuse_foreign(NAME, "keep and quantize"),
            *plan.refuse_lookups(NAME),
            *plan.refuse_transposed(NAME),
            *plan.refuse_drops(NAME),
            *zeros,
        ]

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return 0

    def write(self, source: Source, folder: Path) -> None:
        text = recipe(Plan.of(source.anatomy, source.configuration))
        (folder / self.info.file_name).write_text(text, encoding="utf-8")


def recipe(plan: Plan) -> str:
    """The YAML: nothing is quantized but what is named, and of that the weight alone."""
    return HEADER + "".join(map(_rule, plan.quantized))


def _rule(each: Planned) -> str:
    bits, group_size, _ = each.scheme
    # ModelOpt knows block sizes by axis: the last is that of the inputs
    grouping = "axis: 0" if group_size < 0 else f"block_sizes: {{-1: {group_size}, type: static}}"
    return f'    - {{quantizer_name: "{each.name}.weight_quantizer", cfg: {{num_bits: {bits}, {grouping}}}}}\n'
