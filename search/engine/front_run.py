"""Runs a job of several budgets as one search, and validates an answer at each of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from evaluators.dense import DenseLogits
from search.baselines import Baseline, baselines
from search.decision import decide
from search.engine.answers import drive
from search.engine.best_known import best_of_each
from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.progress import Watch
from search.engine.run import Run
from search.engine.session import Session
from search.engine.steering import FoundKind, Steering
from search.engine.worker import Text
from search.front import Bins
from search.front_report import AtBudget, FrontOutcome, write_front_verdict
from search.fronts import planned_front_tokens, search_front
from search.report import Measured
from search.settings import name_of
from search.strategy import Problem
from spaces.budgets import limit_named
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.feasibility import extremes
from store.store import Store


def run_front(plan: Plan, store: Store, watch: Watch, steering: Steering | None = None) -> FrontOutcome:
    """Do what a plan of several budgets says, as far as the store and the bank have not done it already.

    Raises:
        InputError, JobError, Halted: as ``run_job``.
    """
    pool = Pool(plan.worker_setup(), plan.spec.workers, steering=steering)
    try:
        return FrontRun(Session(plan, store, pool, watch, steering)).front()
    finally:
        pool.close()


class FrontRun(Run):
    """The steps of a job whose budget has several values: each is taken once, for all budgets together."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.problems = self.plan.problems
        self.limit = str(self.plan.spec.front_limit)
        self.bins: Bins[Configuration] = Bins(*extremes(self.space, "stored_bits"))

    def front(self) -> FrontOutcome:
        """The whole job."""
        session = self.session
        dense = session.materials(self.plan.entries())
        with session.phase("baselines"):
            plain = self._measure_baselines()
        with session.phase("search"):
            winners = self._unless_stopped(self._search_front, self._best_of_each)
        with session.phase("validation"):
            found, plain = self._validate_front(winners, plain)
        return self._finish_front(found, plain, dense)

    def _plain_choices(self) -> list[Baseline]:
        """Those of every budget, each once: with drops, a tighter budget has plain choices of its own."""
        everything = chain.from_iterable(map(baselines, self.problems))
        return list({self.space.configure(each.levels): each for each in everything}.values())

    def _search_front(self) -> list[Configuration]:
        """Run the strategy over all budgets: it asks, the store or the workers answer."""
        planned = planned_front_tokens(self.plan.strategy, self.problems)
        self.session.show(done=0, total=planned, unit="tokens")
        answers = drive(search_front(self.plan.strategy, self.problems), self.answer)
        for problem, levels in zip(self.problems, answers, strict=True):
            if not problem.holds(levels):  # promise 2, whatever a strategy does
                raise JobError(f"the strategy returned a configuration that breaks the budget ({problem.budget})")
        return [self.space.configure(levels) for levels in answers]

    def _best_of_each(self) -> list[Configuration]:
        found = best_of_each(self.problems, self.incumbent, self.measured.losses_by_levels(self.objective))
        return [self.space.configure(levels) for levels in found]

    def _validate_front(
        self, winners: Sequence[Configuration], plain: Sequence[Measured]
    ) -> tuple[list[Measured], list[Measured]]:
        """What was found at each budget, and the plain choices: measured once on text that the search never read."""
        name = name_of(self.plan.spec.strategy)
        names = {
            winner: f"{name} at {self._value(problem)}"
            for winner, problem in reversed(list(zip(winners, self.problems, strict=True)))
        }
        found = self._at_full(list(names), list(names.values()), "the answers")
        everything = {measured.configuration: measured for measured in [*found, *plain]}
        for measured in everything.values():  # an answer is shown as one, wherever the search met it first
            self.measured.rename(measured.configuration, measured.name)
        validated = self._on_unseen_text(list(everything.values()), "the answers and the plain choices on unseen text")
        validated = self._on_tasks(validated, self.plan.problem.tasks)
        unseen = {measured.configuration: measured for measured in validated}
        return [unseen[winner] for winner in winners], [unseen[measured.configuration] for measured in plain]

    def _finish_front(
        self, found: Sequence[Measured], plain: Sequence[Measured], dense: dict[Text, DenseLogits]
    ) -> FrontOutcome:
        """Promise 4 at each budget: what was found is the answer only if it beats all plain choices that fit."""
        answers = tuple(
            self._decided(problem, measured, plain) for problem, measured in zip(self.problems, found, strict=True)
        )
        self._herald.tell([at.answer for at in answers], "answer")
        return FrontOutcome(
            space=self.space,
            objective=self.objective,
            limit=self.limit,
            answers=answers,
            baselines=tuple(plain),
            evaluated=self.measured,
            front=self._front(),
            bins=self.bins,
            verdict=self._said(write_front_verdict(self.limit, answers, self.objective)),
            facts=self._facts(dense),
        )

    def _decided(self, problem: Problem, found: Measured, plain: Sequence[Measured]) -> AtBudget:
        fitting = [each for each in plain if problem.holds(self.space.levels(each.configuration))]
        answer, verdict = decide(found, fitting, self.objective, space=self.space)
        return AtBudget(
            budget=problem.budget,
            value=self._value(problem),
            answer=answer,
            found=found,
            plain=tuple(fitting),
            verdict=verdict,
        )

    def _value(self, problem: Problem) -> str:
        return limit_named(self.limit, problem.budget).written

    def _remember(self, found: Sequence[Measured], kind: FoundKind) -> None:
        super()._remember(found, kind)
        for measured in found:
            size = self.space.measure(self.space.levels(measured.configuration)).stored_bits
            self.bins.update(size, self._loss(measured), measured.configuration)
