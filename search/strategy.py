"""What a strategy is: a generator that asks for evaluations and is told their losses.

A strategy is a function of its settings, its seed and what it was told. It keeps its state in its own local variables,
so replaying it is running it again: the store answers what was asked before, and the next question is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from compressors.measure import EntryErrors
from spaces.budget import Budget
from spaces.option import Quantize
from spaces.space import Levels, Space

STRATEGIES = {
    "uniform": "search.strategies.uniform:Uniform",
    "random": "search.strategies.random:Random",
    "evolution": "search.strategies.evolution:Evolution",
    "allocate": "search.strategies.allocate:Allocate",
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a strategy may know: no model, no database, no worker, no clock."""

    space: Space
    budget: Budget
    seed: int
    max_tokens: int  # the most an evaluation can read: the whole calibration stream
    errors: Callable[[str, Quantize], EntryErrors]  # of a layer's entry in the bank

    def holds(self, levels: Levels) -> bool:
        """Whether the configuration meets the budget, to the bit."""
        return self.budget.holds(self.space.measure(levels))

    def tokens(self, wanted: int) -> int:
        """``wanted`` tokens, or the whole stream where it is shorter."""
        return min(wanted, self.max_tokens)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """Candidates to be measured on the first ``tokens`` tokens of the stream."""

    candidates: tuple[Levels, ...]
    tokens: int
    label: str  # what a person watching reads: "generation 3 of 20"


Losses = list[np.ndarray]  # one array (sequences,) for each candidate asked, lower is better
Search = Generator[Ask, Losses, Levels]


class Strategy(Protocol):
    """Proposes configurations and learns from their evaluations. Settings are the fields of a frozen dataclass."""

    def check(self, problem: Problem) -> None:
        """Refuse a problem that this strategy cannot take, before any work.

        Raises:
            InputError: names what does not fit and the way out.
        """

    def fidelity(self, problem: Problem) -> int:
        """The tokens on which its final choice is made: the job's highest fidelity."""

    def planned_tokens(self, problem: Problem) -> int:
        """About how many tokens it will ask to be read in all; for the time left, not a promise."""

    def search(self, problem: Problem) -> Search:
        """Ask, be told, and return the answer, which meets the budget."""
