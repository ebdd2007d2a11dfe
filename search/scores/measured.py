"""The measured score: the loss with one unit changed, around a base configuration near the budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.baselines import uniform_near
from search.report import standard_error
from search.scores.probes import probes, stand_in
from search.scores.score import Scores
from search.strategy import Asking, Problem, measured
from spaces.errors import InputError, JobError
from spaces.option import KEEP
from spaces.space import Levels


@dataclass(frozen=True, kw_only=True)
class MeasuredKL:
    """loss(base + one change) - loss(base), on the first ``tokens`` tokens (AdaQuant, Hubara et al. 2021, section 3.3).

    The base is the uniform choice nearest to the budget's bits, above or below it, not the dense model: near the
    answer, the single changes add up better. Nothing is dropped in it, since changes inside a dropped part do not
    show, so it may keep more parts than the budget lets. One evaluation for each unit and option beside the base's
    own.
    """

    tokens: int = 2048

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise InputError(f"score tokens must be at least 1, got {self.tokens}")

    def check(self, problem: Problem) -> None:
        pass  # every option can be measured

    def base(self, problem: Problem) -> Levels:
        """Where the changes are measured from."""
        return uniform_near(problem)

    def planned_tokens(self, problem: Problem) -> int:
        return (1 + len(probes(problem.space, self.base(problem)))) * problem.tokens(self.tokens)

    def score(self, problem: Problem) -> Asking[Scores]:
        base = self.base(problem)
        asked = probes(problem.space, base)
        candidates = [base, *(_changed(base, number, level) for number, level in asked)]
        label = f"{len(asked)} probes of one changed layer"
        losses = yield from measured(tuple(candidates), problem.tokens(self.tokens), label)
        if not np.isfinite(losses[0]).all():
            raise JobError(
                f"score measured-kl cannot measure changes from {problem.space.configure(base).id}, the uniform choice "
                f"nearest the budget ({problem.budget}), whose loss is infinite; raise the budget or use another score"
            )
        costs, errors = ([np.zeros(len(unit.options)) for unit in problem.space.units] for _ in range(2))
        for (number, level), loss in zip(asked, losses[1:], strict=True):
            costs[number][level] = float((loss - losses[0]).mean())
            errors[number][level] = standard_error(loss - losses[0])
        for table in (costs, errors):
            for row, unit in zip(table, problem.space.units, strict=True):
                wide = stand_in(unit)
                if wide is not None:
                    row[unit.options.index(KEEP)] = row[wide]
        return Scores(costs=costs, errors=errors)


def _changed(base: Levels, unit: int, level: int) -> Levels:
    return tuple(level if number == unit else old for number, old in enumerate(base))
