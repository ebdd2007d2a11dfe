"""The score of AutoRound's AutoScheme: magnitudes of gradient times weight change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.sensitivity.delta_loss import DeltaLossSums
from search.scores.entries import check_gradients, check_tokens, entries_of, scores_of
from search.scores.score import Scores
from search.strategy import Asking, Problem, sampled

BOUND = "bound on the change of the loss, nats per token"


@dataclass(frozen=True, kw_only=True)
class DeltaLoss:
    """E[sum |g dW|] over the elements of a unit's weights, nats per token.

    g is the gradient of the mean next-token loss, with the data's labels, at the model in which every layer takes the
    option; where a layer lacks it, it stays dense. Absolute values, element by element: a bound on the first-order
    change of the loss, far above the loss itself, so the costs rank options and predict no KL.

    Follows AutoScheme of Intel's AutoRound (DeltaLoss; no paper). It adds |g_x dx| for quantized activations: ours are
    dense, so that term is zero. Its batches are single sequences here: what cancels within one is not seen.

    Cost: a forward and a backward pass over ``tokens`` for each *option*, whatever the number of layers.
    """

    tokens: int = 4096

    def __post_init__(self) -> None:
        check_tokens(self.tokens)

    def check(self, problem: Problem) -> None:
        check_gradients(problem, "delta-loss")

    def planned_tokens(self, problem: Problem) -> int:
        statistic = self._statistic(problem)
        return (statistic.passes(problem.sequence_length) * statistic.sequences).total_tokens

    def score(self, problem: Problem) -> Asking[Scores]:
        statistic = self._statistic(problem)
        label = f"gradients of {statistic.sequences} sequences under each option"
        samples = yield from sampled(statistic, 0, statistic.sequences, label, is_mean=True)
        return scores_of(problem.space, samples["sums"], lambda sums: np.asarray(sums.sum(axis=1)), BOUND)

    def _statistic(self, problem: Problem) -> DeltaLossSums:
        return DeltaLossSums(changes=entries_of(problem.space), sequences=problem.sequences(self.tokens))
