"""The single changes of a base configuration that are measured, and the one that stands for keep."""

from __future__ import annotations

from spaces.option import KEEP, Banked
from spaces.space import Levels, Space, Unit

ENOUGH_BITS = 8  # an option this wide leaves nothing to measure: keep is given its score, and so never chosen over it


def probes(space: Space, base: Levels) -> list[tuple[int, int]]:
    """(unit, level) of every change to measure."""
    probes = []
    for number, unit in enumerate(space.units):
        skipped = unit.options.index(KEEP) if stand_in(unit) is not None else None
        probes += [(number, level) for level in range(len(unit.options)) if level not in (base[number], skipped)]
    return probes


def stand_in(unit: Unit) -> int | None:
    """The level of the largest option wide enough to be measured in place of ``keep``, where both are open."""
    wide = [
        level
        for level, option in enumerate(unit.options)
        if isinstance(option, Banked) and option.bits_per_code >= ENOUGH_BITS
    ]
    return wide[-1] if wide and KEEP in unit.options else None
