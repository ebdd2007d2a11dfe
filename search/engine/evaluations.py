"""Evaluations by content: asked of the store first, leased, spread over the workers, and kept."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np

from compressors.bank import Bank
from evaluators.evaluator import METRIC_VERSION, Measurement, batch_sequences
from evaluators.stream import Stream
from search.engine.pool import Pool, Task
from search.engine.worker import Text
from spaces.configuration import Configuration
from spaces.option import DROP, Quantize
from store.records import Busy, Done, EvaluationKey, Failed, Leased, Values
from store.store import Store

LEASE_S = 60.0
HEARTBEAT_S = LEASE_S / 3
BUSY_POLL_S = 0.5
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


class Evaluations:
    """Measures candidates, each once: in this batch, in this store, and by one worker at a time."""

    def __init__(self, store: Store, pool: Pool, on_tick: Callable[[], None] = lambda: None) -> None:
        self.counts = Counts()
        self.tokens_done = 0  # within the current call, for the time left
        self._store = store
        self._pool = pool
        self._on_tick = on_tick
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

    def measure(self, candidates: Sequence[Configuration], num_sequences: int, context: Context) -> list[Measurement]:
        """The measurements of ``candidates`` on the first ``num_sequences`` sequences, in the order asked."""
        self.tokens_done = 0
        keys = {candidate: _key(candidate, num_sequences, context) for candidate in dict.fromkeys(candidates)}
        found: dict[str, Measurement] = {}
        waiting = {key.key: (candidate, key) for candidate, key in keys.items()}
        is_first = True
        while waiting:
            claims = self._store.claim_many([key for _, key in waiting.values()], self._owner, LEASE_S)
            leased = {key: claim.attempt for key, claim in claims.items() if isinstance(claim, Leased)}
            with self._leases(leased):
                for key, claim in claims.items():
                    if isinstance(claim, Done):
                        found[key] = Measurement(kl=claim.values.kl, nll=claim.values.nll)
                        self.counts.cached += 1
                    elif isinstance(claim, Failed):
                        found[key] = _broken(num_sequences)
                        self.counts.cached += is_first
                mine = [(*waiting[key], attempt) for key, attempt in leased.items()]
                found |= self._compute(mine, num_sequences, context)
            waiting = {key: pair for key, pair in waiting.items() if key not in found}
            if any(isinstance(claim, Busy) for claim in claims.values()) and waiting:
                Event().wait(BUSY_POLL_S)  # another process measures it: its result will be ours
                self._on_tick()
            is_first = False
        return [found[keys[candidate].key] for candidate in candidates]

    def _compute(
        self, mine: Sequence[tuple[Configuration, EvaluationKey, int]], num_sequences: int, context: Context
    ) -> dict[str, Measurement]:
        """Measure what is leased to this process; only the sequences that no shorter evaluation has read yet."""
        known = self._prefixes([key for _, key, _ in mine], num_sequences, context)
        pieces = _cut(
            [(number, len(known[key.key].kl)) for number, (_, key, _) in enumerate(mine)],
            num_sequences,
            batch_sequences(context.stream.length),
            self._pool.num_workers,
        )
        tasks = [
            Task(method="measure", arguments=(context.text, context.dense, mine[number][0], start, stop))
            for number, start, stop in pieces
        ]
        parts: dict[int, dict[int, Measurement]] = {number: {} for number in range(len(mine))}
        open_pieces = [sum(number == piece[0] for piece in pieces) for number in range(len(mine))]
        begun = time.perf_counter()
        done: dict[str, Measurement] = {}
        for finished in self._pool.run(tasks):
            if finished is not None:
                number, start, stop = pieces[finished.index]
                _, key, attempt = mine[number]
                self.tokens_done += (stop - start) * context.stream.length
                self.counts.tokens += (stop - start) * context.stream.length
                open_pieces[number] -= 1
                if finished.error is not None:
                    self._store.fail(key.key, self._owner, attempt, finished.error, permanent=False)
                    parts[number][start] = _broken(stop - start)
                else:
                    parts[number][start] = finished.value
                if open_pieces[number] == 0:
                    whole = _joined(known[key.key], parts[number])
                    values = Values(kl=whole.kl, nll=whole.nll, seconds=time.perf_counter() - begun)
                    self._store.complete(key.key, self._owner, attempt, values)
                    self.counts.computed += 1
                    done[key.key] = whole
            self._beat()
            self._on_tick()
        return done

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

    @contextmanager
    def _leases(self, leased: Mapping[str, int]) -> Iterator[None]:
        """Hold leases for a while; whatever is left of them is given back, on Ctrl-C too."""
        self._held = list(leased)
        self._last_beat = time.monotonic()
        try:
            yield
        finally:
            self._store.release(self._held, self._owner)
            self._held = []

    def _beat(self) -> None:
        if time.monotonic() - self._last_beat >= HEARTBEAT_S:
            self._store.heartbeat(self._held, self._owner, LEASE_S)
            self._last_beat = time.monotonic()


def _key(candidate: Configuration, num_sequences: int, context: Context) -> EvaluationKey:
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
    subject = _hash(parts)
    stream = context.stream.key(num_sequences)
    return EvaluationKey(
        key=_hash([subject, stream, num_sequences]), subject=subject, stream=stream, num_sequences=num_sequences
    )


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _cut(starts: Iterable[tuple[int, int]], stop: int, batch: int, num_workers: int) -> list[tuple[int, int, int]]:
    """(number, first, last) pieces: whole batches, several to an evaluation where there are few evaluations."""
    wanted = list(starts)
    total = sum(stop - start for _, start in wanted)
    piece = max(batch, -(-total // (num_workers * PIECES_PER_WORKER * batch)) * batch) if num_workers > 1 else stop
    pieces = []
    for number, start in wanted:
        bounds = [start, *range((start // batch) * batch + piece, stop, piece), stop]
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
