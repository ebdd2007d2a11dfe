"""Samples of statistics by content: asked of the store first, leased, spread over the workers, and kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.statistic import Passes, Samples, Statistic, contents
from search.engine.evaluations import Context, hashed
from search.engine.leases import BUSY_POLL_S, LEASE_S, Leases, claimed
from search.engine.ledger import sampled
from search.engine.pool import PATIENT_ATTEMPTS, Pool, Task
from search.strategy import Estimate
from spaces.errors import JobError
from store.holders import name_owner
from store.records import Claim, Done, Failed, Leased, SampleKey, SampleValues
from store.store import Store

PIECES_PER_WORKER = 4  # so that no worker waits long for the last one, and progress shows

Arrays = Mapping[str, np.ndarray]  # of one sample


@dataclass(kw_only=True)
class SampleCounts:
    """What a job's statistics cost so far."""

    computed: int = 0
    cached: int = 0
    forward_tokens: int = 0
    backward_tokens: int = 0
    computed_tokens: float = 0.0  # forward and backward, blocks that several passes share once


class Estimates:
    """Computes samples, each once: in this store, and by one worker at a time."""

    def __init__(
        self,
        store: Store,
        pool: Pool,
        on_tick: Callable[[], None] = lambda: None,
        on_subjects: Callable[[Collection[str]], None] = lambda subjects: None,
    ) -> None:
        self.counts = SampleCounts()
        self._on_subjects = on_subjects
        self.tokens_done = 0  # within the current call, for the time left
        self._store = store
        self._pool = pool
        self._on_tick = on_tick
        self._owner = name_owner()
        self._leases = Leases(self._owner, store.release_samples, store.heartbeat_samples)

    def samples(self, estimate: Estimate, context: Context) -> Samples:
        """The samples asked for, each array with one row for each.

        Raises:
            InputError, JobError: the statistic cannot be computed; the samples that could be are kept.
            Halted: as ``Pool.run``; what was computed is kept, and leases are given back.
        """
        self.tokens_done = 0
        keys = sample_keys(estimate, context)
        self._on_subjects({key.subject for key in keys})
        found: dict[str, Arrays] = {}
        while waiting := [key for key in keys if key.key not in found]:
            claims = claimed(self._claim, waiting)
            leased = {key: claim.attempt for key, claim in claims.items() if isinstance(claim, Leased)}
            with self._leases.held(leased):
                for key, claim in claims.items():
                    if isinstance(claim, Done):
                        found[key] = claim.values.arrays
                        self.counts.cached += 1
                    elif isinstance(claim, Failed):
                        raise JobError(_failure(estimate.statistic, claim.error))
                mine = [(key, leased[key.key]) for key in waiting if key.key in leased]
                found |= self._compute(mine, estimate.statistic, context)
            if any(key.key not in found for key in keys):
                self._rest()
        return stacked([found[key.key] for key in keys])

    def _claim(self, keys: Sequence[SampleKey], max_attempts: int) -> dict[str, Claim[SampleValues]]:
        return self._store.claim_samples(keys, self._owner, LEASE_S, max_attempts)

    def _rest(self) -> None:
        """What is not found by now another process computes, or no worker of ours may: nobody waits for our leases."""
        self._pool.rest(BUSY_POLL_S)
        self._on_tick()
        while not self._pool.num_workers:
            self._pool.rest(BUSY_POLL_S)
            self._on_tick()

    def _compute(
        self, mine: Sequence[tuple[SampleKey, int]], statistic: Statistic, context: Context
    ) -> dict[str, Arrays]:
        """Compute what is leased to this process."""
        num_workers = max(1, self._pool.num_workers)
        pieces = cut_runs([key.number for key, _ in mine], num_workers * PIECES_PER_WORKER)
        leased = {key.number: (key, attempt) for key, attempt in mine}
        tasks = [
            Task(
                method="estimate",
                arguments=(statistic, context.text, context.dense, start, stop),
                max_attempts=PATIENT_ATTEMPTS,
            )
            for start, stop in pieces
        ]
        done: dict[str, Arrays] = {}
        for finished in self._pool.run(tasks, waits=False):
            if finished is not None:
                start, stop = pieces[finished.index]
                held = [leased[number] for number in range(start, stop)]
                if finished.error is not None:
                    for key, attempt in held:
                        self._store.fail_sample(key.key, self._owner, attempt, finished.error, permanent=False)
                    raise JobError(_failure(statistic, finished.error))
                samples, seconds = finished.value
                done |= self._keep(held, samples, statistic, context, seconds / len(held))
            self._leases.beat()
            self._on_tick()
        return done

    def _keep(
        self,
        held: Sequence[tuple[SampleKey, int]],
        samples: Samples,
        statistic: Statistic,
        context: Context,
        seconds: float,
    ) -> dict[str, Arrays]:
        cost = statistic.passes(context.stream.length)
        self.counts.computed_tokens += sampled(statistic, len(held), context.stream.length, context.anatomy).computed
        kept: dict[str, Arrays] = {}
        for row, (key, attempt) in enumerate(held):
            arrays = {name: array[row] for name, array in samples.items()}
            values = SampleValues(
                arrays=arrays,
                forward_tokens=cost.forward_tokens,
                backward_tokens=cost.backward_tokens,
                seconds=seconds,
            )
            self._store.complete_sample(key.key, self._owner, attempt, values)
            kept[key.key] = arrays
        self._count(cost * len(held), len(held))
        return kept

    def _count(self, cost: Passes, count: int) -> None:
        self.counts.computed += count
        self.counts.forward_tokens += cost.forward_tokens
        self.counts.backward_tokens += cost.backward_tokens
        self.tokens_done += cost.total_tokens


def sample_keys(estimate: Estimate, context: Context) -> list[SampleKey]:
    """Content alone: the statistic and its settings, the weights, the bank entries and the exact tokens it reads."""
    statistic = estimate.statistic
    num_sequences = statistic.num_sequences(context.stream.length)
    parts = {
        "statistic": contents(statistic),
        "model": context.model,
        "entries": [[name, context.bank.key(name, option)] for name, option in statistic.entries()],
        "stream": context.stream.key(num_sequences) if num_sequences else None,
        "length": context.stream.length if num_sequences else None,
        "dtype": context.dtype,
        "dense": context.dense_layout,
    }
    subject = hashed(parts)
    return [
        SampleKey(key=hashed([subject, number]), subject=subject, statistic=statistic.name, number=number)
        for number in range(estimate.start, estimate.stop)
    ]


def cut_runs(numbers: Iterable[int], num_pieces: int) -> list[tuple[int, int]]:
    """(start, stop) of about ``num_pieces`` pieces of consecutive numbers that cover ``numbers``, which rise."""
    ordered = list(numbers)
    length = max(1, -(-len(ordered) // num_pieces))
    pieces = []
    for _, run in itertools.groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        for first in range(0, len(members), length):
            piece = members[first : first + length]
            pieces.append((piece[0], piece[-1] + 1))
    return pieces


def stacked(rows: Sequence[Arrays]) -> Samples:
    """One array for each name, with one row for each sample."""
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _failure(statistic: Statistic, error: str) -> str:
    return f"{statistic.name} could not be computed: {error}; use another score, or run again once that is mended"
