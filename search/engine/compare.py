"""Runs several methods at several budgets on one bank and one text, and holds each against the uniform choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.progress import Progress, Watch
from search.engine.run import Run
from search.engine.session import Session
from search.report import Outcome
from search.settings import make_strategy, name_of
from spaces.budget import make_budget
from spaces.errors import InputError
from store.store import Store

FIDELITY_TOKENS = 2048  # of the calibration text: answers are compared on unseen text


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One method at one budget."""

    method: str
    budget: Mapping[str, Any]
    plan: Plan


def make_trials(plan: Plan, methods: Sequence[object], budgets: Sequence[Mapping[str, Any]]) -> list[Trial]:
    """Every method at every budget, all checked before the first begins.

    Raises:
        InputError: a method that does not exist or does not fit, or a budget that cannot be met.
    """
    trials = []
    for budget in budgets:
        problem = replace(plan.problem, budget=make_budget(dict(budget), plan.problem.space, plan.problem.constraints))
        for asked in methods:
            strategy = make_strategy(asked, "method")
            try:
                strategy.check(problem)
            except InputError as error:
                raise InputError(f"method {name_of(asked)}: {error}") from error
            changes = {"strategy": asked, "budget": dict(budget), "front_points": 0}
            spec = plan.spec.model_copy(update=changes)
            own = replace(plan, problem=problem, strategy=strategy, spec=spec)
            trials.append(Trial(method=name_of(asked), budget=budget, plan=own))
    return trials


def run_trials(trials: Sequence[Trial], store: Store, watch: Watch) -> Iterator[tuple[Trial, Outcome]]:
    """Each trial's outcome, as it comes; everything measured is kept, so that a second call goes on.

    Raises:
        InputError, JobError: as ``run_job``.
    """
    pool = Pool(trials[0].plan.worker_setup(), trials[0].plan.spec.workers)
    try:
        for number, trial in enumerate(trials):
            shown = _Together(number, len(trials), trial, watch)
            yield trial, Run(Session(trial.plan, store, pool, shown.see), FIDELITY_TOKENS).outcome()
    finally:
        pool.close()


@dataclass(frozen=True)
class _Together:
    """Shows the moments of one trial as moments of them all: beyond the first one's bank, one bar of trials."""

    number: int
    total: int
    trial: Trial
    watch: Watch

    def see(self, moment: Progress) -> None:
        label = f"{self.number + 1}/{self.total} {self.trial.method} at {self.trial.plan.problem.budget}"
        if self.number == 0 and moment.phase in ("prepare", "bank", "dense"):
            self.watch(replace(moment, label=f"{label}: {moment.label}"))
            return
        named = f"{label}: {moment.phase}"
        self.watch(replace(moment, phase="search", label=named, done=self.number, total=self.total, unit="runs"))
