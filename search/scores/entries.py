"""The bank entries and the drops of a space, and a table of scores made of samples of a number for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evaluators.statistic import Change, Entry
from search.report import standard_error
from search.scores.drops import open_drops, refuse_drops
from search.scores.score import PREDICTED_KL, Scores
from search.strategy import Problem
from spaces.errors import InputError
from spaces.option import DROP, Banked, Option
from spaces.space import Space


def entries_of(space: Space) -> tuple[Entry, ...]:
    """Every layer with every option that quantizes it, in the space's order."""
    return tuple(
        (space.layers[index].name, option)
        for unit in space.units
        for option in unit.options
        if isinstance(option, Banked)
        for index in unit.layers
    )


def changes_of(space: Space) -> tuple[Change, ...]:
    """`entries_of`, and every part with the choice to drop it."""
    return (*entries_of(space), *((part, DROP) for part in open_drops(space)))


def scores_of(
    space: Space,
    values: np.ndarray,  # float64 (samples, changes), in the order of ``changes_of``; without drops if there are none
    combine: Callable[[np.ndarray], np.ndarray],  # (samples, layers) of one unit and option -> (samples,)
    unit: str = PREDICTED_KL,
) -> Scores:
    """The mean over the samples, and its standard error, of what ``combine`` makes of a unit's layers."""
    columns: dict[tuple[str, Option], int] = {change: column for column, change in enumerate(changes_of(space))}
    costs, errors = ([np.zeros(len(unit.options)) for unit in space.units] for _ in range(2))
    for number, decision in enumerate(space.units):
        for level, option in enumerate(decision.options):
            changes = [(space.layers[index].name, option) for index in decision.layers]
            if all(change in columns for change in changes):  # others are kept, or dropped by a pin
                combined = combine(values[:, [columns[change] for change in changes]])
                costs[number][level] = combined.mean()
                errors[number][level] = standard_error(combined)
    return Scores(costs=costs, errors=errors, unit=unit)


def check_gradients(problem: Problem, score: str) -> None:
    """Refuse what a score by gradients of the dense model's weights cannot take.

    Raises:
        InputError: a part may be dropped, or the model runs in float16.
    """
    refuse_drops(problem, score)
    check_range(problem, score)


def check_range(problem: Problem, score: str) -> None:
    """Refuse a dtype in which gradients underflow.

    Raises:
        InputError: the model runs in float16.
    """
    if problem.dtype == "float16":
        raise InputError(
            f"score {score} needs gradients, which underflow in evaluation.dtype {problem.dtype}; "
            f"write evaluation.dtype: float32 or bfloat16, or use score measured-kl"
        )


def check_tokens(tokens: int) -> None:
    """Refuse to read nothing.

    Raises:
        InputError: ``tokens`` is not positive.
    """
    if tokens < 1:
        raise InputError(f"score tokens must be at least 1, got {tokens}")
