"""One job's measuring: asks the store and the workers, and keeps whoever watches informed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from evaluators.dense import DenseLogits
from evaluators.evaluator import Measurement
from evaluators.statistic import Samples
from search.digests import Digests
from search.engine.estimates import Estimates
from search.engine.evaluations import Evaluations
from search.engine.leases import release_the_dead
from search.engine.ledger import Ledger
from search.engine.materials import Entries, build_missing, keep_dense
from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.progress import Phase, Progress, Watch
from search.engine.steering import Steering
from search.engine.worker import Text
from search.strategy import Estimate
from spaces.configuration import Configuration
from store.store import Store


class Session:
    """A plan at work. Phases follow each other; within one, ``done`` of ``total`` counts tokens."""

    def __init__(self, plan: Plan, store: Store, pool: Pool, watch: Watch, steering: Steering | None = None) -> None:
        release_the_dead(store)
        self.plan = plan
        self.pool = pool
        self.watch = watch
        self.steering = steering or Steering()
        self.progress = Progress(phase="prepare", label="")
        self.evaluations = Evaluations(store, pool, self._tick, self._note_subjects)
        self.estimates = Estimates(store, pool, self._tick, self._note_subjects)
        self.seconds: dict[str, float] = {"prepare": plan.seconds}
        self.ledger = Ledger(plan.problem.space.anatomy)
        self._subjects = Digests()  # that were told of
        self._done_before = 0  # of the phase's work, before what is under way
        self._is_asked = True  # what is under way, so that it counts as done

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """One phase of the job, timed. The wish to stop ends none but the search."""
        begun = time.perf_counter()
        self.pool.is_stoppable = phase == "search"
        self.show(phase=phase, label="", done=0, total=0, unit="")
        yield
        self.seconds[phase] = round(time.perf_counter() - begun, 3)

    def materials(self, entries: Entries) -> dict[Text, DenseLogits]:
        """What every measurement stands on: the bank's entries and the dense model's logits."""
        with self.phase("bank"):
            build_missing(self.plan, entries, self.pool, self.show)
        with self.phase("dense"):
            return {text: keep_dense(self.plan, text, self.pool, self.show) for text in self.plan.streams}

    def measure(
        self, configurations: Sequence[Configuration], num_sequences: int, text: Text, first: int = 0
    ) -> list[Measurement]:
        """Measured on the ``num_sequences`` sequences of a text from ``first`` on; raises as ``Evaluations.measure``.

        A longer prefix of what was read before counts only what it adds, as ``planned_tokens`` does.
        """
        self._begin()
        measured = self.evaluations.measure(configurations, num_sequences, self.plan.context(text), first)
        length = self.plan.streams[text].length
        asked = self.ledger.evaluations(configurations, num_sequences, length, text, first)
        self.show(done=self._done_before + asked.read)
        return measured

    def sample(self, estimate: Estimate, *, is_asked: bool = True) -> Samples:
        """Samples of a statistic of the calibration text; for the job's own use where the strategy did not ask."""
        self._begin(is_asked=is_asked)
        samples = self.estimates.samples(estimate, self.plan.context("calibration"))
        if is_asked:
            length = self.plan.streams["calibration"].length
            asked = self.ledger.samples(estimate.statistic, estimate.stop - estimate.start, length)
            self.show(done=self._done_before + asked.read)
        return samples

    def show(self, **changes: object) -> None:
        """Tell whoever watches what changed."""
        evaluations, samples = self.evaluations.counts, self.estimates.counts
        changes |= {
            "computed": evaluations.computed + samples.computed,
            "cached": evaluations.cached + samples.cached,
            "tokens": evaluations.tokens + samples.forward_tokens + samples.backward_tokens,
            "tokens_computed": round(evaluations.computed_tokens + samples.computed_tokens),
        }
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]
        self.watch(self.progress)

    def _begin(self, *, is_asked: bool = True) -> None:
        self.pool.check_wish()
        self._is_asked = is_asked
        self._done_before = self.progress.done
        self.evaluations.tokens_done = self.estimates.tokens_done = 0

    def _note_subjects(self, subjects: Collection[str]) -> None:
        new = {subject for subject in subjects if subject not in self._subjects}
        for subject in new:
            self._subjects.put(subject, 0)
        if new:
            self.steering.subjects(new)

    def _tick(self) -> None:
        done = self.evaluations.tokens_done + self.estimates.tokens_done if self._is_asked else 0
        self.show(done=self._done_before + done)
