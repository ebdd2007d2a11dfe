"""The entropy score: by how much an option changes the information in a layer's output values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.sensitivity.entropy import EntropyChanges
from search.scores.drops import refuse_drops
from search.scores.entries import check_tokens, entries_of, scores_of
from search.scores.score import Scores
from search.strategy import Asking, Problem, sampled
from spaces.errors import InputError

UNIT = "change of entropy, nats"


@dataclass(frozen=True, kw_only=True)
class ActivationEntropy:
    """|H(y + dy) - H(y)|: the change of the entropy of a layer's output values, in nats, sequence by sequence.

    Adapted from two methods, neither of which was made for weights. QuantMCU (arXiv 2401.13714, known to us
    second-hand) quantizes activations and weighs the entropy that b bits take from them against the operations they
    save; here the weight is what is quantized, dy is what that does to the output, and only the entropy counts, since
    the budget is the solver's. Q-VLM (arXiv 2410.08119, of which we read the abstract) takes the entropy of activations
    as a sign of how strongly errors of neighbouring layers depend on each other, to cut a model into blocks for its
    search; nothing is cut here. The histogram's range, 6 standard deviations of the dense output, is ours.

    The unit is nats of a histogram, not of KL: layers compare only as far as their entropies do. Entropy can miss an
    error altogether (it does not see which token got which value), so do not trust it alone. Layers of a unit add.

    Cost: a forward pass over ``tokens``, and a matmul of every layer for each of its options.
    """

    tokens: int = 2048
    bins: int = 256

    def __post_init__(self) -> None:
        check_tokens(self.tokens)
        if self.bins < 2:
            raise InputError(f"bins must be at least 2, for one bin holds every value alike, got {self.bins}")

    def check(self, problem: Problem) -> None:
        refuse_drops(problem, "activation-entropy")

    def planned_tokens(self, problem: Problem) -> int:
        statistic = self._statistic(problem)
        return (statistic.passes(problem.sequence_length) * statistic.sequences).total_tokens

    def score(self, problem: Problem) -> Asking[Scores]:
        statistic = self._statistic(problem)
        label = f"output entropies on {statistic.sequences} sequences"
        samples = yield from sampled(statistic, 0, statistic.sequences, label, is_mean=True)
        return scores_of(problem.space, samples["changes"], lambda changes: np.abs(changes).sum(axis=1), UNIT)

    def _statistic(self, problem: Problem) -> EntropyChanges:
        changes, sequences = entries_of(problem.space), problem.sequences(self.tokens)
        return EntropyChanges(changes=changes, bins=self.bins, sequences=sequences)
