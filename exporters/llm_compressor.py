"""llm-compressor's recipe: the assignment for those who quantize with vLLM's own tool."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from exporters.compressed_tensors import Scheme, weight_arguments
from exporters.format import FormatInfo
from exporters.plan import Plan
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy

NAME = "llm-compressor"
MODIFIERS = {True: "GPTQModifier", False: "QuantizationModifier"}  # whether any layer was solved on calibration text


class LlmCompressor:
    """One group for each scheme, with exact names; all other layers are ignored."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="recipe for llm-compressor (oneshot), which writes compressed-tensors",
        loads_in=("llm-compressor >= 0.14",),
        limits=(
            "The tool quantizes anew: its codes and losses are near ours, not ours.",
            "Dropped parts have no word in it: export the dropped model as dense first.",
            "GPTQModifier needs calibration text; a recipe of rtn layers alone needs none.",
        ),
        kind="recipe",
        file_name="recipe.yaml",
        media_type="application/yaml",
        checked="read by llm-compressor 0.14.0.1's own recipe loader; run data-free on a tiny model",
        usage='oneshot(model=model, recipe="recipe.yaml")',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        known = [*plan.refuse_foreign(NAME, "keep and quantize"), *plan.refuse_lookups(NAME)]
        return [*known, *plan.refuse_transposed(NAME), *plan.refuse_drops(NAME)]

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return 0

    def write(self, source: Source, folder: Path) -> None:
        text = recipe(Plan.of(source.anatomy, source.configuration))
        (folder / self.info.file_name).write_text(text, encoding="utf-8")


def recipe(plan: Plan) -> str:
    """The YAML, written out so that people can read and change it."""
    targets: dict[Scheme, list[str]] = {}
    for each in plan.quantized:
        targets.setdefault(each.scheme, []).append(each.name)
    calibrated = any(each.option.solver != "rtn" for each in plan.quantized)
    lines = [
        "quant_stage:",
        "  quant_modifiers:",
        f"    {MODIFIERS[calibrated]}:",
        f"      ignore: {_names(plan.dense, 8)}",
    ]
    lines.append(f"      config_groups:{'' if targets else ' {}'}")
    for number, scheme in enumerate(sorted(targets)):
        arguments = ", ".join(f"{key}: {_scalar(value)}" for key, value in weight_arguments(scheme).items())
        lines += [
            f"        group_{number}:",
            f"          weights: {{{arguments}}}",
            f"          targets: {_names(targets[scheme], 12)}",
        ]
    return "\n".join(lines) + "\n"


def _names(names: list[str] | tuple[str, ...], indent: int) -> str:
    return "".join(f"\n{' ' * indent}- {name}" for name in names) if names else "[]"


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
