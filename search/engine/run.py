"""Runs one planned job: bank, dense logits, baselines, search, validation; every finished step is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evaluators.dense import DenseLogits
from evaluators.evaluator import Measurement
from evaluators.statistic import Samples
from search.baselines import Baseline, baselines
from search.decision import decide
from search.engine.answers import drive
from search.engine.materials import Entries
from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.progress import Watch
from search.engine.session import Session
from search.engine.worker import Text
from search.front import non_dominated
from search.report import Measured, Objective, Outcome, losses, shown
from search.settings import name_of
from search.strategy import Ask, Estimate, Losses, Question
from search.sweep import sweep
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import Quantize
from store.store import Store


def run_job(plan: Plan, store: Store, watch: Watch) -> Outcome:
    """Do what the plan says, as far as the store and the bank have not done it already.

    Raises:
        InputError, JobError: what went wrong, in one sentence; what was finished is kept, and the next run goes on.
    """
    pool = Pool(plan.worker_setup(), plan.spec.workers)
    try:
        return Run(Session(plan, store, pool, watch)).outcome()
    finally:
        pool.close()


def evaluate_configuration(plan: Plan, store: Store, watch: Watch, configuration: Configuration, name: str) -> Outcome:
    """Measure one configuration on the whole of both texts; builds only the bank entries that it needs.

    Raises:
        InputError, JobError: as ``run_job``.
    """
    entries: Entries = {layer: (option,) for layer, option in configuration.options if isinstance(option, Quantize)}
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
        self.measured: dict[Configuration, Measured] = {}  # at the highest fidelity
        self.asked_tokens = 0  # by the strategy, whether they were cached or not
        self.asked_computed_tokens = 0.0  # of them, as one fresh worker computes each question
        tokens = fidelity_tokens or self.plan.strategy.fidelity(self.plan.problem)
        self.fidelity = self.plan.streams["calibration"].sequences_for(tokens)

    def outcome(self) -> Outcome:
        """The whole job."""
        session = self.session
        dense = session.materials(self.plan.entries())
        with session.phase("baselines"):
            plain = self._measure_baselines()
        with session.phase("search"):
            winner = self._search()
            self._sweep()
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
        answer = Measured(name=name, configuration=configuration, calibration=measured[0], validation=measured[1])
        return self._finish(answer, [], dense)

    def _measure_baselines(self) -> list[Measured]:
        found = self._plain_choices()
        configurations = [self.space.configure(baseline.levels) for baseline in found]
        plain = self._at_full(configurations, [baseline.name for baseline in found], "plain choices")
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

    def answer(self, question: Question) -> Losses | Samples:
        """By the store or the workers."""
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
            self._remember(configurations, measurements, f"{name_of(self.plan.spec.strategy)}, {ask.label}")
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

    def _finish(self, found: Measured, plain: list[Measured], dense: dict[Text, DenseLogits]) -> Outcome:
        """Never worse than the plain choice (promise 4): what was found is the answer only if it beats them all."""
        answer, verdict = decide(found, plain, self.objective, space=self.space, max_loss=self.plan.problem.max_loss)
        evaluated = tuple(self.measured.values())
        sizes = [self._stored_bits(each) for each in evaluated]
        return Outcome(
            space=self.space,
            objective=self.objective,
            answer=answer,
            found=found,
            baselines=tuple(plain),
            evaluated=evaluated,
            front=tuple(non_dominated(sizes, [self._loss(each) for each in evaluated])),
            verdict=verdict,
            facts=self._facts(dense),
        )

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
            "seconds": self.session.seconds,
        }

    def _at_full(self, configurations: list[Configuration], names: list[str], label: str) -> list[Measured]:
        """Measured on the calibration text at the highest fidelity, and remembered for the front."""
        tokens = len(configurations) * self.fidelity * self.plan.streams["calibration"].length
        self.session.show(label=label, done=0, total=tokens, unit="tokens")
        measurements = self.session.measure(configurations, self.fidelity, "calibration")
        for configuration, measurement, name in zip(configurations, measurements, names, strict=True):
            self._remember([configuration], [measurement], name)
        return [
            Measured(name=name, configuration=configuration, calibration=measurement)
            for name, configuration, measurement in zip(names, configurations, measurements, strict=True)
        ]

    def _remember(
        self, configurations: Sequence[Configuration], measurements: Sequence[Measurement], name: str
    ) -> None:
        for configuration, measurement in zip(configurations, measurements, strict=True):
            measured = Measured(name=name, configuration=configuration, calibration=measurement)
            self.measured.setdefault(configuration, measured)
        fitting = [self._loss(each) for each in self.measured.values() if self._holds(each.configuration)]
        self.session.show(best=shown(min(fitting), self.objective) if fitting else None)

    def _holds(self, configuration: Configuration) -> bool:
        return self.plan.problem.holds(self.space.levels(configuration))

    def _stored_bits(self, measured: Measured) -> int:
        return self.space.measure(self.space.levels(measured.configuration)).stored_bits

    def _loss(self, measured: Measured) -> float:
        return float(losses(measured.calibration, self.objective).mean())
