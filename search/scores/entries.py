"""The bank entries of a space, and a table of scores made of samples of a number for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evaluators.statistic import Entry
from search.report import standard_error
from search.scores.drops import refuse_drops
from search.scores.score import PREDICTED_KL, Scores
from search.strategy import Problem
from spaces.errors import InputError
from spaces.option import Banked
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


def scores_of(
    space: Space,
    values: np.ndarray,  # float64 (samples, entries), in the order of ``entries_of``
    combine: Callable[[np.ndarray], np.ndarray],  # (samples, layers) of one unit and option -> (samples,)
    unit: str = PREDICTED_KL,
) -> Scores:
    """The mean over the samples, and its standard error, of what ``combine`` makes of a unit's layers."""
    columns = {entry: column for column, entry in enumerate(entries_of(space))}
    costs, errors = ([np.zeros(len(unit.options)) for unit in space.units] for _ in range(2))
    for number, decision in enumerate(space.units):
        for level, option in enumerate(decision.options):
            if isinstance(option, Banked):
                places = [columns[space.layers[index].name, option] for index in decision.layers]
                combined = combine(values[:, places])
                costs[number][level] = combined.mean()
                errors[number][level] = standard_error(combined)
    return Scores(costs=costs, errors=errors, unit=unit)


def check_gradients(problem: Problem, score: str) -> None:
    """Refuse what a score by gradients of the dense model's weights cannot take.

    Raises:
        InputError: a part may be dropped, or the model runs in float16.
    """
    refuse_drops(problem, score)
    if problem.dtype == "float16":
        raise InputError(
            f"score {score} needs gradients, which underflow in evaluation.dtype {problem.dtype}; "
            f"write evaluation.dtype: float32 or bfloat16, or use score output-error"
        )


def check_tokens(tokens: int) -> None:
    """Refuse to read nothing.

    Raises:
        InputError: ``tokens`` is not positive.
    """
    if tokens < 1:
        raise InputError(f"score tokens must be at least 1, got {tokens}")
