"""Evaluations by content: asked of the store first, leased, spread over the workers, and kept."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import NamedTuple

import numpy as np

from compressors.bank import Bank
from evaluators.evaluator import METRIC_VERSION, Measurement, batch_sequences
from evaluators.stream import Stream
from search.engine.leases import BUSY_POLL_S, LEASE_S, Leases, name_owner
from search.engine.pool import Pool, Task
from search.engine.worker import Text
from spaces.configuration import Configuration
from spaces.option import DROP, Quantize
from store.records import Busy, Done, EvaluationKey, Failed, Leased, Values
from store.store import Store

logger = logging.getLogger(__name__)

PIECES_PER_WORKER = 4  # a batch is cut at least so fine that no worker waits long for the last one


@dataclass(frozen=True, kw_only=True)
class Context:
    """What an evaluation depends on beside the candidate: it goes into every key."""

    text: Text
    stream: Stream
    weights: str  # hash of the model's weights
    bank: Bank
    dtype: str
    dense: Path  # where the dense model's logits of this text are
    dense_layout: str  # full or top-k: they measure different numbers


@dataclass(kw_only=True)
class Counts:
    """What a job's evaluations cost so far."""

    computed: int = 0
    cached: int = 0
    tokens: int = 0


class _Mine(NamedTuple):
    """One evaluation that is leased to this process."""

    candidate: Configuration
    key: EvaluationKey
    attempt: int


class Evaluations:
    """Measures candidates, each once: in this batch, in this store, and by one worker at a time."""

    def __init__(self, store: Store, pool: Pool, on_tick: Callable[[], None] = lambda: None) -> None:
        self.counts = Counts()
        self.tokens_done = 0  # within the current call, for the time left
        self._store = store
        self._pool = pool
        self._on_tick = on_tick
        self._owner = name_owner()
        self._leases = Leases(self._owner, store.release, store.heartbeat)

    def measure(self, candidates: Sequence[Configuration], num_sequences: int, context: Context) -> list[Measurement]:
        """The measurements of ``candidates`` on the first ``num_sequences`` sequences, in the order asked."""
        self.tokens_done = 0
        keys = {candidate: evaluation_key(candidate, num_sequences, context) for candidate in dict.fromkeys(candidates)}
        found: dict[str, Measurement] = {}
        waiting = {key.key: (candidate, key) for candidate, key in keys.items()}
        is_first = True
        while waiting:
            claims = self._store.claim_many([key for _, key in waiting.values()], self._owner, LEASE_S)
            leased = {key: claim.attempt for key, claim in claims.items() if isinstance(claim, Leased)}
            with self._leases.held(leased):
                for key, claim in claims.items():
                    if isinstance(claim, Done):
                        found[key] = Measurement(kl=claim.values.kl, nll=claim.values.nll)
                        self.counts.cached += 1
                    elif isinstance(claim, Failed):
                        found[key] = _broken(num_sequences)
                        self.counts.cached += is_first
                mine = [_Mine(*waiting[key], attempt) for key, attempt in leased.items()]
                found |= self._compute(mine, num_sequences, context)
            waiting = {key: pair for key, pair in waiting.items() if key not in found}
            if any(isinstance(claim, Busy) for claim in claims.values()) and waiting:
                Event().wait(BUSY_POLL_S)  # another process measures it: its result will be ours
                self._on_tick()
            is_first = False
        return [found[keys[candidate].key] for candidate in candidates]

    def _compute(self, mine: Sequence[_Mine], num_sequences: int, context: Context) -> dict[str, Measurement]:
        """Measure what is leased to this process; only the sequences that no shorter evaluation has read yet."""
        known = self._prefixes([each.key for each in mine], num_sequences, context)
        starts = [len(known[each.key.key].kl) for each in mine]
        batch = batch_sequences(context.stream.length)
        pieces = cut(starts, num_sequences, batch, self._pool.num_workers)
        tasks = [
            Task(method="measure", arguments=(context.text, context.dense, mine[number].candidate, start, stop))
            for number, start, stop in pieces
        ]
        parts: list[dict[int, Measurement]] = [{} for _ in mine]
        missing = Counter(number for number, _, _ in pieces)
        begun = time.perf_counter()
        done: dict[str, Measurement] = {}
        for finished in self._pool.run(tasks):
            if finished is not None:
                number, start, stop = pieces[finished.index]
                self._count(stop - start, context)
                if finished.error is not None:
                    self._fail(mine[number], finished.error)
                parts[number][start] = _broken(stop - start) if finished.error is not None else finished.value
                missing[number] -= 1
                if missing[number] == 0:
                    whole = _joined(known[mine[number].key.key], parts[number])
                    done[mine[number].key.key] = self._keep(mine[number], whole, time.perf_counter() - begun)
            self._leases.beat()
            self._on_tick()
        return done

    def _count(self, num_sequences: int, context: Context) -> None:
        self.tokens_done += num_sequences * context.stream.length
        self.counts.tokens += num_sequences * context.stream.length

    def _keep(self, mine: _Mine, whole: Measurement, seconds: float) -> Measurement:
        """Store a finished evaluation; one that failed in part has failed already, and is only counted."""
        self._store.complete(
            mine.key.key, self._owner, mine.attempt, Values(kl=whole.kl, nll=whole.nll, seconds=seconds)
        )
        self.counts.computed += 1
        return whole

    def _fail(self, mine: _Mine, error: str) -> None:
        logger.warning("configuration %s could not be measured: %s", mine.candidate.id, error)
        # not for good: it may have been this machine's memory, and a later job may try once more
        self._store.fail(mine.key.key, self._owner, mine.attempt, error, permanent=False)

    def _prefixes(self, keys: Sequence[EvaluationKey], num_sequences: int, context: Context) -> dict[str, Measurement]:
        """For each key the longest finished evaluation of the same subject on a prefix of the same text."""
        stored = self._store.prefixes({key.subject for key in keys})
        known = {}
        for key in keys:
            known[key.key] = Measurement(kl=np.empty(0), nll=np.empty(0))
            for shorter, values in stored.get(key.subject, []):
                length = shorter.num_sequences
                if length < num_sequences and shorter.stream == context.stream.key(length):
                    known[key.key] = Measurement(kl=values.kl, nll=values.nll)
                    break
        return known


def evaluation_key(candidate: Configuration, num_sequences: int, context: Context) -> EvaluationKey:
    """Content alone: the weights and bank entries that take part, the metric, and the exact tokens."""
    content = {}
    for name, option in candidate.options:
        if isinstance(option, Quantize):
            content[name] = context.bank.key(name, option)
        elif option == DROP:
            content[name] = option.slug
    parts = {
        "weights": context.weights,
        "content": content,
        "metric": METRIC_VERSION,
        "dtype": context.dtype,
        "dense": context.dense_layout,
    }
    subject = hashed(parts)
    stream = context.stream.key(num_sequences)
    return EvaluationKey(
        key=hashed([subject, stream, num_sequences]), subject=subject, stream=stream, num_sequences=num_sequences
    )


def hashed(content: object) -> str:
    """SHA-256, in hex, of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def cut(starts: Sequence[int], stop: int, batch: int, num_workers: int) -> list[tuple[int, int, int]]:
    """(number, first, last) pieces of evaluations that begin at ``starts`` and end at ``stop``.

    Whole batches, counted from sequence 0; evaluations are cut where they are too few to keep all workers busy.
    """
    total = sum(stop - start for start in starts)
    piece = -(-total // (num_workers * PIECES_PER_WORKER * batch)) * batch if num_workers > 1 else stop
    pieces = []
    for number, start in enumerate(starts):
        bounds = [start, *range(start // batch * batch + max(batch, piece), stop, max(batch, piece)), stop]
        pieces += [(number, first, last) for first, last in itertools.pairwise(bounds) if last > first]
    return pieces


def _joined(known: Measurement, parts: Mapping[int, Measurement]) -> Measurement:
    whole = known
    for start in sorted(parts):
        whole = whole + parts[start]
    return whole


def _broken(num_sequences: int) -> Measurement:
    """A candidate that cannot be measured loses to every other."""
    return Measurement(kl=np.full(num_sequences, np.inf), nll=np.full(num_sequences, np.inf))
