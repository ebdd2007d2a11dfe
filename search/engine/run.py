"""Runs one planned job: bank, dense logits, baselines, search, validation; every finished step is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from evaluators.dense import DenseLogits
from evaluators.evaluator import Measurement
from search.baselines import baselines
from search.engine.evaluations import Evaluations
from search.engine.materials import Entries, build_missing, keep_dense
from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.progress import Phase, Progress, Watch
from search.engine.worker import Text
from search.front import non_dominated
from search.report import Measured, Objective, Outcome, losses, shown, write_verdict
from search.sweep import sweep
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import Quantize
from spaces.space import Levels
from store.store import Store

DENSE_PIECE_BATCHES = 4  # batches of one dense-logits task


def run_job(plan: Plan, store: Store, watch: Watch) -> Outcome:
    """Do what the plan says, as far as the store and the bank have not done it already.

    Raises:
        InputError, JobError: what went wrong, in one sentence; what was finished is kept, and the next run goes on.
    """
    pool = Pool(plan.worker_setup(), plan.spec.workers)
    try:
        return _Run(plan, store, pool, watch).outcome()
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
        return _Run(plan, store, pool, watch, entries).measure_alone(configuration, name)
    finally:
        pool.close()


class _Run:
    """The steps of one job, in their order."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        pool: Pool,
        watch: Watch,
        entries: Entries | None = None,
    ) -> None:
        self.plan = plan
        self.entries: Entries = plan.entries() if entries is None else entries
        self.space = plan.problem.space
        self.objective: Objective = plan.spec.objective
        self.pool = pool
        self.watch = watch
        self.evaluations = Evaluations(store, pool, self._tick)
        self.seconds: dict[str, float] = {"prepare": plan.seconds}
        self.measured: dict[Configuration, Measured] = {}  # at the highest fidelity
        self.progress = Progress(phase="prepare", label="")
        self._read: dict[tuple[Text, Configuration], int] = {}  # sequences
        self._done_before = 0  # of the phase's work, before the evaluations under way
        self.fidelity = plan.streams["calibration"].sequences_for(plan.strategy.fidelity(plan.problem))

    def outcome(self) -> Outcome:
        dense = self._materials()
        with self._phase("baselines"):
            plain = self._measure_baselines()
        with self._phase("search"):
            winner = self._search()
            self._sweep()
        with self._phase("validation"):
            found, plain = self._validate(winner, plain)
        return self._finish(found, plain, dense)

    def _materials(self) -> dict[Text, DenseLogits]:
        """What every measurement stands on: the bank's entries and the dense model's logits."""
        with self._phase("bank"):
            build_missing(self.plan, self.entries, self.pool, self._show)
        with self._phase("dense"):
            return {text: keep_dense(self.plan, text, self.pool, self._show) for text in self.plan.streams}

    def measure_alone(self, configuration: Configuration, name: str) -> Outcome:
        dense = self._materials()
        with self._phase("validation"):
            measured = [
                self._measure([configuration], stream.num_sequences, text)[0]
                for text, stream in self.plan.streams.items()
            ]
        answer = Measured(name=name, configuration=configuration, calibration=measured[0], validation=measured[1])
        return self._finish(answer, [], dense)

    @contextmanager
    def _phase(self, phase: Phase) -> Iterator[None]:
        begun = time.perf_counter()
        self._show(phase=phase, label="", done=0, total=0, unit="")
        yield
        self.seconds[phase] = round(time.perf_counter() - begun, 3)

    def _measure_baselines(self) -> list[Measured]:
        found = baselines(self.plan.problem)
        configurations = [self.space.configure(baseline.levels) for baseline in found]
        plain = self._at_full(configurations, [baseline.name for baseline in found], "plain choices")
        best = min((self._loss(measured) for measured in plain), default=None)
        self._show(uniform=None if best is None else shown(best, self.objective))
        return plain

    def _search(self) -> Configuration:
        """Run the strategy: it asks, the store or the workers answer."""
        problem, stream = self.plan.problem, self.plan.streams["calibration"]
        self._show(done=0, total=self.plan.strategy.planned_tokens(problem), unit="tokens")
        search = self.plan.strategy.search(problem)
        try:
            ask = next(search)
            while True:
                sequences = stream.sequences_for(ask.tokens)
                self._show(label=ask.label)
                configurations = [self.space.configure(levels) for levels in ask.candidates]
                measurements = self._measure(configurations, sequences, "calibration")
                if sequences == self.fidelity:
                    self._remember(configurations, measurements, f"{self._strategy_name()}, {ask.label}")
                ask = search.send([losses(measurement, self.objective) for measurement in measurements])
        except StopIteration as stop:
            levels: Levels = stop.value
        if not problem.holds(levels):  # promise 2, whatever a strategy does
            raise JobError(f"the strategy returned a configuration that breaks the budget ({problem.budget})")
        return self.space.configure(levels)

    def _sweep(self) -> None:
        """Measure solved configurations at other budgets, where the job asks for a front around the answer."""
        points = sweep(self.plan.problem, self.plan.spec.front_points) if self.plan.spec.front_points else []
        configurations = [self.space.configure(levels) for _, levels in points]
        self._at_full(configurations, [name for name, _ in points], "the front at other budgets")

    def _validate(self, winner: Configuration, plain: list[Measured]) -> tuple[Measured, list[Measured]]:
        """The strategy's answer and the plain choices, measured on text that the search never read."""
        found = self._at_full([winner], [self._strategy_name()], "the answer")[0]
        stream = self.plan.streams["validation"]
        everything = [found, *plain]
        tokens = len(everything) * stream.num_tokens
        self._show(label="the answer and the plain choices on unseen text", done=0, total=tokens)
        configurations = [measured.configuration for measured in everything]
        measurements = self._measure(configurations, stream.num_sequences, "validation")
        validated = [
            replace(measured, validation=measurement)
            for measured, measurement in zip(everything, measurements, strict=True)
        ]
        return validated[0], validated[1:]

    def _finish(self, found: Measured, plain: list[Measured], dense: dict[Text, DenseLogits]) -> Outcome:
        """Never worse than the plain choice (promise 4): what was found is the answer only if it beats them all."""
        best = min(plain, key=self._unseen_loss, default=None)
        is_better = best is None or self._unseen_loss(found) < self._unseen_loss(best)
        answer = found if best is None or is_better else best
        evaluated = tuple(self.measured.values())
        sizes = [self.space.measure(self.space.levels(each.configuration)).stored_bits for each in evaluated]
        return Outcome(
            space=self.space,
            objective=self.objective,
            answer=answer,
            found=found,
            baselines=tuple(plain),
            evaluated=evaluated,
            front=tuple(non_dominated(sizes, [self._loss(each) for each in evaluated])),
            verdict=write_verdict(answer, best, found, self.objective),
            facts=self._facts(dense),
        )

    def _facts(self, dense: dict[Text, DenseLogits]) -> dict[str, Any]:
        counts = self.evaluations.counts
        return {
            "fidelity_tokens": self.fidelity * self.plan.streams["calibration"].length,
            "dense": {
                text: {"kept": kept.describe(), "perplexity": shown(float(kept.nll.mean()), "perplexity")}
                for text, kept in dense.items()
            },
            "evaluations": {"computed": counts.computed, "cached": counts.cached, "tokens": counts.tokens},
            "seconds": self.seconds,
        }

    def _at_full(self, configurations: list[Configuration], names: list[str], label: str) -> list[Measured]:
        """Measured on the calibration text at the highest fidelity, and remembered for the front."""
        tokens = len(configurations) * self.fidelity * self.plan.streams["calibration"].length
        self._show(label=label, done=0, total=tokens, unit="tokens")
        measurements = self._measure(configurations, self.fidelity, "calibration")
        for configuration, measurement, name in zip(configurations, measurements, names, strict=True):
            self._remember([configuration], [measurement], name)
        return [
            Measured(name=name, configuration=configuration, calibration=measurement)
            for name, configuration, measurement in zip(names, configurations, measurements, strict=True)
        ]

    def _measure(self, configurations: Sequence[Configuration], num_sequences: int, text: Text) -> list[Measurement]:
        self._done_before = self.progress.done
        measured = self.evaluations.measure(configurations, num_sequences, self.plan.context(text))
        new = 0  # a longer prefix of what was read before counts only what it adds, as planned_tokens does
        for configuration in set(configurations):
            read = self._read.get((text, configuration), 0)
            new += max(0, num_sequences - read)
            self._read[text, configuration] = max(read, num_sequences)
        self._show(done=self._done_before + new * self.plan.streams[text].length)
        return measured

    def _remember(
        self, configurations: Sequence[Configuration], measurements: Sequence[Measurement], name: str
    ) -> None:
        for configuration, measurement in zip(configurations, measurements, strict=True):
            measured = Measured(name=name, configuration=configuration, calibration=measurement)
            self.measured.setdefault(configuration, measured)
        fitting = [self._loss(each) for each in self.measured.values() if self._holds(each.configuration)]
        self._show(best=shown(min(fitting), self.objective) if fitting else None)

    def _holds(self, configuration: Configuration) -> bool:
        return self.plan.problem.holds(self.space.levels(configuration))

    def _loss(self, measured: Measured) -> float:
        return float(losses(measured.calibration, self.objective).mean())

    def _unseen_loss(self, measured: Measured) -> float:
        return (
            float("inf") if measured.validation is None else float(losses(measured.validation, self.objective).mean())
        )

    def _strategy_name(self) -> str:
        asked = self.plan.spec.strategy
        return asked if isinstance(asked, str) else str(asked["name"])

    def _tick(self) -> None:
        self._show(done=self._done_before + self.evaluations.tokens_done)

    def _show(self, **changes: object) -> None:
        counts = self.evaluations.counts if hasattr(self, "evaluations") else None
        if counts is not None:
            changes |= {"computed": counts.computed, "cached": counts.cached, "tokens": counts.tokens}
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]
        self.watch(self.progress)
