"""GPTQModel's ``dynamic`` rules: the assignment for those who quantize with GPTQModel."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from exporters.format import FormatInfo
from exporters.gptq import base_and_rules, gptq_refusals
from exporters.packed_checkpoint import write_json
from exporters.plan import Plan
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy

NAME = "gptqmodel-dynamic"


class GptqModelDynamic:
    """``QuantizeConfig(**json.load(open("quantize_config.json")))``, whose rules name each layer exactly."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="GPTQModel's QuantizeConfig with dynamic rules for every layer",
        loads_in=("GPTQModel >= 7.7",),
        limits=(
            "The tool quantizes anew: its codes and losses are near ours, not ours.",
            "2, 3, 4 and 8 bits; embeddings and the output head stay dense.",
            "Dropped parts have no word in it: export the dropped model as dense first.",
        ),
        kind="recipe",
        file_name="quantize_config.json",
        media_type="application/json",
        checked="resolved by GPTQModel 7.7's own QuantizeConfig, layer by layer",
        usage='GPTQModel.load(model, QuantizeConfig(**json.load(open("quantize_config.json"))))',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        return [*plan.refuse_foreign(NAME, "keep and quantize"), *gptq_refusals(plan, NAME), *plan.refuse_drops(NAME)]

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return 0

    def write(self, source: Source, folder: Path) -> None:
        write_json(folder / self.info.file_name, base_and_rules(Plan.of(source.anatomy, source.configuration)))
