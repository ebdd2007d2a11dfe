"""How EvoPress' published settings were scaled down, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.document import table
from benchmarks.search.methods import EVOPRESS_BITS, EVOPRESS_DROPS
from benchmarks.search.tasks import CALIBRATION_TOKENS
from search.strategies.evolution import PRESETS

# tokens that generations draw from: its README for quantization, its script for drops (commit 50888a0)
POOLS = {"bits": 524_288, "drops": 131_072}


def show_scaling() -> str:
    """One row for each of EvoPress' two searches here, beside the published one."""
    pairs = [
        ("bit-widths, published", PRESETS["evopress-quantization"], POOLS["bits"]),
        ("bit-widths, here", EVOPRESS_BITS, CALIBRATION_TOKENS),
        ("drops, published", PRESETS["evopress-drop"], POOLS["drops"]),
        ("drops, here", EVOPRESS_DROPS, CALIBRATION_TOKENS),
    ]
    header = ("EvoPress", "generations", "offspring", "stages: tokens -> survivors", "tokens a generation", "pool")
    return table(header, [_row(name, settings, pool) for name, settings, pool in pairs])


def _row(name: str, settings: Mapping[str, Any], pool: int) -> tuple[str, ...]:
    generations, stages = settings["generations"], settings["stages"]
    return (
        name,
        "k (n - k) / 1.5" if generations is None else str(generations),
        str(settings["offspring"]),
        "; ".join(f"{stage['tokens']:,} -> {stage['survivors']}" for stage in stages),
        f"{generation_tokens(settings['offspring'], stages):,}",
        f"{pool:,}",
    )


def generation_tokens(offspring: int, stages: Sequence[Mapping[str, int]]) -> int:
    """What one generation reads: the parent joins every stage that keeps as many as the last one."""
    total, alive = 0, offspring
    for stage in stages:
        total += (alive + (stage["survivors"] == stages[-1]["survivors"])) * stage["tokens"]
        alive = stage["survivors"]
    return total
