"""EvoPress: evolution by level switches with multi-step selection (Sieberling et al. 2024, arXiv:2410.14649)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from search.baselines import baselines, best_uniform, uniform_above
from search.mutation import GROUPS, Groups, children
from search.repair import draw, lower_until_it_holds
from search.selection import Fitness, Reading, Stage, check_stages, select, stage_tokens
from search.strategy import Problem, Search, Strategy, check_budget_alone
from spaces.errors import InputError
from spaces.space import Levels
from spaces.tables import check_name

START_ROUND = 0  # the random stream of the start; generation g draws from stream g
DROPPED = "dropped_"  # budgets that say how many parts to drop
TEXT_STREAM = 1  # what the windows of fresh text are drawn from, apart from what draws the children

Text = Literal["nested", "fresh"]


@dataclass(frozen=True, kw_only=True)
class UniformStart:
    """The uniform choices that use the whole budget; without one, the best of ``samples`` random lowerings.

    The lowerings start from the smallest uniform choice above the budget; the plain choice below it competes as well.
    So EvoPress starts at integer and at fractional bit-widths.
    """

    samples: int = 32

    def __post_init__(self) -> None:
        _check_samples(self.samples)

    def num_candidates(self, problem: Problem) -> int:
        return len(_exact(problem)) or self.samples + 1

    def candidates(self, problem: Problem, rng: np.random.Generator) -> list[Levels]:
        exact = _exact(problem)
        if exact:
            return exact
        below, above = best_uniform(problem), uniform_above(problem)
        lowered = [lower_until_it_holds(above, problem, rng) for _ in range(self.samples)]
        return lowered if below is None else [below, *lowered]


@dataclass(frozen=True, kw_only=True)
class RandomStart:
    """The best of ``samples`` random configurations, as EvoPress starts when it drops."""

    samples: int = 64

    def __post_init__(self) -> None:
        _check_samples(self.samples)

    def num_candidates(self, problem: Problem) -> int:
        return self.samples

    def candidates(self, problem: Problem, rng: np.random.Generator) -> list[Levels]:
        return [draw(problem, rng) for _ in range(self.samples)]


def _check_samples(samples: int) -> None:
    if samples < 1:
        raise InputError(f"samples must be at least 1, got {samples}")


def _exact(problem: Problem) -> list[Levels]:
    """The plain choices that leave nothing of any limit."""

    def is_exact(levels: Levels) -> bool:
        measures = problem.space.measure(levels)
        return all(int(getattr(measures, limit.measure)) == limit.limit for limit in problem.budget.limits)

    return [each.levels for each in baselines(problem) if is_exact(each.levels)]


@dataclass(frozen=True, kw_only=True)
class Evolution:
    """One parent; each generation its children compete by stages, and the best replaces it if it beats it.

    ``groups`` says which units may trade levels: those of equal size (EvoPress' default), of equal last name, or all
    under the one budget. ``generations`` None is EvoPress' rule for dropping, k (n - k) / 1.5 with k of n dropped.

    Departs from the released code in two ways: the text of a stage is a nested prefix of one fixed stream, not a fresh
    draw, so that evaluations are cached and comparable; and fitness is not rounded to float16, as the released code's
    KL is. ``text`` fresh and ``fitness`` float16 take both back: each stage then reads a window of its own of the
    calibration text, the same for all its candidates, and measures the parent again.
    """

    generations: int | None = 150
    offspring: int = 128
    stages: tuple[Stage, ...] = (
        Stage(tokens=2048, survivors=16),
        Stage(tokens=16384, survivors=4),
        Stage(tokens=131072, survivors=1),
    )
    groups: Groups = "equal-size"
    start: UniformStart | RandomStart | Strategy = UniformStart()
    text: Text = "nested"
    fitness: Fitness = "float64"

    def __post_init__(self) -> None:
        check_stages(self.stages)
        check_name(self.groups, GROUPS, "grouping")
        if self.offspring < 1:
            raise InputError(f"offspring must be at least 1, got {self.offspring}")
        if self.generations is not None and self.generations < 0:
            raise InputError(f"generations must be at least 0, got {self.generations}; 0 returns the start")

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "strategy evolution")
        if not isinstance(self.start, UniformStart | RandomStart):
            self.start.check(problem)
        self.num_generations(problem)

    def num_generations(self, problem: Problem) -> int:
        """``generations``, or EvoPress' number for dropping k of n.

        Raises:
            InputError: it is left open and the budget does not say how many parts to drop.
        """
        if self.generations is not None:
            return self.generations
        kinds = [limit.measure.removesuffix("s") for limit in problem.budget.limits if limit.name.startswith(DROPPED)]
        if not kinds:
            raise InputError(
                "generations can be left open only when the budget is a number of dropped parts, "
                f"got {problem.budget}; give strategy.generations"
            )
        return max(1, *(_generations_to_drop(kind, problem) for kind in kinds))

    def fidelity(self, problem: Problem) -> int:
        return problem.tokens(self.stages[-1].tokens)

    def planned_tokens(self, problem: Problem) -> int:
        each = stage_tokens(self.offspring, self.stages, problem, has_parent=True)
        if isinstance(self.start, UniformStart | RandomStart):
            start = self.start.num_candidates(problem) * problem.tokens(self.stages[0].tokens)
        else:
            start = self.start.planned_tokens(problem)
        return start + each * self.num_generations(problem)

    def search(self, problem: Problem) -> Search:
        parent = yield from self._start(problem)
        total = self.num_generations(problem)
        for generation in range(1, total + 1):
            rng = np.random.default_rng([problem.seed, generation])
            offspring = children(parent, self.offspring, self.groups, problem, rng)
            if not offspring:
                break  # no other configuration can be reached
            label = f"generation {generation} of {total}"
            reading = self._reading(problem, generation)
            parent = yield from select(offspring, self.stages, problem, label, parent=parent, reading=reading)
        return parent

    def _start(self, problem: Problem) -> Search:
        if not isinstance(self.start, UniformStart | RandomStart):
            return (yield from self.start.search(problem))
        rng = np.random.default_rng([problem.seed, START_ROUND])
        candidates = self.start.candidates(problem, rng)
        first = [replace(self.stages[0], survivors=1)]
        label = f"{len(candidates)} starting points"
        return (yield from select(candidates, first, problem, label, reading=self._reading(problem, START_ROUND)))

    def _reading(self, problem: Problem, number: int) -> Reading:
        rng = np.random.default_rng([problem.seed, number, TEXT_STREAM]) if self.text == "fresh" else None
        return Reading(draw=rng, fitness=self.fitness)


def _generations_to_drop(kind: str, problem: Problem) -> int:
    """k (n - k) / 1.5 for k of the model's n attentions or MLPs, rounded down as EvoPress' scripts do."""
    limit = next(limit for limit in problem.budget.limits if limit.measure == f"{kind}s")
    total = sum(layer.part == kind for layer in problem.space.anatomy.parts)
    return 2 * limit.limit * (total - limit.limit) // 3


def _stages(*pairs: tuple[int, int]) -> list[dict[str, int]]:
    return [{"tokens": tokens, "survivors": survivors} for tokens, survivors in pairs]


# EvoPress' published settings (its paper's appendix and its repository's scripts), and ours for a few minutes' work;
# written as a job file writes them
PRESETS: dict[str, dict[str, Any]] = {
    "evopress-quantization": {
        "generations": 150,
        "offspring": 128,
        "stages": _stages((2048, 16), (16384, 4), (131072, 1)),
        "start": {"name": "uniform", "samples": 32},
    },
    "evopress-sparsity": {
        "generations": 400,
        "offspring": 64,
        "stages": _stages((2048, 8), (16384, 2), (65536, 1)),
    },
    "evopress-drop": {
        "generations": None,
        "offspring": 32,
        "stages": _stages((2048, 2), (32768, 1)),
        "start": {"name": "random", "samples": 64},
    },
    "evopress-super-fast": {"generations": 400, "offspring": 16, "stages": _stages((512, 1), (8192, 1))},
    "quick": {
        "generations": 6,
        "offspring": 12,
        "stages": _stages((2048, 3), (16384, 1)),
        "groups": "global",
    },
}
