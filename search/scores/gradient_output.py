"""The score of ModelOpt's AutoQuantize: squared gradients of a layer's outputs times their squared changes."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.sensitivity.gradient_output import GradientOutputSquares
from search.scores.entries import check_gradients, check_tokens, entries_of, scores_of
from search.scores.score import Scores
from search.strategy import Asking, Problem, sampled


@dataclass(frozen=True, kw_only=True)
class GradientOutput:
    """1/2 E[sum over a layer's outputs of (g_y dy)^2] / tokens of a sequence: nats per token.

    g_y is the gradient of the next-token loss with the data's labels, and dy what the option changes the layer's
    output by: the empirical Fisher information of the outputs, of which only the diagonal counts. Follows the gradient
    score of NVIDIA ModelOpt's AutoQuantize, which has no paper. Its loss is the mean over tokens and its score the sum
    over batches; ours differs by a constant factor, which changes no choice and puts the costs on the scale of KL, as
    far as the diagonal goes. Its batches are single sequences here. Layers of a unit add.

    With ``monotone``, as in ModelOpt, an option costs at most what every smaller one does.

    Cost: one forward pass, a backward pass without the gradients of weights, and a matmul of every layer for each of
    its options, over ``tokens``.
    """

    tokens: int = 16_384
    monotone: bool = True

    def __post_init__(self) -> None:
        check_tokens(self.tokens)

    def check(self, problem: Problem) -> None:
        check_gradients(problem, "gradient-output")

    def planned_tokens(self, problem: Problem) -> int:
        statistic = self._statistic(problem)
        return (statistic.passes(problem.sequence_length) * statistic.sequences).total_tokens

    def score(self, problem: Problem) -> Asking[Scores]:
        statistic = self._statistic(problem)
        label = f"output gradients of {statistic.sequences} sequences"
        samples = yield from sampled(statistic, 0, statistic.sequences, label, is_mean=True)
        twice = 2 * problem.sequence_length
        scores = scores_of(problem.space, samples["squares"], lambda squares: squares.sum(axis=1) / twice)
        return falling(scores) if self.monotone else scores

    def _statistic(self, problem: Problem) -> GradientOutputSquares:
        return GradientOutputSquares(changes=entries_of(problem.space), sequences=problem.sequences(self.tokens))


def falling(scores: Scores) -> Scores:
    """Each option at most as dear as every smaller one; it takes over that one's standard error as well."""
    costs, errors = [], []
    for row, error in zip(scores.costs, scores.errors or scores.costs, strict=True):
        origin = [int(row[: level + 1].argmin()) for level in range(len(row))]
        costs.append(row[origin])
        errors.append(error[origin])
    return Scores(costs=costs, errors=errors if scores.errors is not None else None)
