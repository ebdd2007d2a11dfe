"""Small real spaces of every kind, random scores for them, and what brute force makes of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from hypothesis import strategies as st
from synthetic_search import all_levels, hidden_units, make_problem, quantize, tiny_space

from search.engine.answers import drive
from search.scores.score import Scores
from search.solvers.solver import Solver
from search.strategy import Asking, Problem, Question
from spaces.budget import Budget, Limit, extremes
from spaces.option import DROP, parse_option
from spaces.space import Levels, Space
from spaces.spec import DropSpec

EVERY_PART = DropSpec(parts=("attention", "mlp", "block"))
SPACES: dict[str, Callable[[], Space]] = {
    "weights": lambda: tiny_space(1, quantize(2, 3, 4, layers=["*.q_proj", "*.k_proj", "*.v_proj", "*.down_proj"])),
    "two options": lambda: tiny_space(2, quantize(2, layers=["*.q_proj", "*.k_proj", "*.down_proj"])),
    "ties": lambda: tiny_space(1, quantize(2, 3, 4), ties="vllm", exclude=("*.o_proj",)),
    "pins": lambda: tiny_space(
        1, quantize(2, 4, layers=["*attn*"]), pin={"*.k_proj": parse_option("rtn-int3-g32-asym")}
    ),
    "parts": lambda: tiny_space(2, EVERY_PART),
    "nested": lambda: tiny_space(1, EVERY_PART, quantize(2, 4, layers=["*.q_proj", "*.k_proj", "*.down_proj"])),
    "pinned drop": lambda: tiny_space(
        1,
        EVERY_PART,
        quantize(2, 4, layers=["*.q_proj", "*.up_proj"]),
        pin={"*.self_attn": DROP, "*.k_proj": parse_option("rtn-int8-g32-asym")},
    ),
}


@cache
def space_named(name: str) -> Space:
    return SPACES[name]()


@cache
def sizes_of(name: str, measure: str) -> tuple[int, ...]:
    """Of every configuration, in the order of ``all_levels``."""
    space = space_named(name)
    return tuple(int(getattr(space.measure(levels), measure)) for levels in all_levels(space))


def limit_on(measure: str, value: int) -> Limit:
    names = {"stored_bits": "size", "nominal_bits": "nominal_bits_per_weight", "attentions": "dropped_attentions"}
    return Limit(name=names.get(measure, measure), measure=measure, limit=value, written=f"{value} bits")


def problem_of(space: Space, *limits: Limit) -> Problem:
    return make_problem(space, Budget(limits=limits))


def cost_of(space: Space, costs: list[np.ndarray], levels: Levels) -> float:
    """The sum over the units that are there: what lies in a dropped part costs nothing."""
    return float(sum(shown_costs(space, costs, levels)))


def shown_costs(space: Space, costs: list[np.ndarray], levels: Levels) -> list[float]:
    hidden = hidden_units(space, levels)
    return [float(costs[n][level]) for n, level in enumerate(levels) if n not in hidden]


def open_levels(problem: Problem, costs: list[np.ndarray]) -> Iterator[Levels]:
    """The configurations that the problem and the costs leave open."""
    for levels in all_levels(problem.space):
        if np.isfinite(cost_of(problem.space, costs, levels)) and problem.holds(levels):
            yield levels


@st.composite
def cost_tables(draw: st.DrawFn, space: Space, *, closed: bool = False) -> list[np.ndarray]:
    """Small whole numbers, so that ties are frequent; some negative, as measured scores may be; some infinite."""
    number = st.integers(-2, 9).map(float)
    option = st.one_of(number, number, number, st.just(np.inf)) if closed else number
    return [np.array([draw(option) for _ in unit.options]) for unit in space.units]


@st.composite
def limits(draw: st.DrawFn, space: Space, measure: str) -> Limit:
    """Anything from the smallest to the largest value."""
    low, high = extremes(space, measure)
    return limit_on(measure, draw(st.integers(low, high)))


def answer_of(solver: Solver, problem: Problem, costs: list[np.ndarray]) -> Levels:
    """What a solver that asks nothing picks; checked first, as a job does."""
    solver.check(problem)

    def refuse(question: Question) -> list[np.ndarray]:
        raise AssertionError(f"asked {question}")

    return drive(solver.solve(problem, Scores(costs=costs)), refuse)


@dataclass(frozen=True, kw_only=True)
class Known:
    """A score that is there already."""

    scores: Scores

    def check(self, problem: Problem) -> None:
        pass

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def score(self, problem: Problem) -> Asking[Scores]:
        yield from ()
        return self.scores
