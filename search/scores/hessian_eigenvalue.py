"""The Hessian eigenvalue scores: the curvature of a layer in its steepest direction times how far its weights moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.sensitivity import hessian_eigenvalue
from evaluators.sensitivity.hessian_product import Method
from search.scores.curvature import check_curvature, curvature_scores, perturbations, quantized_layers
from search.scores.entries import check_tokens
from search.scores.score import Scores
from search.strategy import Asking, Problem, sampled
from spaces.errors import InputError

BOUND = "bound on the change of the loss, nats per token"


@dataclass(frozen=True, kw_only=True)
class _PowerIteration:
    """Settings and questions of both; each batch has ``tokens`` tokens."""

    tokens: int = 512
    max_iterations: int = 10
    tolerance: float = 0.01  # of an eigenvalue's change in one iteration, relative
    method: Method = "auto"

    def __post_init__(self) -> None:
        check_tokens(self.tokens)
        if self.max_iterations < 1:
            raise InputError(f"max_iterations must be at least 1, got {self.max_iterations}; write, say, 10")
        if not self.tolerance >= 0:
            raise InputError(f"tolerance must be at least 0, got {self.tolerance}; write, say, 0.01")

    def _planned_tokens(self, problem: Problem, batches: int) -> int:
        statistic = self._statistic(problem, batches)
        return (statistic.passes(problem.sequence_length) * len(statistic.layers)).total_tokens

    def _eigenvalues(self, problem: Problem, batches: int) -> Asking[np.ndarray]:  # float64 (layers, batches)
        statistic = self._statistic(problem, batches)
        label = f"eigenvalues of {len(statistic.layers)} layers"
        samples = yield from sampled(statistic, 0, len(statistic.layers), label)
        eigenvalues: np.ndarray = samples["eigenvalues"]
        return eigenvalues

    def _statistic(self, problem: Problem, batches: int) -> hessian_eigenvalue.HessianEigenvalue:
        return hessian_eigenvalue.HessianEigenvalue(
            layers=quantized_layers(problem.space),
            batches=batches,
            batch_sequences=problem.sequences(self.tokens),
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
            seed=problem.seed,
            method=self.method,
        )


@dataclass(frozen=True, kw_only=True)
class HessianEigenvalue(_PowerIteration):
    """1/2 |lambda_l| x |dW_l|^2, summed over a unit's layers (HAWQ, Dong et al. 2019, arXiv:1905.03696).

    lambda_l is the top eigenvalue, in magnitude, of the layer's own block of the Hessian of the mean next-token loss
    over ``tokens`` tokens: to second order no change of that size costs more, so these are bounds, far above the KL.
    HAWQ ranks layers by lambda / n to give them bits and by lambda x |dW|^2 to order their fine-tuning. A score needs a
    number for each option, so ours is the second; the 1/2 changes no order.

    Cost: at most ``max_iterations`` Hessian-vector products for each layer, through what comes after that layer.
    """

    def check(self, problem: Problem) -> None:
        check_curvature(problem, "hessian-eigenvalue")

    def planned_tokens(self, problem: Problem) -> int:
        """At most."""
        return self._planned_tokens(problem, batches=1)

    def score(self, problem: Problem) -> Asking[Scores]:
        squares = yield from perturbations(problem)
        eigenvalues = yield from self._eigenvalues(problem, batches=1)
        return Scores(costs=curvature_scores(problem.space, np.abs(eigenvalues.T), squares).costs, unit=BOUND)


@dataclass(frozen=True, kw_only=True)
class HessianEigenvalueSpread(_PowerIteration):
    """1/2 (|mean lambda_l| + std lambda_l) x |dW_l|^2 over ``batches`` of text (Q-BERT, Shen et al. 2020,
    arXiv:1909.05840).

    lambda_l as for ``hessian-eigenvalue``, once for each batch of ``tokens`` tokens; a layer whose curvature varies
    with the text counts as more sensitive. Q-BERT takes batches of a tenth of its training data and ranks layers by
    the sum alone; the sum times the squared perturbation, and the 1/2, make a number for each option of it. The
    standard deviation is that of a sample (batches - 1).

    Cost: ``batches`` times that of ``hessian-eigenvalue``.
    """

    batches: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches < 2:
            raise InputError(f"batches must be at least 2 to have a spread, got {self.batches}; write, say, 4")

    def check(self, problem: Problem) -> None:
        check_curvature(problem, "hessian-eigenvalue-spread")
        each, there = problem.sequences(self.tokens), problem.sequences(problem.max_tokens)
        if self.batches * each > there:
            raise InputError(
                f"score hessian-eigenvalue-spread reads {self.batches} batches of {each} sequences, and the "
                f"calibration text has {there}; lower its batches or tokens, or give more calibration tokens"
            )

    def planned_tokens(self, problem: Problem) -> int:
        """At most."""
        return self._planned_tokens(problem, self.batches)

    def score(self, problem: Problem) -> Asking[Scores]:
        squares = yield from perturbations(problem)
        eigenvalues = yield from self._eigenvalues(problem, self.batches)
        spread = np.abs(eigenvalues.mean(axis=1)) + eigenvalues.std(axis=1, ddof=1)
        return Scores(costs=curvature_scores(problem.space, spread[None], squares).costs, unit=BOUND)
