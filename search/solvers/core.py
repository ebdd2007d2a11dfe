"""The core of a multiple-choice knapsack: settles exactly what its linear relaxation leaves open.

Few items differ between the relaxed and the exact optimum. A list of partial answers grows by one such item at a time;
one goes when another is as light and as good, or when its bound shows that it leads to nothing better than the best
answer known. Pisinger 1995, "A minimal algorithm for the multiple-choice knapsack problem", is the reference.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.solvers.relaxation import Choices, Indices, Numbers, Relaxation

logger = logging.getLogger(__name__)

# States grown in all of one pass. Most problems need a thousandth of the first; on hard ones the first finds a better
# answer, which makes the second far smaller. The second is at most some seconds and a gigabyte.
PASS_STATES = (2_000_000, 24_000_000)
MIN_WIDTH = 64  # states that a thinned list keeps in any case


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One item of the core. Its moves are differences from its base choice, which is one of them.

    The items after it lose at most ``gain`` of value per weight added, and pay at least ``shed`` per weight taken off.
    """

    item: int
    choice: Indices  # (moves,), into the choices
    weight: Numbers  # (moves,)
    value: Numbers  # (moves,)
    charge: NDArray[np.float64]  # (moves,), value + price * weight, never under 0
    gain: float  # at most the price
    shed: float  # at least the price


@dataclass(frozen=True, kw_only=True)
class States:
    """Partial answers with all later items at base, as differences from base: weights rise and values fall."""

    weight: Numbers  # (states,)
    value: Numbers  # (states,)
    bound: NDArray[np.float64]  # (states,), no completion has a lower value
    code: Indices  # (states,), parent * moves + move

    def at(self, index: Indices | slice) -> States:
        return States(
            weight=self.weight[index], value=self.value[index], bound=self.bound[index], code=self.code[index]
        )


def settle(
    choices: Choices,
    start: Relaxation,
    *,
    pass_states: Sequence[int] = PASS_STATES,
) -> Indices:  # (items,), into the choices
    """The choices of least value within the limit; of equal values the lightest; the same on every run.

    A list holds at most one state per distinct weight, and bounds leave few of them, unless values are all but
    proportional to weights and weights share no large divisor. For such problems nothing known is both exact and
    bounded (they are NP-hard): lists are thinned past ``pass_states``, the answer still meets the limit, and where it
    is not proven optimal nonetheless, a warning says how far from the optimum it may be.
    """
    answer = start.greedy
    for max_states in pass_states:
        search = Pass(choices, start, answer)
        search.run(max_states)
        answer = search.answer()
        if search.is_settled:
            return answer
    logger.warning(
        "knapsack of %d items not settled with %d states: the answer's value %.9g meets the limit and is at most "
        "%.3g above the optimum; sizes with a larger common divisor would settle it",
        *(len(answer), sum(pass_states), choices.value[answer].sum(), search.shortfall),
    )
    return answer


class Pass:
    """One run over the core, from a known answer to one at least as good."""

    def __init__(self, choices: Choices, start: Relaxation, known: Indices) -> None:
        base = start.base[choices.item]
        self.start = start
        self.known = known
        self.item = choices.item
        self.weight = choices.weight - choices.weight[base]
        self.value = choices.value - choices.value[base]
        self.best_weight = self.weight[known].sum().item()
        self.best_value = self.value[known].sum().item()
        self.best: tuple[int, int] | None = None  # stage and code of the best state, where it beats the known answer
        self.lowest_dropped = np.inf  # the lowest bound among the states that thinning dropped
        self.stages: list[Stage] = []
        self.codes: list[Indices] = []  # of the states kept before each stage

    @property
    def gap(self) -> float:
        """How far the best answer is above the relaxation's bound."""
        return float(self.best_value + self.start.price * self.start.slack)

    @property
    def shortfall(self) -> float:
        """How far the best answer may be above the optimum."""
        return float(min(self.gap, self.best_value - self.lowest_dropped))

    @property
    def is_tight(self) -> bool:
        """Whether the best answer reaches the relaxation's bound, so that nothing is left to find."""
        return self.gap <= self.start.tolerance

    @property
    def is_settled(self) -> bool:
        """Whether, after a run, no answer that was not seen can be better, nor as good and lighter."""
        return self.is_tight or self.shortfall < -self.start.tolerance

    def run(self, max_states: int) -> None:
        """Grow the list of states stage by stage, by about ``max_states`` in all."""
        if self.is_tight:
            return
        zero = np.zeros(1, dtype=np.int64)
        states = States(
            weight=zero.astype(self.weight.dtype), value=zero.astype(self.value.dtype), bound=np.zeros(1), code=zero
        )
        stages = self._core()
        share = max_states // (2 * len(stages))
        for stage in stages:
            if self.is_tight or not len(states.code):
                return
            states = self._thin(states, max(MIN_WIDTH, max(max_states // 4, share) // len(stage.choice)))
            max_states -= len(states.code) * len(stage.choice)
            self.stages.append(stage)
            self.codes.append(states.code)
            states = self._grow(states, stage)
            self._note_best(states)

    def answer(self) -> Indices:
        """The best choices found, followed back from their last stage."""
        if self.best is None:
            return self.known
        answer = self.start.base.copy()
        number, code = self.best
        for stage, codes in zip(self.stages[number::-1], self.codes[number::-1], strict=True):
            parent, move = divmod(code, len(stage.choice))
            answer[stage.item] = stage.choice[move]
            code = int(codes[parent])
        return answer

    def _core(self) -> list[Stage]:
        """The items with a move that may lie in a better answer, those whose slopes are nearest to the price first."""
        price = self.start.price
        charge = np.maximum(self.value + price * self.weight, 0)
        core = np.flatnonzero(charge <= self.gap + self.start.tolerance)  # base choices among them: they charge 0
        moves = core[self.weight[core] != 0]
        slope = -self.value[moves] / self.weight[moves]
        adds = self.weight[moves] > 0
        num_items = len(self.known)
        gain, shed, distance = np.zeros(num_items), np.full(num_items, np.inf), np.full(num_items, np.inf)
        np.maximum.at(gain, self.item[moves[adds]], slope[adds])
        np.minimum.at(shed, self.item[moves[~adds]], slope[~adds])
        np.minimum.at(distance, self.item[moves], np.abs(slope - price))
        order = np.argsort(distance, kind="stable")[: np.isfinite(distance).sum()]
        gains, sheds = _over_later(np.maximum, gain[order], 0.0), _over_later(np.minimum, shed[order], np.inf)
        first, last = np.searchsorted(self.item[core], [order, order + 1])
        return [
            Stage(
                item=int(item),
                choice=core[a:b],
                weight=self.weight[core[a:b]],
                value=self.value[core[a:b]],
                charge=charge[core[a:b]],
                gain=gain_after,
                shed=shed_after,
            )
            for item, a, b, gain_after, shed_after in zip(order, first, last, gains, sheds, strict=True)
        ]

    def _grow(self, states: States, stage: Stage) -> States:
        """Every state with every move, less those that cannot win."""
        moves = np.flatnonzero(stage.charge <= self.gap + self.start.tolerance)
        weight = np.add.outer(stage.weight[moves], states.weight).ravel()
        value = np.add.outer(stage.value[moves], states.value).ravel()
        over = weight - self.start.slack
        bound = value + over * np.where(over > 0, stage.shed, stage.gain)
        left = np.flatnonzero(bound <= self.best_value + self.start.tolerance)
        left = left[np.argsort(weight[left], kind="stable")]
        move, parent = np.divmod(left, len(states.code))
        code = parent * len(stage.choice) + moves[move]
        return _undominated(States(weight=weight[left], value=value[left], bound=bound[left], code=code))

    def _note_best(self, states: States) -> None:
        """Take over the heaviest state within the limit, which is the best, where it beats the best so far."""
        index = int(np.searchsorted(states.weight, self.start.slack, side="right")) - 1
        if index < 0:
            return
        value, weight = states.value[index].item(), states.weight[index].item()
        if (value, weight) < (self.best_value, self.best_weight):
            self.best_value, self.best_weight = value, weight
            self.best = (len(self.stages) - 1, int(states.code[index]))

    def _thin(self, states: States, width: int) -> States:
        """Keep one of each stretch of neighbours: of those with the lowest bound, the one nearest to the limit.

        Stretches keep weights of every kind, of which some combination fills the limit closely.
        """
        stretch = -(-len(states.code) // width)
        if stretch <= 1:
            return states
        padding = np.full(-len(states.code) % stretch, np.inf)
        bound = np.append(states.bound, padding).reshape(-1, stretch)
        distance = np.append(np.abs(states.weight - self.start.slack), padding).reshape(-1, stretch)
        lowest = bound.min(axis=1, keepdims=True)
        kept = np.where(bound <= lowest + self.start.tolerance, distance, np.inf).argmin(axis=1)
        rows = np.arange(len(bound))
        bound[rows, kept] = np.inf
        self.lowest_dropped = min(self.lowest_dropped, float(bound.min()))
        return states.at(rows * stretch + kept)


def _over_later(extreme: np.ufunc, slopes: NDArray[np.float64], none: float) -> NDArray[np.float64]:
    """For each place, the extreme of what comes after it; ``none`` for the last."""
    return np.append(extreme.accumulate(slopes[::-1])[::-1], none)[1:]


def _undominated(states: States) -> States:  # weights rising, perhaps with equals
    """Drop each state that another is as light as and as good as."""
    lowest = np.minimum.accumulate(states.value)
    falls = np.ones(len(lowest), dtype=np.bool_)
    falls[1:] = states.value[1:] < lowest[:-1]
    states = states.at(np.flatnonzero(falls))
    last = np.ones(len(states.weight), dtype=np.bool_)
    last[:-1] = states.weight[1:] != states.weight[:-1]
    return states.at(np.flatnonzero(last))
