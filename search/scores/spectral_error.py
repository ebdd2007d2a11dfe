"""ALDS' score: the worst relative error of a layer's output, over all inputs."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.sensitivity.spectrum import OperatorErrors
from search.scores.drops import refuse_drops
from search.scores.entries import entries_of, scores_of
from search.scores.score import Scores
from search.strategy import Asking, Problem, sampled


@dataclass(frozen=True, kw_only=True)
class SpectralError:
    """sigma_1(dW) / sigma_1(W): by how much, relative to the layer's largest gain, an output can be wrong.

    ALDS (Liebenwein et al. 2021, arXiv 2107.11442) bounds a layer's error so for low ranks, where the residual's norm
    is the next singular value, sigma_{j+1}(W) / sigma_1(W); a quantized weight's residual has no such short form, and
    its norm is computed. ALDS splits a layer into parts and takes the largest error among them, and then makes the
    largest over the layers as small as the budget lets: so a unit takes the largest of its tied layers here, and
    the solver is min-max. A bound, not a prediction of KL: adding it up, as knapsack does, has no meaning of its own.

    Cost: no forward pass; some 30 products of each weight and each of its changes with a vector.
    """

    def check(self, problem: Problem) -> None:
        refuse_drops(problem, "spectral-error")

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def score(self, problem: Problem) -> Asking[Scores]:
        statistic = OperatorErrors(changes=entries_of(problem.space))
        count = len(statistic.changes)
        samples = yield from sampled(statistic, 0, count, f"operator norms of {count} weight changes")
        table = scores_of(problem.space, samples["ratios"][None, :], lambda ratios: ratios.max(axis=1))
        return Scores(costs=table.costs, unit="relative error in operator norm")
