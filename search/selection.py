"""Multi-step selection: many candidates on little text, the survivors on more (Sieberling et al. 2024, section 3)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from search.strategy import Problem, Search, measured
from spaces.configuration import Configuration
from spaces.errors import InputError
from spaces.space import Levels

Fitness = Literal["float64", "float16"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Measure on ``tokens`` tokens and keep the best ``survivors``."""

    tokens: int
    survivors: int

    def __post_init__(self) -> None:
        if self.tokens < 1 or self.survivors < 1:
            raise InputError(
                f"a stage needs tokens and survivors of at least 1, got {self.tokens} and {self.survivors}"
            )


def check_stages(stages: Sequence[Stage]) -> None:
    """Refuse stages that do not narrow down to one.

    Raises:
        InputError: there is none, or the last keeps more than one, or a later stage reads less or keeps more.
    """
    if not stages or stages[-1].survivors != 1:
        kept = stages[-1].survivors if stages else 0
        raise InputError(
            f"stages must end with one survivor, got {kept}; end with, say, {{tokens: 16384, survivors: 1}}"
        )
    for before, after in itertools.pairwise(stages):
        if after.tokens < before.tokens or after.survivors > before.survivors:
            raise InputError(
                f"stages must read more and keep fewer as they go on, got {before.tokens} tokens -> {before.survivors} "
                f"before {after.tokens} -> {after.survivors}; order them by tokens"
            )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a selection reads, and how exactly it compares.

    The text of every stage begins where the calibration text does, so that a longer stage goes on from a shorter one
    and whoever comes back is known. With ``draw`` each stage reads a window of its own, drawn anew, and nothing is
    ever known. ``fitness`` is what the mean loss is rounded to.
    """

    draw: np.random.Generator | None = None
    fitness: Fitness = "float64"

    def first(self, problem: Problem, tokens: int) -> int:
        """The sequence where a stage of so many tokens begins."""
        if self.draw is None:
            return 0
        return int(self.draw.integers(problem.sequences(problem.max_tokens) - problem.sequences(tokens) + 1))

    def rank(self, losses: np.ndarray) -> float:
        return float(np.dtype(self.fitness).type(losses.mean()))


def select(
    candidates: Sequence[Levels],
    stages: Sequence[Stage],
    problem: Problem,
    label: str,
    *,
    parent: Levels | None = None,
    reading: Reading = Reading(),
) -> Search:
    """The best candidate after all stages.

    ``parent`` joins at every stage that keeps as many as the last one does, so that it is only replaced by a candidate
    that beat it on the most text (EvoPress' elitism). The earlier of two equal candidates wins, the parent first.
    """
    pool = distinct(candidates, problem)
    for stage in stages:
        if parent is not None and stage.survivors == stages[-1].survivors:
            pool = distinct([parent, *pool], problem)
        tokens = problem.tokens(stage.tokens)
        first = reading.first(problem, tokens)
        losses = yield from measured(tuple(pool), tokens, label, first=first, incumbent=parent)
        order = sorted(range(len(pool)), key=lambda index: (reading.rank(losses[index]), index))
        pool = [pool[index] for index in order[: stage.survivors]]
    return pool[0]


def distinct(candidates: Sequence[Levels], problem: Problem) -> list[Levels]:
    """The first of each configuration: levels that differ only inside a dropped part are the same one."""
    first: dict[Configuration, Levels] = {}
    for levels in candidates:
        first.setdefault(problem.space.configure(levels), levels)
    return list(first.values())


def stage_tokens(num_candidates: int, stages: Sequence[Stage], problem: Problem, *, has_parent: bool = False) -> int:
    """Tokens that one selection among different candidates asks to be read, the parent's among them."""
    total, alive = 0, num_candidates
    for stage in stages:
        alive += has_parent and stage.survivors == stages[-1].survivors
        total += alive * problem.tokens(stage.tokens)
        alive = min(alive, stage.survivors)
    return total
