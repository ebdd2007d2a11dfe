"""What a strategy is: a generator that asks for measurements and is told them.

A strategy is a function of its settings, its seed and what it was told. It keeps its state in its own local variables,
so replaying it is running it again: the store answers what was asked before, and the next question is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from compressors.measure import EntryErrors
from evaluators.statistic import Samples, Statistic
from evaluators.tasks import Benchmark
from spaces.budget import Budget
from spaces.configuration import Configuration
from spaces.constraints import Constraint
from spaces.errors import InputError
from spaces.option import Banked
from spaces.space import Levels, Space

STRATEGIES = {
    "uniform": "search.strategies.uniform:Uniform",
    "random": "search.strategies.random:Random",
    "evolution": "search.strategies.evolution:Evolution",
    "allocate": "search.strategies.allocate:Allocate",
    "trust-region": "search.strategies.trust_region:TrustRegion",
    "nsga2": "search.strategies.samplers:Nsga2",
    "nsga3": "search.strategies.samplers:Nsga3",
    "tpe": "search.strategies.samplers:Tpe",
    "gp": "search.strategies.samplers:Gp",
    "qmc": "search.strategies.samplers:Qmc",
    "surrogate": "search.strategies.surrogate:Surrogate",
}


FINAL_TOKENS = 16_384  # what a strategy that compares nothing at the end has its answer and the front measured on


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a strategy may know: no model, no database, no worker, no clock."""

    space: Space
    budget: Budget
    seed: int
    max_tokens: int  # the most an evaluation can read: the whole calibration stream
    errors: Callable[[str, Banked], EntryErrors]  # of a layer's entry in the bank
    constraints: tuple[Constraint, ...] = ()  # hold beside the budget
    max_loss: float | None = None  # if given, the smallest configuration is wanted whose loss stays under it
    sequence_length: int = 512  # of the calibration stream
    dtype: str = "float32"  # of the model's forward pass
    tasks: Mapping[str, Benchmark] = field(default_factory=dict)  # of the job, by name

    def holds(self, levels: Levels) -> bool:
        """Whether the configuration meets the budget, to the bit, and every constraint."""
        return self.budget.holds(self.space.measure(levels)) and all(
            constraint.holds(self.space, levels) for constraint in self.constraints
        )

    def tokens(self, wanted: int) -> int:
        """``wanted`` tokens, or the whole stream where it is shorter."""
        return min(wanted, self.max_tokens)

    def sequences(self, wanted: int) -> int:
        """Whole sequences that hold ``wanted`` tokens, as far as the stream goes: at least one."""
        return -(-self.tokens(wanted) // self.sequence_length)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """Candidates to be measured on ``tokens`` tokens of the stream, from its sequence ``first`` on."""

    candidates: tuple[Levels, ...]
    tokens: int
    label: str  # what a person watching reads: "generation 3 of 20"
    first: int = 0  # 0 unless a strategy wants text that nobody has read: measured anew, extends nothing
    incumbent: Levels | None = None  # what the strategy would answer if it were stopped now


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Samples ``start`` to ``stop`` of a statistic; of a mean over them the first tell what all will, less surely."""

    statistic: Statistic
    start: int
    stop: int
    label: str
    is_mean: bool = False  # whether who asks takes their mean
    incumbent: Levels | None = None  # as of ``Ask``


T = TypeVar("T")
Losses: TypeAlias = list[np.ndarray]  # one array (sequences,) for each candidate asked, lower is better
Question: TypeAlias = Ask | Estimate  # answered with Losses and with Samples
Asking: TypeAlias = Generator[Question, Any, T]
Search: TypeAlias = Asking[Levels]


def measured(
    candidates: tuple[Levels, ...], tokens: int, label: str, *, first: int = 0, incumbent: Levels | None = None
) -> Asking[Losses]:
    """Ask for the losses of ``candidates``; to be used with ``yield from``, which keeps the type."""
    losses: Losses = yield Ask(candidates=candidates, tokens=tokens, label=label, first=first, incumbent=incumbent)
    return losses


def sampled(statistic: Statistic, start: int, stop: int, label: str, *, is_mean: bool = False) -> Asking[Samples]:
    """Ask for samples of a statistic; to be used with ``yield from``, which keeps the type."""
    samples: Samples = yield Estimate(statistic=statistic, start=start, stop=stop, label=label, is_mean=is_mean)
    return samples


def whole_task(task: Benchmark, configuration: Configuration, label: str) -> Estimate:
    """The question whose samples ``task.errors`` turns into a configuration's errors on all documents."""
    return Estimate(statistic=task.statistic(configuration), start=0, stop=task.requests.num_samples, label=label)


def errors_on(task: Benchmark, configuration: Configuration, label: str) -> Asking[np.ndarray]:
    """Ask for a configuration's errors on a task, float64 (documents,); to be used with ``yield from``."""
    samples: Samples = yield whole_task(task, configuration, label)
    return task.errors(samples)


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
        """About how many tokens it will ask to be read in all, forward and backward; for the time left, no promise."""

    def search(self, problem: Problem) -> Search:
        """Ask, be told, and return the answer, which meets the budget."""


def check_budget_alone(problem: Problem, asker: str, *, takes: tuple[str, ...] = ()) -> None:
    """Refuse constraints and a largest loss, but for those that ``asker`` ``takes``: "constraints", "max_loss".

    Raises:
        InputError: names the key of the job, and the solver that takes it.
    """
    if problem.constraints and "constraints" not in takes:
        raise InputError(
            f"constraints are held by the solver integer-program, not by {asker}, got {len(problem.constraints)}; "
            f"write strategy: {{name: allocate, solver: integer-program}}, or leave constraints out"
        )
    if problem.max_loss is not None and "max_loss" not in takes:
        raise InputError(
            f"max_loss asks for the smallest size, which {asker} does not look for, got {problem.max_loss}; "
            f"write strategy: {{name: allocate, solver: bisection}}, or leave max_loss out"
        )
