"""Another budget from a job's stored scores: what ``layerpress solve`` and the service's ``:solve`` share."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from search.engine.draft import in_nats
from search.engine.plan import Plan
from search.engine.resolve import Resolve, resolve, score_of, scored_problem
from search.report import describe
from search.scores.score import Score, Scores, name_of_score
from search.settings import make_score, make_solver
from search.strategy import Asking, Problem
from service.outputs import source_hashes
from spaces.budget import make_budget
from spaces.budgets import show_budgets
from spaces.configuration import Configuration
from spaces.errors import InputError
from store.store import Store


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked of a finished job."""

    budget: Mapping[str, Any]  # empty: the job's own
    score: str | None = None  # None: the job's own
    solver: str = "knapsack"
    max_loss: float | None = None  # as people quote it: the smallest configuration that stays under it

    def __post_init__(self) -> None:
        if self.max_loss is not None and not self.max_loss > 0:
            raise InputError(f"max_loss must be above 0, got {self.max_loss:g}; write, say, 0.05")


@dataclass(frozen=True, kw_only=True)
class Posed:
    """The same as a problem and what solves it."""

    problem: Problem
    strategy: Resolve
    budget: dict[str, Any]  # as it was asked for
    method: dict[str, str]  # the names of score and solver


@dataclass(frozen=True, kw_only=True)
class Solved:
    """A configuration from stored scores: it is exact in size, and its loss is predicted, not measured."""

    configuration: Configuration
    predicted: float
    unit: str  # of the prediction
    content: dict[str, Any]  # as JSON shows it


def check_same(plan: Plan, hashes: Mapping[str, str], where: str) -> None:
    """Refuse a model or a text that changed: scores of other weights or another text say nothing of these.

    Raises:
        InputError: names what changed since the job ran.
    """
    changed = [name for name, key in source_hashes(plan).items() if hashes.get(name) != key]
    if changed:
        raise InputError(f"the {' and '.join(changed)} of {where} have changed since that run; run the job again")


def pose(plan: Plan, wanted: Wanted, where: str) -> Posed:
    """The problem that is wanted, checked before any work.

    Raises:
        InputError: the budget cannot be met, or the score or solver cannot take it.
    """
    problem, budget = _problem(plan, wanted, where)
    scored = scored_problem(plan, problem.budget)
    score = score_of(plan.strategy, scored) if wanted.score is None else make_score(wanted.score)
    strategy = Resolve(score=score, solver=make_solver(wanted.solver), scored=scored)
    strategy.check(problem)
    method = {"score": name_of_score(score), "solver": wanted.solver}
    return Posed(problem=problem, strategy=strategy, budget=budget, method=method)


def solve_stored(plan: Plan, posed: Posed, store: Store) -> Solved:
    """The solver's answer from what the store and the bank hold, without a forward pass.

    Raises:
        InputError: something that it needs was not measured before.
    """
    begun = time.perf_counter()
    space, heard = plan.problem.space, _Heard(posed.strategy.score)
    levels = resolve(plan, posed.problem, replace(posed.strategy, score=heard), store)
    configuration = space.configure(levels)
    content = {
        "model": plan.spec.model,
        "budget": posed.budget,
        **posed.method,
        "answer": describe(f"{posed.method['score']} x {posed.method['solver']}", configuration, space),
        "configuration": {name: option.slug for name, option in configuration.options},
        "evaluations": {"computed": 0},
        "seconds": {"prepare": plan.seconds, "solve": round(time.perf_counter() - begun, 3)},
    }
    predicted = heard.scores[-1].predict(space, levels)
    return Solved(configuration=configuration, predicted=predicted, unit=heard.scores[-1].unit, content=content)


class _Heard:
    """A score that also keeps what it says."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self.scores: list[Scores] = []

    def check(self, problem: Problem) -> None:
        self._score.check(problem)

    def planned_tokens(self, problem: Problem) -> int:
        return self._score.planned_tokens(problem)

    def score(self, problem: Problem) -> Asking[Scores]:
        scores = yield from self._score.score(problem)
        self.scores.append(scores)
        return scores


def _problem(plan: Plan, wanted: Wanted, where: str) -> tuple[Problem, dict[str, Any]]:
    """The new problem; without a budget, the smallest size under a loss is looked for up to the dense model's."""
    budget, space, rules = dict(wanted.budget or plan.spec.budget), plan.problem.space, plan.problem.constraints
    if not wanted.budget and plan.budgets and wanted.max_loss is None:
        raise InputError(
            f"{where} has answers at {show_budgets(str(plan.spec.front_limit), plan.budgets)}; "
            f"name another budget: {plan.spec.front_limit}=VALUE"
        )
    if wanted.max_loss is None:
        return replace(plan.problem, budget=make_budget(budget, space, rules)), budget
    if not wanted.budget:
        budget = {"size": space.kept_measures.size_bytes}
    max_loss = in_nats(wanted.max_loss, plan.spec.objective)
    return replace(plan.problem, budget=make_budget(budget, space, rules), max_loss=max_loss), budget
