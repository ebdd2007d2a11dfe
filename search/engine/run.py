"""Runs one planned job: bank, dense logits, baselines, search, validation; every finished step is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from evaluators.dense import DenseLogits
from evaluators.evaluator import Measurement
from evaluators.statistic import Samples
from search.baselines import Baseline, baselines
from search.decision import decide
from search.engine.answers import drive
from search.engine.best_known import best_known
from search.engine.herald import Herald
from search.engine.materials import Entries
from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.progress import Watch
from search.engine.session import Session
from search.engine.steering import FoundKind, Halted, Steering
from search.engine.worker import Text
from search.findings import Findings
from search.report import Measured, Objective, Outcome, losses, shown
from search.sampling.objectives import objectives_asked, tasks_among, weighed_beside
from search.settings import name_of
from search.strategy import Ask, Estimate, Losses, Question, whole_task
from search.sweep import sweep
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import Banked
from spaces.space import Levels
from store.store import Store

T = TypeVar("T")
STOPPED = "Stopped before the search was done."


def run_job(plan: Plan, store: Store, watch: Watch, steering: Steering | None = None) -> Outcome:
    """Do what the plan says, as far as the store and the bank have not done it already.

    Raises:
        InputError, JobError: what went wrong, in one sentence; what was finished is kept, and the next run goes on.
        Halted: whoever steers wished the job to pause or to be cancelled.
    """
    pool = Pool(plan.worker_setup(), plan.spec.workers, steering=steering)
    try:
        return Run(Session(plan, store, pool, watch, steering)).outcome()
    finally:
        pool.close()


def evaluate_configuration(plan: Plan, store: Store, watch: Watch, configuration: Configuration, name: str) -> Outcome:
    """Measure one configuration on the whole of both texts; builds only the bank entries that it needs.

    Raises:
        InputError, JobError: as ``run_job``.
    """
    entries: Entries = {layer: (option,) for layer, option in configuration.options if isinstance(option, Banked)}
    if plan.propagate is not None:  # then what one block is built from depends on all before it
        entries = plan.entries()
    pool = Pool(plan.worker_setup(), plan.spec.workers)
    try:
        return Run(Session(plan, store, pool, watch)).measure_alone(configuration, name, entries)
    finally:
        pool.close()


class Run:
    """The steps of one job, in their order.

    Answer and baselines are measured on the calibration text at the strategy's own fidelity, or on ``fidelity_tokens``
    where nobody will look at a front.
    """

    def __init__(self, session: Session, fidelity_tokens: int | None = None) -> None:
        self.session = session
        self.plan: Plan = session.plan
        self.space = self.plan.problem.space
        self.objective: Objective = self.plan.spec.objective
        objectives = objectives_asked(self.plan.spec.strategy)
        self.measured = Findings(self.space, weighed_beside(objectives))  # at the highest fidelity
        self._minimised = tasks_among(objectives)
        self._best = np.inf  # loss of what was measured and fits
        self.stopped = False  # the search, before it was done
        self.incumbent: Levels | None = None  # what the strategy would answer now, if it says so
        self.asked_tokens = 0  # by the strategy, whether they were cached or not
        self.asked_computed_tokens = 0.0  # of them, as one fresh worker computes each question
        tokens = fidelity_tokens or self.plan.strategy.fidelity(self.plan.problem)
        self.fidelity = self.plan.streams["calibration"].sequences_for(tokens)
        self._herald = Herald(self.measured, self.space, self.objective, session.steering.found)

    def outcome(self) -> Outcome:
        """The whole job."""
        session = self.session
        dense = session.materials(self.plan.entries())
        with session.phase("baselines"):
            plain = self._measure_baselines()
        with session.phase("search"):
            winner = self._unless_stopped(self._search, self._best_known)
            if not self.stopped:
                self._unless_stopped(self._sweep, lambda: None)
        with session.phase("validation"):
            found, plain = self._validate(winner, plain)
        return self._finish(found, plain, dense)

    def measure_alone(self, configuration: Configuration, name: str, entries: Entries) -> Outcome:
        """One configuration on the whole of both texts, compared with nothing."""
        dense = self.session.materials(entries)
        with self.session.phase("validation"):
            measured = [
                self.session.measure([configuration], stream.num_sequences, text)[0]
                for text, stream in self.plan.streams.items()
            ]
            errors = self._task_errors(configuration, self.plan.problem.tasks)
        answer = Measured(
            name=name,
            configuration=configuration,
            calibration=measured[0],
            validation=measured[1],
            task_errors=errors,
        )
        return self._finish(answer, [], dense)

    def _measure_baselines(self) -> list[Measured]:
        found = self._plain_choices()
        configurations = [self.space.configure(baseline.levels) for baseline in found]
        plain = self._at_full(configurations, [baseline.name for baseline in found], "plain choices", "plain")
        best = min((self._loss(measured) for measured in plain), default=None)
        self.session.show(uniform=None if best is None else shown(best, self.objective))
        return plain

    def _plain_choices(self) -> list[Baseline]:
        return baselines(self.plan.problem)

    def _search(self) -> Configuration:
        """Run the strategy: it asks, the store or the workers answer."""
        problem = self.plan.problem
        self.session.show(done=0, total=self.plan.strategy.planned_tokens(problem), unit="tokens")
        levels = drive(self.plan.strategy.search(problem), self.answer)
        if not problem.holds(levels):  # promise 2, whatever a strategy does
            raise JobError(f"the strategy returned a configuration that breaks the budget ({problem.budget})")
        return self.space.configure(levels)

    def _unless_stopped(self, search: Callable[[], T], otherwise: Callable[[], T]) -> T:
        """What the search finds; ``otherwise`` where whoever steers stops it."""
        try:
            return search()
        except Halted as halted:
            if halted.wish != "stop":
                raise
        self.stopped = True
        return otherwise()

    def _best_known(self) -> Configuration:
        known = self.measured.losses_by_levels(self.objective)
        return self.space.configure(best_known(self.plan.problem, self.incumbent, known))

    def answer(self, question: Question) -> Losses | Samples:
        """By the store or the workers."""
        if question.incumbent is not None:
            self.incumbent = question.incumbent
        self.session.show(label=question.label)
        before = self.session.ledger.total
        answer = self.session.sample(question) if isinstance(question, Estimate) else self._losses(question)
        asked = self.session.ledger.total - before
        self.asked_tokens += asked.read
        self.asked_computed_tokens += asked.computed
        return answer

    def _losses(self, ask: Ask) -> Losses:
        sequences = self.plan.streams["calibration"].sequences_for(ask.tokens)
        configurations = [self.space.configure(levels) for levels in ask.candidates]
        measurements = self.session.measure(configurations, sequences, "calibration", ask.first)
        if sequences == self.fidelity and ask.first == 0:
            name = f"{name_of(self.plan.spec.strategy)}, {ask.label}"
            found = _named([name] * len(configurations), configurations, measurements)
            self._remember(self._on_tasks(found, self._minimised), "candidate")
        return [losses(measurement, self.objective) for measurement in measurements]

    def _sweep(self) -> None:
        """Measure solved configurations at other budgets, where the job asks for a front around the answer."""
        if not self.plan.spec.front_points:
            return
        points = sweep(self.plan.problem, self.plan.spec.front_points)
        configurations = [self.space.configure(levels) for _, levels in points]
        self._at_full(configurations, [name for name, _ in points], "the front at other budgets")

    def _validate(self, winner: Configuration, plain: list[Measured]) -> tuple[Measured, list[Measured]]:
        """The strategy's answer and the plain choices, measured on text that the search never read."""
        found = self._at_full([winner], [name_of(self.plan.spec.strategy)], "the answer")[0]
        validated = self._on_unseen_text([found, *plain], "the answer and the plain choices on unseen text")
        validated = self._on_tasks(validated, self.plan.problem.tasks)
        return validated[0], validated[1:]

    def _on_unseen_text(self, everything: Sequence[Measured], label: str) -> list[Measured]:
        stream = self.plan.streams["validation"]
        configurations = [measured.configuration for measured in everything]
        tokens = len(set(configurations)) * stream.num_tokens
        self.session.show(label=label, done=0, total=tokens)
        measurements = self.session.measure(configurations, stream.num_sequences, "validation")
        return [
            replace(measured, validation=measurement)
            for measured, measurement in zip(everything, measurements, strict=True)
        ]

    def _on_tasks(self, everything: Sequence[Measured], names: Collection[str]) -> list[Measured]:
        return [
            replace(measured, task_errors=self._task_errors(measured.configuration, names)) for measured in everything
        ]

    def _task_errors(self, configuration: Configuration, names: Collection[str]) -> dict[str, np.ndarray]:
        """The errors on some of the job's tasks, of each document; measured once for all jobs."""
        tasks = self.plan.problem.tasks
        samples = {
            name: self.session.sample(whole_task(tasks[name], configuration, name), is_asked=False) for name in names
        }
        return {name: tasks[name].errors(each) for name, each in samples.items()}

    def _finish(self, found: Measured, plain: list[Measured], dense: dict[Text, DenseLogits]) -> Outcome:
        """Never worse than the plain choice (promise 4): what was found is the answer only if it beats them all."""
        answer, verdict = decide(found, plain, self.objective, space=self.space, max_loss=self.plan.problem.max_loss)
        self._herald.tell([answer], "answer")
        return Outcome(
            space=self.space,
            objective=self.objective,
            answer=answer,
            found=found,
            baselines=tuple(plain),
            evaluated=self.measured,
            front=self._front(),
            verdict=self._said(verdict),
            facts=self._facts(dense),
        )

    def _front(self) -> tuple[int, ...]:
        return tuple(self.measured.front(self.objective))

    def _said(self, verdict: str) -> str:
        return f"{STOPPED} {verdict}" if self.stopped else verdict

    def _facts(self, dense: dict[Text, DenseLogits]) -> dict[str, Any]:
        counts, samples = self.session.evaluations.counts, self.session.estimates.counts
        return {
            "fidelity_tokens": self.fidelity * self.plan.streams["calibration"].length,
            "dense": {
                text: {"kept": kept.describe(), "perplexity": shown(float(kept.nll.mean()), "perplexity")}
                for text, kept in dense.items()
            },
            "evaluations": {
                "computed": counts.computed,
                "cached": counts.cached,
                "tokens": counts.tokens,
                "tokens_computed": round(counts.computed_tokens),
            },
            "statistics": {
                "computed": samples.computed,
                "cached": samples.cached,
                "forward_tokens": samples.forward_tokens,
                "backward_tokens": samples.backward_tokens,
                "tokens_computed": round(samples.computed_tokens),
            },
            "asked_tokens": self.asked_tokens,
            "asked_computed_tokens": round(self.asked_computed_tokens),
            "stopped": self.stopped,
            "seconds": self.session.seconds,
        }

    def _at_full(
        self, configurations: list[Configuration], names: list[str], label: str, kind: FoundKind = "candidate"
    ) -> list[Measured]:
        """Measured on the calibration text at the highest fidelity, and remembered for the front."""
        tokens = len(configurations) * self.fidelity * self.plan.streams["calibration"].length
        self.session.show(label=label, done=0, total=tokens, unit="tokens")
        measurements = self.session.measure(configurations, self.fidelity, "calibration")
        found = self._on_tasks(_named(names, configurations, measurements), self._minimised)
        self._remember(found, kind)
        return found

    def _remember(self, found: Sequence[Measured], kind: FoundKind) -> None:
        """What was measured by the session's latest call."""
        fresh = self.session.evaluations.fresh
        news = [each for each in found if self.measured.add(each, is_computed=each.configuration in fresh)]
        for measured in news:
            if self._holds(measured.configuration):
                self._best = min(self._best, self._loss(measured))
        self._herald.tell(news, kind)
        self.session.show(best=shown(self._best, self.objective) if self._best < np.inf else None)

    def _holds(self, configuration: Configuration) -> bool:
        return self.plan.problem.holds(self.space.levels(configuration))

    def _loss(self, measured: Measured) -> float:
        return float(losses(measured.calibration, self.objective).mean())


def _named(
    names: Sequence[str], configurations: Sequence[Configuration], measurements: Sequence[Measurement]
) -> list[Measured]:
    return [
        Measured(name=name, configuration=configuration, calibration=measurement)
        for name, configuration, measurement in zip(names, configurations, measurements, strict=True)
    ]
