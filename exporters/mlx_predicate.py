"""An MLX predicate: the assignment for those who convert with ``mlx_lm.convert``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from exporters.format import FormatInfo
from exporters.mlx import layers, mlx_refusals
from exporters.plan import Plan
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy

NAME = "mlx-predicate"
# mlx-lm leaves a layer dense, without a word, where the general group size does not divide its inputs: 32 does
HEADER = '''"""mlx_lm.convert(..., quantize=True, q_group_size=GROUP_SIZE, quant_predicate=quant_predicate)."""

GROUP_SIZE = 32  # of what is not named below, which is nothing: it must divide the inputs of every layer
LAYERS = {
'''
FOOTER = '''}


def quant_predicate(path, module):
    """What becomes of the module at ``path``; what is not named stays as it is."""
    return LAYERS.get(path, False)
'''


class MlxPredicate:
    """A small Python file with a table of layers and the function that ``mlx_lm.convert`` asks."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="predicate for mlx_lm.convert: bits and group of every layer",
        loads_in=("mlx-lm >= 0.32",),
        limits=(
            "The tool quantizes anew, by rounding to nearest with asymmetric groups.",
            "2, 3, 4, 5, 6 and 8 bits in groups of 32, 64 or 128.",
            "mlx-lm reads rope_theta and rope_scaling alone for most models: where transformers 5 wrote config.json, "
            "which has rope_parameters, export mlx instead.",
            "Dropped parts have no word in it: export the dropped model as dense first.",
        ),
        kind="recipe",
        file_name="quant_predicate.py",
        media_type="text/x-python",
        checked="converted with mlx-lm 0.32.2: every layer has the bits and group asked for",
        usage='mlx_lm.convert("MODEL", quantize=True, q_group_size=GROUP_SIZE, quant_predicate=quant_predicate)',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        return [*plan.refuse_foreign(NAME, "keep and quantize"), *mlx_refusals(plan), *plan.refuse_drops(NAME)]

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return 0

    def write(self, source: Source, folder: Path) -> None:
        chosen = layers(Plan.of(source.anatomy, source.configuration), source.tied)
        rows = [f"    {json.dumps(name)}: {choice!r},\n" for name, choice in chosen.items()]
        (folder / self.info.file_name).write_text(HEADER + "".join(rows) + FOOTER, encoding="utf-8")
