"""AutoRound's ``layer_config``: the assignment for those who quantize with AutoRound."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from exporters.auto_round import layer_config
from exporters.format import FormatInfo
from exporters.packed_checkpoint import write_json
from exporters.plan import Plan
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy

NAME = "auto-round-config"
WIDEST = 8


class AutoRoundConfig:
    """``AutoRound(model, tokenizer, layer_config=json.load(open("layer_config.json")))``."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="AutoRound's layer_config: bits, group and symmetry of every layer",
        loads_in=("auto-round >= 0.16",),
        limits=(
            "The tool quantizes anew: its codes and losses are near ours, not ours.",
            "8 bits symmetrically alone: AutoRound refuses asymmetric ones.",
            "Dropped parts have no word in it: export the dropped model as dense first.",
        ),
        kind="recipe",
        file_name="layer_config.json",
        media_type="application/json",
        checked="run with auto-round 0.16.1 by rounding to nearest: every layer has the bits asked for",
        usage='AutoRound(model, tokenizer, layer_config=json.load(open("layer_config.json")))',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        widest = plan.refuse(
            lambda each: each.option.bits_per_code == WIDEST and not each.option.symmetric,
            f"AutoRound quantizes to {WIDEST} bits symmetrically alone",
            "make it symmetric or narrower, or export the auto-round checkpoint",
        )
        foreign = plan.refuse_foreign(NAME, "keep and quantize")
        return [*foreign, *widest, *plan.refuse_lookups(NAME), *plan.refuse_drops(NAME)]

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return 0

    def write(self, source: Source, folder: Path) -> None:
        plan = Plan.of(source.anatomy, source.configuration)
        write_json(folder / self.info.file_name, layer_config(plan, is_whole=True))
