"""The parts of a space that may be dropped: few scores have a number for that, and one has none for anything else."""

from __future__ import annotations

from search.strategy import Problem
from spaces.errors import InputError
from spaces.option import DROP
from spaces.space import Space, Unit


def open_drops(space: Space) -> dict[str, Unit]:
    """The units that choose whether a part is dropped, by the part's name."""
    return {
        space.layers[unit.layers[0]].name: unit
        for unit in space.units
        if DROP in unit.options and len(unit.options) > 1
    }


def refuse_drops(problem: Problem, score: str) -> None:
    """Refuse a space that offers to drop a part.

    Raises:
        InputError: names the first such part, and a score that has a number for it.
    """
    for part in open_drops(problem.space):
        raise InputError(
            f"score {score} has no number for dropping {part}; use score fisher or measured-kl where drop is an option"
        )
