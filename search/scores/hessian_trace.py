"""The Hessian trace score: a layer's mean curvature times how far its weights moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evaluators.sensitivity import hessian_trace
from evaluators.sensitivity.hessian_product import Method
from search.report import standard_error
from search.scores.curvature import check_curvature, curvature_scores, perturbations, quantized_layers
from search.scores.entries import check_tokens, entries_of
from search.scores.score import Scores, Table
from search.strategy import Asking, Problem, sampled
from spaces.errors import InputError
from spaces.space import Space

FIRST_PROBES = 8  # fewer leave the standard error itself too unsure to stop by


@dataclass(frozen=True, kw_only=True)
class HessianTrace:
    """1/2 tr(H_l) / n_l x |dW_l|^2, summed over a unit's layers (HAWQ-V2, Dong et al. 2020, arXiv:1911.03852, Omega).

    H is the Hessian of the dense model's mean next-token loss over ``tokens`` tokens, n_l a layer's number of weights.
    Were the errors of a layer's weights independent, this would be the loss that they add, to second order: hence the
    factor 1/2, which HAWQ-V2 leaves out and which changes no order. GPTQ's errors are shaped by the layer's inputs,
    and cost less than this says.

    Ours differs in that one Hessian-vector product serves all layers, and in the rule to stop: when the standard error
    of the loss predicted for every layer at the option that moves it most is ``relative_error`` of that loss, or after
    ``max_probes``. A cost smaller than its own standard error, or negative, is raised to it: noise makes nothing free.

    Cost: 1 forward and 3 backward passes over ``tokens`` for each probe (2 and 2 by finite differences).
    """

    tokens: int = 2048
    relative_error: float = 0.05
    max_probes: int = 32
    method: Method = "auto"

    def __post_init__(self) -> None:
        check_tokens(self.tokens)
        if not self.relative_error > 0:
            raise InputError(f"relative_error must be above 0, got {self.relative_error}; write, say, 0.05")
        if self.max_probes < 2:
            raise InputError(f"max_probes must be at least 2 to have a standard error, got {self.max_probes}")

    def check(self, problem: Problem) -> None:
        check_curvature(problem, "hessian-trace")

    def planned_tokens(self, problem: Problem) -> int:
        """At most."""
        return (self._statistic(problem).passes(problem.sequence_length) * self.max_probes).total_tokens

    def score(self, problem: Problem) -> Asking[Scores]:
        squares = yield from perturbations(problem)
        widest = _widest(problem.space, squares)
        traces = np.empty((0, len(widest)))
        wanted = min(FIRST_PROBES, self.max_probes)
        while wanted > len(traces):
            traces = np.concatenate([traces, (yield from self._probes(problem, len(traces), wanted))])
            wanted = self._wanted(traces @ widest)
        return _raised(curvature_scores(problem.space, traces, squares))

    def _probes(self, problem: Problem, start: int, stop: int) -> Asking[np.ndarray]:  # float64 (probes, layers)
        """Estimates of every layer's mean trace."""
        label = f"Hessian probes {start + 1} to {stop} of at most {self.max_probes}"
        samples = yield from sampled(self._statistic(problem), start, stop, label)
        sizes = {layer.name: layer.num_weights for layer in problem.space.layers}
        traces: np.ndarray = samples["quadratic_forms"] / [sizes[name] for name in quantized_layers(problem.space)]
        return traces

    def _wanted(self, totals: np.ndarray) -> int:  # (probes,) -> how many probes there should be
        """As many as the error so far calls for, but at most twice those there are: it is an estimate itself."""
        count, target = len(totals), self.relative_error * float(totals.mean())
        most = min(self.max_probes, 2 * count)
        if target <= 0:
            return most
        growth = (standard_error(totals) / target) ** 2
        return count if growth <= 1 else min(most, math.ceil(count * growth))

    def _statistic(self, problem: Problem) -> hessian_trace.HessianTrace:
        return hessian_trace.HessianTrace(
            layers=quantized_layers(problem.space),
            sequences=problem.sequences(self.tokens),
            seed=problem.seed,
            method=self.method,
        )


def _widest(space: Space, squares: np.ndarray) -> np.ndarray:  # (entries,) -> (layers,)
    """The largest squared perturbation of each layer."""
    largest = dict.fromkeys(quantized_layers(space), 0.0)
    for (layer, _), square in zip(entries_of(space), squares, strict=True):
        largest[layer] = max(largest[layer], float(square))
    return np.array(list(largest.values()))


def _raised(scores: Scores) -> Scores:
    errors: Table = scores.errors or []
    costs = [np.maximum(row, error) for row, error in zip(scores.costs, errors, strict=True)]
    return Scores(costs=costs, errors=errors)
