"""The share of time that workers compute while the engine shares out short evaluations, and what the store sustains."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from benchmarks.bench import Bench
from benchmarks.databases import POSTGRESQL, SQLITE, Databases, open_databases, say_if_alone
from benchmarks.document import table
from benchmarks.simulated import Root, SimulatedSetup, SimulatedWorker
from benchmarks.store_rates import measure_rates
from evaluators.evaluator import batch_sequences
from search.engine.cluster import disconnect, start_ray
from search.engine.evaluations import Context, Evaluations
from search.engine.pieces import cut
from search.engine.plan import Plan
from search.engine.pool import Pool, Task
from search.engine.steering import Steering, WorkerState
from spaces.configuration import Configuration
from store.store import Store

SEED = 0
NUM_CPUS = 2  # that Ray is given: simulated workers take a sliver each
NAP_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Size:
    """What is measured."""

    arms: tuple[tuple[str, int, int], ...]  # database, workers, rounds
    num_candidates: int  # of a round
    evaluation_s: float
    rate_rounds: int  # of the store alone


FULL = Size(
    arms=(
        (SQLITE, 1, 1),
        (SQLITE, 2, 2),
        (SQLITE, 8, 4),
        (SQLITE, 32, 10),
        (SQLITE, 64, 20),
        (POSTGRESQL, 8, 4),
        (POSTGRESQL, 64, 20),
    ),
    num_candidates=512,
    evaluation_s=0.05,
    rate_rounds=5,
)
SMALL = Size(arms=((SQLITE, 2, 2),), num_candidates=16, evaluation_s=0.01, rate_rounds=1)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Rounds of one kind, added up. ``work_s`` is what the workers say that they computed."""

    evaluations: int = 0
    work_s: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0  # of this process

    def __add__(self, other: Timing) -> Timing:
        return Timing(**{name: value + vars(other)[name] for name, value in vars(self).items()})

    def share(self, num_workers: int) -> float:
        """Of the workers' time."""
        return self.work_s / (num_workers * self.wall_s)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What every arm works through."""

    plan: Plan
    size: Size

    @property
    def context(self) -> Context:
        return self.plan.context("calibration")

    @property
    def num_sequences(self) -> int:
        """One batch."""
        return batch_sequences(self.context.stream.length)

    def rounds(self, number: int) -> Iterator[list[Configuration]]:
        """Different candidates at random, the demo's layers and options."""
        rng, space = np.random.default_rng(SEED), self.plan.problem.space
        num_levels = [len(unit.options) for unit in space.units]
        for _ in range(number):
            levels = rng.integers(0, num_levels, (self.size.num_candidates, len(num_levels))).tolist()
            yield [space.configure(each) for each in levels]


def measure_scheduling(bench: Bench) -> str:
    """Two tables: workers' shares, and the store's rates."""
    size = SMALL if bench.is_small else FULL
    load = Load(plan=bench.plan(["strategy=uniform"]), size=size)
    with open_databases() as databases, _ray():
        rows = [_row(arm, *_measured(bench, load, databases, arm)) for arm in size.arms if arm[0] in databases.names]
        bench.say("scheduling: the store alone")
        rates = measure_rates(databases, num_keys=size.num_candidates, rounds=size.rate_rounds)
        text = f"{_describe(size)}{say_if_alone(databases)}"
    return "\n\n".join([text, table(_HEADINGS, rows), rates])


class Workshop:
    """A pool of simulated workers over one store: the engine's rounds, and the same tasks without the engine."""

    def __init__(self, load: Load, store: Store, folder: Path, num_workers: int) -> None:
        self._load = load
        self._num_workers = num_workers
        self._states: Sequence[WorkerState] = ()
        setup = SimulatedSetup(folder=folder, bank=Root(root=folder / "bank"), evaluation_s=load.size.evaluation_s)
        steering = Steering(workers=self._hear)
        self.pool = Pool(cast(Any, setup), num_workers, cast(Any, SimulatedWorker), steering)
        self._evaluations = Evaluations(store, self.pool)

    def _hear(self, states: Sequence[WorkerState]) -> None:
        self._states = states

    def warm_up(self, candidates: Sequence[Configuration]) -> None:
        """Until every worker is there and everything has been done once."""
        while sum(state.state != "starting" for state in self._states) < self._num_workers:
            for _ in self.pool.run([Task(method="nap", arguments=(NAP_S,))] * self._num_workers):
                pass
        self.engine(candidates)
        self.tasks_alone(candidates)

    def engine(self, candidates: Sequence[Configuration]) -> Timing:
        """A round as a strategy asks for it."""
        before, clock = self._evaluations.counts.computed_tokens, _Clock()
        self._evaluations.measure(candidates, self._load.num_sequences, self._load.context)
        return clock.timing(len(candidates), self._evaluations.counts.computed_tokens - before)

    def tasks_alone(self, candidates: Sequence[Configuration]) -> Timing:
        """The tasks that the engine makes of the round, through the pool: no keys, no leases, no store."""
        clock, num_sequences = _Clock(), self._load.num_sequences
        pieces = cut([0] * len(candidates), num_sequences, num_sequences, self._num_workers)
        context = self._load.context
        arguments = [
            (context.text, context.dense, [candidates[number] for number in piece.numbers], piece.start, piece.stop)
            for piece in pieces
        ]
        tasks = [Task(method="measure_each", arguments=each) for each in arguments]
        work_s = sum(finished.value[1] for finished in self.pool.run(tasks) if finished is not None)
        return clock.timing(len(candidates), work_s)


class _Clock:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def timing(self, evaluations: int, work_s: float) -> Timing:
        wall_s, cpu_s = time.perf_counter() - self._wall_s, time.process_time() - self._cpu_s
        return Timing(evaluations=evaluations, work_s=work_s, wall_s=wall_s, cpu_s=cpu_s)


def _measured(
    bench: Bench, load: Load, databases: Databases, arm: tuple[str, int, int]
) -> tuple[Timing, Timing]:  # of the engine and of its tasks alone
    name, num_workers, num_rounds = arm
    bench.say(f"scheduling: {num_workers} workers, {name}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        store = stack.enter_context(Store.open(stack.enter_context(databases.empty(name))))
        workshop = Workshop(load, store, folder, num_workers)
        stack.callback(workshop.pool.close)
        first, *others = load.rounds(1 + num_rounds)
        workshop.warm_up(first[: 2 * num_workers])
        engine, alone = Timing(), Timing()
        for candidates in others:  # by turns, so that a busy moment hits both
            engine += workshop.engine(candidates)
            alone += workshop.tasks_alone(candidates)
    return engine, alone


@contextmanager
def _ray() -> Iterator[None]:
    start_ray(NUM_CPUS, "local")
    try:
        yield
    finally:
        disconnect()


_HEADINGS = (
    "workers",
    "share of time that they compute",
    "the same tasks alone",
    "engine / tasks alone",
    "ms an evaluation takes",
    "evaluations per second",
    "ms of the engine's CPU per evaluation",
)


def _row(arm: tuple[str, int, int], engine: Timing, alone: Timing) -> tuple[str, ...]:
    name, num_workers, _ = arm
    share, floor = engine.share(num_workers), alone.share(num_workers)
    return (
        f"{num_workers}, {name}",
        f"{share:.1%}",
        f"{floor:.1%}",
        f"{share / floor:.3f}",
        f"{1000 * engine.work_s / engine.evaluations:.1f}",
        f"{engine.evaluations / engine.wall_s:,.0f}",
        f"{1000 * engine.cpu_s / engine.evaluations:.2f}",
    )


def _describe(size: Size) -> str:
    return (
        f"Workers that sleep {1000 * size.evaluation_s:g} ms for each candidate, through the real pool, real Ray and "
        f"the real evaluations; all on this machine, so that they take its cores from the engine whenever they wake. "
        f"Rounds of {size.num_candidates} different candidates on the demo's space, each waited for as a strategy "
        f"does. The share is the time that the workers say they computed, over workers times wall time; start-up is "
        f"left out. Tasks alone are the same calls without keys, leases and the store, by turns with the engine."
    )
