"""Greedy allocation: from the smallest configuration upward, always the change that saves most for its size."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np

from search.scores.score import Scores
from search.solvers.decisions import check_one_limit, make_decisions
from search.solvers.relaxation import Choices, Indices
from search.strategy import Problem, Search, check_budget_alone

Move = tuple[float, int, int]  # score saved for each bit, negated; the family; its new choice


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """A baseline of the literature, never better than ``knapsack`` on the same score.

    From the smallest option of every unit on: of all changes of one unit to a larger option that still fit the budget,
    the one that lowers the total score most for each bit, until none fits. A droppable part and all that lies in it
    count as one unit.
    """

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "solver greedy")
        check_one_limit(problem, "solver greedy")

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def solve(self, problem: Problem, scores: Scores) -> Search:
        yield from ()
        (limit,) = problem.budget.limits
        decisions = make_decisions(problem.space, scores.costs, limit.measure)
        decisions.check_fit(limit)
        room = limit.limit - decisions.size(decisions.smallest)
        return decisions.levels(_climb(decisions.choices, room))


def _climb(choices: Choices, room: int) -> Indices:
    """Take the steepest move that fits, until none does; ``room`` is what the lightest choices leave."""
    picks = choices.lightest
    ends = np.append(picks[1:], len(choices.item))

    def steepest(family: int) -> list[Move]:
        """The family's best move that fits, if any. Choices that come later are all heavier and cheaper."""
        now, end = picks[family], ends[family]
        gained = choices.weight[now + 1 : end] - choices.weight[now]
        gained = gained[: np.searchsorted(gained, room, side="right")]
        if not gained.size:
            return []
        slopes = (choices.value[now] - choices.value[now + 1 : now + 1 + len(gained)]) / gained
        best = int(slopes.argmax())
        return [(-float(slopes[best]), family, int(now) + 1 + best)]

    moves = [move for family in range(len(picks)) for move in steepest(family)]
    heapify(moves)
    while moves:
        _, family, choice = heappop(moves)
        gain = int(choices.weight[choice] - choices.weight[picks[family]])
        if gain <= room:
            picks[family] = choice
            room -= gain
        for move in steepest(family):  # the next, or where this one no longer fits, a smaller one
            heappush(moves, move)
    return picks
