"""Tokens per second of the engine over a bare forward loop on the same tokens, and where the difference goes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import numpy as np
import ray
import torch
from torch import nn

from benchmarks.document import table
from benchmarks.timing import Arm, Spread, Work, interleave, ratio
from evaluators.checkpoint import load_model
from evaluators.evaluator import batch_sequences
from evaluators.linear import quicken
from search.engine.cluster import start_ray
from search.engine.evaluations import Evaluations
from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.worker import Worker
from search.repair import draw
from spaces.configuration import Configuration
from store.store import Store

SEED = 0
NUM_THREADS = os.cpu_count() or 1
BARE, OWN, ONE, BARE_THREAD, ONE_THREAD, TWO = (
    f"bare loop, {NUM_THREADS} threads",
    f"bare loop with the engine's linear layers, {NUM_THREADS} threads",
    f"one worker, {NUM_THREADS} threads",
    "bare loop, 1 thread",
    "one worker, 1 thread",
    "two workers, 1 thread each",
)
APPLY, HERE = "applying", "measuring without the engine"
POOLS = {ONE: (1, NUM_THREADS), ONE_THREAD: (1, 1), TWO: (2, 1)}  # arm -> workers, threads of each
RATIOS = ((OWN, BARE), (ONE, BARE), (ONE, OWN), (ONE_THREAD, BARE_THREAD), (TWO, ONE_THREAD), (TWO, ONE))


@dataclass(frozen=True, kw_only=True)
class Load:
    """What every arm computes: random configurations within the budget, on the beginning of the calibration text."""

    plan: Plan  # its bank and dense logits are made
    num_configurations: int
    num_tokens: int  # that each configuration is measured on

    @property
    def configurations(self) -> list[Configuration]:
        rng = np.random.default_rng(SEED)
        space = self.plan.problem.space
        return [space.configure(draw(self.plan.problem, rng)) for _ in range(self.num_configurations)]

    @property
    def num_sequences(self) -> int:
        return self.plan.streams["calibration"].sequences_for(self.num_tokens)

    @property
    def total_tokens(self) -> int:
        return self.num_configurations * self.num_sequences * self.plan.streams["calibration"].length


def measure_throughput(load: Load, rounds: int) -> str:
    """Two tables: tokens per second with their ratios, and the parts of one worker's time."""
    threads = torch.get_num_threads()
    try:
        with _engine_arms(load) as engine:
            seconds = interleave({**_bare_arms(load), **_parts(load), **engine}, rounds=rounds)
    finally:
        torch.set_num_threads(threads)
    return f"{_describe(load, rounds)}\n\n{show_throughput(seconds, load.total_tokens)}"


def show_throughput(
    seconds: Mapping[str, list[float]],  # of every arm, round by round
    num_tokens: int,  # that each arm reads in a round
) -> str:
    """Tokens per second, their ratios, and the parts of one worker's time."""
    return "\n\n".join([_rates(seconds, num_tokens), _ratios(seconds), _shares(seconds)])


def _bare_arms(load: Load) -> dict[str, Arm]:
    """``model(input_ids).logits`` on the batches that the engine runs, as often as it runs them."""
    model, own = (load_model(load.plan.folder, dtype=getattr(torch, load.plan.spec.evaluation.dtype)) for _ in range(2))
    quicken(own)
    stream = load.plan.streams["calibration"]
    batches = [tokens for _, tokens in stream.batches(0, load.num_sequences, batch_sequences(stream.length))]

    def loop(model: nn.Module) -> None:
        with torch.inference_mode():
            for tokens in batches * load.num_configurations:
                _ = model(input_ids=tokens, use_cache=False).logits

    return {
        BARE: _with_threads(NUM_THREADS, partial(loop, model)),
        OWN: _with_threads(NUM_THREADS, partial(loop, own)),
        BARE_THREAD: _with_threads(1, partial(loop, model)),
    }


def _parts(load: Load) -> dict[str, Arm]:
    """What a worker does, in this process: all of an evaluation, and of that the applying alone."""
    worker = Worker(replace(load.plan.worker_setup(), num_threads=NUM_THREADS))
    configurations, dense = load.configurations, load.plan.dense_folder("calibration")

    def apply() -> None:
        for configuration in configurations:
            worker.live.apply(configuration)

    def measure() -> None:
        worker.measure_each("calibration", dense, configurations, 0, load.num_sequences)

    return {APPLY: _with_threads(NUM_THREADS, apply), HERE: _with_threads(NUM_THREADS, measure)}


def _with_threads(number: int, run: Work) -> Arm:
    def prepare() -> Work:
        torch.set_num_threads(number)
        return run

    return prepare


@contextmanager
def _engine_arms(load: Load) -> Iterator[dict[str, Arm]]:
    """The engine with pools that stay, and a new store for every run, so that nothing is cached."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        start_ray(sum(workers for workers, _ in POOLS.values()))
        stack.callback(ray.shutdown)
        arms = {}
        for name, (num_workers, num_threads) in POOLS.items():
            pool = Pool(replace(load.plan.worker_setup(), num_threads=num_threads), num_workers)
            stack.callback(pool.close)
            arms[name] = _engine_arm(load, pool, folder, stack)
        yield arms


def _engine_arm(load: Load, pool: Pool, folder: Path, stack: ExitStack) -> Arm:
    configurations, context = load.configurations, load.plan.context("calibration")

    def prepare() -> Work:
        store = stack.enter_context(Store.open(f"sqlite:///{folder / uuid4().hex}.db"))
        return lambda: Evaluations(store, pool).measure(configurations, load.num_sequences, context)

    return prepare


def _describe(load: Load, rounds: int) -> str:
    stream = load.plan.streams["calibration"]
    return (
        f"{load.num_configurations} random configurations on {load.num_sequences * stream.length:,} tokens each, in "
        f"batches of {batch_sequences(stream.length)} x {stream.length}; an empty store for every run, bank and dense "
        f"logits made before. Medians of {rounds} interleaved rounds, with the smallest and the largest."
    )


def _rates(seconds: Mapping[str, list[float]], num_tokens: int) -> str:
    rows = []
    for name in (BARE, OWN, ONE, BARE_THREAD, ONE_THREAD, TWO):
        rates = Spread.of([num_tokens / taken for taken in seconds[name]])
        rows.append((name, rates.show(",.0f")))
    return table(("", "tokens per second"), rows)


def _ratios(seconds: Mapping[str, list[float]]) -> str:
    # a rate is the inverse of a time
    rows = [(f"{upper} / {lower}", ratio(seconds[lower], seconds[upper]).show(".3f")) for upper, lower in RATIOS]
    return table(("", "ratio of tokens per second"), rows)


def _shares(seconds: Mapping[str, list[float]]) -> str:
    """The parts of one worker's time. Some are differences of arms of one round, so noise can make them negative."""
    whole, forward, apply, here = (np.array(seconds[name]) for name in (ONE, OWN, APPLY, HERE))
    parts = {
        "the forward pass: the bare loop with the engine's linear layers": forward,
        "applying: reading the bank, dequantizing, writing weights": apply,
        "comparing: KL and loss against the dense logits": here - apply - forward,
        "the engine: Ray, leases and the store": whole - here,
    }
    rows = [(name, ratio(part.tolist(), whole.tolist()).show(".1%")) for name, part in parts.items()]
    return table((f"of the time of {ONE}", "share"), rows)
