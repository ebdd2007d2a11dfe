"""The Fisher score: what each change costs in KL, to second order, from one backward pass for each sequence."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.sensitivity.fisher import FisherProducts
from search.scores.entries import changes_of, check_range, check_tokens, scores_of
from search.scores.score import Scores
from search.strategy import Asking, Problem, sampled


@dataclass(frozen=True, kw_only=True)
class Fisher:
    """1/2 E[(sum over a unit's layers of <g, d>)^2] / tokens of a sequence: KL to second order, nats per token.

    d is what an option changes of a layer's weights, or what dropping a part changes of its answer (behind a norm of
    its own, where it has one, which hides how large the answer is), and g the gradient by it of a sequence's summed
    log-probability, of labels drawn from the model at every position: the true Fisher information, not the empirical
    one of the data's labels (Kunstner et al. 2019, arXiv:1905.12558). The Fisher pruning of Theis et al. 2018
    (arXiv:1801.05787) takes its diagonal; here the change of a whole unit is one direction, whose weights' products all
    count, those of tied layers too. For a part it is that of a mask on its answer, as Kwon et al. 2022 prune heads
    (arXiv:2204.09656, section 4.1). What two units cost together is not asked.

    Cost: one forward and one backward pass over ``tokens``. A sequence gives one square, so that a cost's relative
    standard error is about sqrt(2 / sequences), and much the same for all options of a unit, which share g.
    """

    tokens: int = 32_768

    def __post_init__(self) -> None:
        check_tokens(self.tokens)

    def check(self, problem: Problem) -> None:
        check_range(problem, "fisher")

    def planned_tokens(self, problem: Problem) -> int:
        statistic = self._statistic(problem)
        return (statistic.passes(problem.sequence_length) * statistic.sequences).total_tokens

    def score(self, problem: Problem) -> Asking[Scores]:
        statistic = self._statistic(problem)
        label = f"gradients of {statistic.sequences} sequences"
        samples = yield from sampled(statistic, 0, statistic.sequences, label, is_mean=True)
        twice = 2 * problem.sequence_length
        return scores_of(problem.space, samples["products"], lambda products: products.sum(axis=1) ** 2 / twice)

    def _statistic(self, problem: Problem) -> FisherProducts:
        changes = changes_of(problem.space)
        return FisherProducts(changes=changes, sequences=problem.sequences(self.tokens), seed=problem.seed)
