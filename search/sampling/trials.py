"""Optuna by ask and tell: a seeded study in memory, with one whole-numbered parameter for each unit that has a choice.

Nothing here depends on a clock, a global random state or the order of a set: what is asked next is a function of the
sampler's settings and seed and of what was told.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from search.strategy import Problem
from spaces.space import Levels

STUDY = "layerpress"  # Hyperband hashes a study's name, so that it must not be random
SEEDS = 2**32  # numpy's old generators, which optuna uses, take seeds below
Adjust = Callable[[Levels], Levels]


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna's progress and its notes on experimental parts are not for our log; its errors are."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def sampler_seed(seed: int) -> int:
    """A job's seed as one that samplers take."""
    return int(np.random.default_rng([seed, 0]).integers(SEEDS))


def make_pruner(name: str, rungs: Sequence[int]) -> BasePruner:
    """The pruner of trials that report at ``rungs``."""
    if name == "median":
        return MedianPruner()
    if name == "hyperband":
        return HyperbandPruner(min_resource=rungs[0], max_resource=rungs[-1])
    return NopPruner()


class Parameters:
    """Levels as an optuna trial's parameters: a unit is called by its first layer, and has its levels in order."""

    def __init__(self, problem: Problem) -> None:
        space = problem.space
        self._units = {space.layers[unit.layers[0]].name: number for number, unit in enumerate(space.units)}
        self._fixed = (0,) * len(space.units)
        self.distributions: dict[str, BaseDistribution] = {
            name: IntDistribution(0, len(space.units[number].options) - 1)
            for name, number in self._units.items()
            if len(space.units[number].options) > 1
        }

    def levels(self, params: Mapping[str, Any]) -> Levels:
        levels = list(self._fixed)
        for name in self.distributions:
            levels[self._units[name]] = int(params[name])
        return tuple(levels)

    def params(self, levels: Levels) -> dict[str, int]:
        return {name: levels[self._units[name]] for name in self.distributions}


class Adjusted(BaseSampler):
    """Another sampler, whose draws are adjusted before a trial has them: so it learns from what was really measured."""

    def __init__(self, inner: BaseSampler, parameters: Parameters, adjust: Adjust) -> None:
        self._inner = inner
        self._parameters = parameters
        self._adjust = adjust

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._parameters.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        inner_space = self._inner.infer_relative_search_space(study, trial)
        params = self._inner.sample_relative(study, trial, inner_space)
        for name, distribution in search_space.items():
            if name not in params:
                params[name] = self._inner.sample_independent(study, trial, name, distribution)
        return self._parameters.params(self._adjust(self._parameters.levels(params)))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._inner.after_trial(study, trial, state, values)


class Trials:
    """A study that is asked for levels and told values."""

    def __init__(
        self, problem: Problem, sampler: BaseSampler, *, pruner: BasePruner, num_objectives: int, adjust: Adjust
    ) -> None:
        self._parameters = Parameters(problem)
        with quiet():
            self._study = optuna.create_study(
                sampler=Adjusted(sampler, self._parameters, adjust),
                pruner=pruner,
                study_name=STUDY,
                directions=["minimize"] * num_objectives,
            )

    def ask(self, given: Levels | None = None) -> tuple[Trial, Levels]:
        """The sampler's next candidate, adjusted; or a trial of levels that somebody else chose."""
        with quiet():
            if given is not None:
                self._study.enqueue_trial(self._parameters.params(given))
            trial = self._study.ask(self._parameters.distributions)
        return trial, self._parameters.levels(trial.params)

    def report(self, trial: Trial, loss: float, rung: int) -> bool:
        """Report a loss at a rung; whether the pruner would end the trial there."""
        with quiet():
            trial.report(loss, rung)
            return trial.should_prune()

    def prune(self, trial: Trial) -> None:
        """End a trial before its last rung."""
        with quiet():
            self._study.tell(trial, state=TrialState.PRUNED)

    def tell(self, trial: Trial, values: Sequence[float], excess: Mapping[str, float]) -> None:
        """The values of a trial, and by how much it exceeds each rule: it is feasible where nothing is above 0."""
        with quiet():
            for name, value in excess.items():
                trial.set_constraint(name, value)
            self._study.tell(trial, list(values))
