"""Another budget from a finished job's stored scores: no forward pass, unless the answer is to be measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search.engine.answers import Recorded, drive
from search.engine.plan import Plan
from search.engine.progress import Watch
from search.engine.run import run_job
from search.fronts import SharesBudgets, middle
from search.report import Outcome
from search.scores.errors import OutputError
from search.scores.score import Score
from search.solvers.solver import Solver
from search.strategies.allocate import Allocate
from search.strategies.evolution import Evolution
from search.strategies.trust_region import TrustRegion
from search.strategy import FINAL_TOKENS, Problem, Search, Strategy
from spaces.budget import Budget
from spaces.budgets import nearest_budget
from spaces.errors import InputError, JobError
from spaces.space import Levels
from store.store import Store


@dataclass(frozen=True, kw_only=True)
class Resolve:
    """The score of a finished job, as it was asked for there, and a solver under another budget."""

    score: Score
    solver: Solver
    scored: Problem  # the finished job's: some scores measure around its budget

    def check(self, problem: Problem) -> None:
        self.score.check(self.scored)
        self.solver.check(problem)

    def fidelity(self, problem: Problem) -> int:
        return problem.tokens(FINAL_TOKENS)

    def planned_tokens(self, problem: Problem) -> int:
        return self.score.planned_tokens(self.scored) + self.solver.planned_tokens(problem)

    def search(self, problem: Problem) -> Search:
        scores = yield from self.score.score(self.scored)
        return (yield from self.solver.solve(problem, scores))


def score_of(strategy: Strategy, problem: Problem) -> Score:
    """The score that a strategy begins with; output-error, which every bank has, for one that computes none."""
    match strategy:
        case Allocate():
            return strategy.score
        case TrustRegion():
            return strategy.first_score(problem)
        case Evolution(start=Allocate() | TrustRegion() as start):
            return score_of(start, problem)
        case _:
            return OutputError()


def scored_problem(plan: Plan, budget: Budget) -> Problem:
    """Of a job's problems the one whose scores serve ``budget``: the middle one, or the nearest if each has its own."""
    if isinstance(plan.strategy, SharesBudgets):
        return middle(plan.problems)
    return plan.problems[nearest_budget(budget, [each.budget for each in plan.problems])]


def resolve(plan: Plan, problem: Problem, strategy: Resolve, store: Store) -> Levels:
    """The solver's answer, from what the store and the bank hold.

    Raises:
        InputError: something that it needs was not measured before.
    """
    recorded = Recorded(store, plan.context("calibration"), plan.problem.space, plan.spec.objective)
    try:
        return drive(strategy.search(problem), recorded.answer)
    except JobError as error:  # the bank has lost entries, or the solver found nothing
        raise InputError(f"{error}; run the job again, or add --measure") from error


def resolve_and_measure(plan: Plan, problem: Problem, strategy: Resolve, store: Store, watch: Watch) -> Outcome:
    """The same, measured and validated beside the plain choices, as a job does with what it found."""
    spec = plan.spec.model_copy(update={"front_points": 0, "strategy": "solve"})
    return run_job(replace(plan, problem=problem, strategy=strategy, spec=spec), store, watch)
