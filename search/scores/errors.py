"""Scores that need no forward pass: the errors that the bank recorded when it compressed each weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compressors.measure import EntryErrors
from search.scores.drops import refuse_drops
from search.scores.score import Scores, Table
from search.strategy import Asking, Problem
from spaces.option import Banked, Option

RELATIVE_ERROR = "relative squared error"


@dataclass(frozen=True, kw_only=True)
class _Recorded:
    """The sum over a unit's layers of one recorded relative squared error."""

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def _table(self, problem: Problem, read: Callable[[EntryErrors], float]) -> Table:
        def cost(option: Option, layers: tuple[int, ...]) -> float:
            if not isinstance(option, Banked):
                return 0.0  # keep, or a drop that is pinned
            return sum(read(problem.errors(problem.space.layers[index].name, option)) for index in layers)

        return [np.array([cost(option, unit.layers) for option in unit.options]) for unit in problem.space.units]


@dataclass(frozen=True, kw_only=True)
class WeightError(_Recorded):
    """|dW|^2 / |W|^2: how far the weight moved."""

    def check(self, problem: Problem) -> None:
        refuse_drops(problem, "weight-error")

    def score(self, problem: Problem) -> Asking[Scores]:
        yield from ()
        return Scores(costs=self._table(problem, lambda errors: errors.weight), unit=RELATIVE_ERROR)


@dataclass(frozen=True, kw_only=True)
class OutputError(_Recorded):
    """|dW X|^2 / |W X|^2: how far the layer's output moved on calibration text (L-GreCo, Alimohammadi et al. 2023)."""

    def check(self, problem: Problem) -> None:
        refuse_drops(problem, "output-error")

    def score(self, problem: Problem) -> Asking[Scores]:
        yield from ()
        return Scores(costs=self.table(problem), unit=RELATIVE_ERROR)

    def table(self, problem: Problem) -> Table:
        """The same without the asking: everything is in the bank."""
        return self._table(problem, lambda errors: errors.output)
