"""HIGGS' score: how much KL a layer gives for its relative error, learned from injected noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.sensitivity.noise import NoiseResponse, fit_linearity
from search.scores.drops import refuse_drops
from search.scores.entries import check_tokens, entries_of
from search.scores.score import Scores
from search.strategy import Asking, Problem, sampled
from spaces.errors import InputError
from spaces.option import Banked


@dataclass(frozen=True, kw_only=True)
class Linearity:
    """alpha_l ||dW_l||^2 / ||W_l||^2: nats per token, with alpha_l fitted for each layer.

    The linearity theorem of HIGGS (Malinovskii et al. 2024, arXiv 2411.17525): to second order the loss rises by a sum
    over layers of coefficients times relative squared errors, where errors have no preferred direction. As there, a
    layer's coefficient is fitted to the loss with Gaussian noise in that layer alone, by least squares through the
    origin. Ours differs in four points: the loss is KL to the dense model on calibration text; three noise levels
    instead of about fifteen (a count that we recall and did not check), about those that rounding to 4, 3 and 2 bits
    makes; each draw is scaled to its level exactly; and the fit is weighted so that every level counts alike.

    Errors that do have a direction cost something else: those that gptq shapes by the inputs cost less than predicted.

    The standard error is the fit's own: it includes what departs from linearity. Layers of a unit add.

    Cost: a forward pass over ``tokens`` for each layer and noise level; none for options, whose errors the bank knows.
    """

    noise_levels: tuple[float, ...] = (0.1, 0.2, 0.5)  # ||noise|| / ||W||
    tokens: int = 2048

    def __post_init__(self) -> None:
        check_tokens(self.tokens)
        bad = [level for level in self.noise_levels if not 0 < level < np.inf]
        if bad or not self.noise_levels:
            raise InputError(
                f"noise_levels must be one or more positive shares of the weight's norm, "
                f"got {list(self.noise_levels)}; write, say, [0.1, 0.2, 0.5]"
            )

    def check(self, problem: Problem) -> None:
        refuse_drops(problem, "linearity")

    def planned_tokens(self, problem: Problem) -> int:
        statistic = self._statistic(problem)
        return (statistic.passes(problem.sequence_length) * len(statistic.layers)).total_tokens

    def score(self, problem: Problem) -> Asking[Scores]:
        statistic = self._statistic(problem)
        label = f"noise in {len(statistic.layers)} layers, one at a time"
        samples = yield from sampled(statistic, 0, len(statistic.layers), label)
        alphas, errors = fit_linearity(np.array(self.noise_levels), samples["kl"])
        fits = {layer: (alpha, error) for layer, alpha, error in zip(statistic.layers, alphas, errors, strict=True)}
        return _scores(problem, fits)

    def _statistic(self, problem: Problem) -> NoiseResponse:
        return NoiseResponse(
            layers=tuple(dict.fromkeys(layer for layer, _ in entries_of(problem.space))),
            noise_levels=self.noise_levels,
            sequences=problem.sequences(self.tokens),
            seed=problem.seed,
        )


def _scores(
    problem: Problem,
    fits: dict[str, tuple[float, float]],  # by layer: the coefficient and its standard error
) -> Scores:
    costs, errors = ([np.zeros(len(unit.options)) for unit in problem.space.units] for _ in range(2))
    for number, unit in enumerate(problem.space.units):
        names = [problem.space.layers[index].name for index in unit.layers]
        for level, option in enumerate(unit.options):
            if isinstance(option, Banked):
                squares = np.array([problem.errors(name, option).weight for name in names])
                terms = np.array([fits[name] for name in names]) * squares[:, None]
                costs[number][level] = terms[:, 0].sum()
                errors[number][level] = np.linalg.norm(terms[:, 1])
    return Scores(costs=costs, errors=errors)
