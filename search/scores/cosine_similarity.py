"""The score for drops: how little a part turns the residual stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.sensitivity.similarity import ResidualTurns
from search.report import standard_error
from search.scores.drops import open_drops
from search.scores.entries import check_tokens
from search.scores.score import Scores
from search.strategy import Asking, Problem, sampled
from spaces.errors import InputError
from spaces.option import DROP, Banked


@dataclass(frozen=True, kw_only=True)
class CosineSimilarity:
    """1 - mean over tokens of cos(x, y): the cost of dropping what takes the residual stream from x to y.

    For blocks it is the block influence of ShortGPT (Men et al. 2024, arXiv 2403.03853); for an attention or an MLP
    that of LLM-Drop (He et al. 2024, arXiv 2406.15786), where the norm counts as part of the branch. Both drop the
    parts of least influence in one shot, as this score does with any solver; their parts are of one kind, and those of
    attentions and MLPs compare on one scale here because the stream is the same. Where attention and MLP run in
    parallel, both start from the block's input. Not a prediction of KL, and blind to what later parts make of the turn.

    Cost: a forward pass over ``tokens``, and once more every block's attention and MLP apart.
    """

    tokens: int = 2048

    def __post_init__(self) -> None:
        check_tokens(self.tokens)

    def check(self, problem: Problem) -> None:
        for unit in problem.space.units:
            quantized = [option for option in unit.options if isinstance(option, Banked)]
            if quantized and len(unit.options) > 1:
                layer = problem.space.layers[unit.layers[0]].name
                raise InputError(
                    f"score cosine-similarity has a number for drops alone, not for {quantized[0].slug}, an option of "
                    f"{layer}; use score fisher or measured-kl"
                )

        parts = {part.name: part for part in problem.space.anatomy.parts}
        for name in open_drops(problem.space):
            beside = [each.name for each in parts.values() if each.inside and each.block == parts[name].block]
            if parts[name].inside and len(beside) < 2:
                raise InputError(
                    f"score cosine-similarity tells {name} from the rest of its block by the block's attention and "
                    f"MLP, and found no other than {name}; use score measured-kl, or drop whole blocks"
                )

    def planned_tokens(self, problem: Problem) -> int:
        statistic = self._statistic(problem)
        return (statistic.passes(problem.sequence_length) * statistic.sequences).total_tokens

    def score(self, problem: Problem) -> Asking[Scores]:
        statistic = self._statistic(problem)
        label = f"residual streams of {statistic.sequences} sequences"
        samples = yield from sampled(statistic, 0, statistic.sequences, label, is_mean=True)
        places = {part: place for place, part in enumerate(statistic.parts)}
        costs, errors = ([np.zeros(len(unit.options)) for unit in problem.space.units] for _ in range(2))
        for number, unit in enumerate(problem.space.units):
            part = problem.space.layers[unit.layers[0]].name
            if part in places:
                distances = samples["distances"][:, places[part]]
                costs[number][unit.options.index(DROP)] = distances.mean()
                errors[number][unit.options.index(DROP)] = standard_error(distances)
        return Scores(costs=costs, errors=errors, unit="1 - cosine similarity")

    def _statistic(self, problem: Problem) -> ResidualTurns:
        return ResidualTurns(parts=tuple(open_drops(problem.space)), sequences=problem.sequences(self.tokens))
