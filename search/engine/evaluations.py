"""Evaluations by content: asked of the store first, leased, spread over the workers, and kept."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import NamedTuple

import numpy as np

from compressors.bank import Bank
from evaluators.evaluator import METRIC_VERSION, Measurement, batch_sequences
from evaluators.stream import Stream
from evaluators.trie import route, walk
from search.engine.leases import BUSY_POLL_S, LEASE_S, Leases, claimed
from search.engine.pieces import Piece, cut
from search.engine.pool import Finished, Pool, Task
from search.engine.worker import Text
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.option import DROP, Banked
from store.holders import name_owner
from store.records import Claim, Done, EvaluationKey, Failed, Leased, Values
from store.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What an evaluation depends on beside the candidate: all but the anatomy goes into its key."""

    text: Text
    stream: Stream
    anatomy: Anatomy  # says in which order candidates share the most
    model: str  # hash of its weights and settings
    bank: Bank
    dtype: str
    dense: Path  # where the dense model's logits of this text are
    dense_layout: str  # full or top-k: they measure different numbers


@dataclass(kw_only=True)
class Counts:
    """What a job's evaluations cost so far."""

    computed: int = 0
    cached: int = 0
    tokens: int = 0  # read
    computed_tokens: float = 0.0  # what came of sharing blocks: fractions of a token are the rest of a pass


class _Mine(NamedTuple):
    """One evaluation that is leased to this process."""

    candidate: Configuration
    key: EvaluationKey
    attempt: int


@dataclass(kw_only=True)
class _UnderWay:
    """An evaluation of which some sequences are measured."""

    mine: _Mine
    known: Measurement  # of the first sequences wanted, from a shorter evaluation
    wanted: range
    begun: float
    parts: dict[int, Measurement] = field(default_factory=dict)  # by their first sequence

    @property
    def start(self) -> int:
        """The first sequence that is not known."""
        return self.wanted.start + len(self.known.kl)

    @property
    def is_whole(self) -> bool:
        return self.start + sum(len(part.kl) for part in self.parts.values()) == self.wanted.stop

    def joined(self) -> Measurement:
        return reduce(add, (self.parts[first] for first in sorted(self.parts)), self.known)


class Evaluations:
    """Measures candidates, each once: in this batch, in this store, and by one worker at a time."""

    def __init__(
        self,
        store: Store,
        pool: Pool,
        on_tick: Callable[[], None] = lambda: None,
        on_subjects: Callable[[Collection[str]], None] = lambda subjects: None,
    ) -> None:
        self.counts = Counts()
        self.tokens_done = 0  # within the current call, for the time left
        self.fresh: set[Configuration] = set()  # what the current call computed, rather than find it in the store
        self._on_subjects = on_subjects
        self._store = store
        self._pool = pool
        self._on_tick = on_tick
        self._owner = name_owner()
        self._leases = Leases(self._owner, store.release, store.heartbeat)

    def measure(
        self, candidates: Sequence[Configuration], num_sequences: int, context: Context, first: int = 0
    ) -> list[Measurement]:
        """The measurements of ``candidates`` on the ``num_sequences`` sequences from ``first`` on, in the order asked.

        Raises:
            InputError: the stream does not have these sequences.
            Halted: as ``Pool.run``; what was measured whole is kept, and leases are given back.
        """
        self.tokens_done, self.fresh = 0, set()
        distinct = dict.fromkeys(candidates)
        keys = {candidate: evaluation_key(candidate, num_sequences, context, first) for candidate in distinct}
        self._on_subjects({key.subject for key in keys.values()})
        found: dict[str, Measurement] = {}
        waiting = {key.key: (candidate, key) for candidate, key in keys.items()}
        is_first = True
        while waiting:
            claims = claimed(self._claim, [key for _, key in waiting.values()])
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
                found |= self._compute(mine, range(first, first + num_sequences), context)
            waiting = {key: pair for key, pair in waiting.items() if key not in found}
            if waiting:
                self._rest()
            is_first = False
        return [found[keys[candidate].key] for candidate in candidates]

    def _claim(self, keys: Sequence[EvaluationKey], max_attempts: int) -> dict[str, Claim[Values]]:
        return self._store.claim_many(keys, self._owner, LEASE_S, max_attempts)

    def _rest(self) -> None:
        """What is not found by now another process measures, or no worker of ours may: nobody waits for our leases."""
        self._pool.rest(BUSY_POLL_S)
        self._on_tick()
        while not self._pool.num_workers:
            self._pool.rest(BUSY_POLL_S)
            self._on_tick()

    def _compute(self, mine: Sequence[_Mine], wanted: range, context: Context) -> dict[str, Measurement]:
        """Measure what is leased to this process; only the sequences that no shorter evaluation has read yet."""
        turns = walk([route(each.candidate, context.anatomy) for each in mine])
        ordered = [mine[turn.number] for turn in turns]
        known = self._prefixes([each.key for each in ordered], wanted, context)
        begun = time.perf_counter()
        under_way = [_UnderWay(mine=each, known=known[each.key.key], wanted=wanted, begun=begun) for each in ordered]
        batch = batch_sequences(context.stream.length)
        pieces = cut([each.start for each in under_way], wanted.stop, batch, max(1, self._pool.num_workers))
        done: dict[str, Measurement] = {}
        while pieces:
            alone: list[Piece] = []  # of tasks whose worker died: one of the candidates may be the culprit
            whole: list[_UnderWay] = []  # not stored yet
            for finished in self._pool.run([_task(piece, ordered, context) for piece in pieces], waits=False):
                if finished is not None:
                    piece = pieces[finished.index]
                    if finished.error is not None and len(piece.numbers) > 1:
                        logger.warning("%s; its %d candidates are tried alone", finished.error, len(piece.numbers))
                        alone += piece.split()
                    else:
                        self._count(piece, finished, context)
                        whole += self._take(finished, piece, [under_way[number] for number in piece.numbers])
                    if finished.is_last:
                        done |= self._keep(whole)
                        whole = []
                self._leases.beat()
                self._on_tick()
            pieces = alone
        return done

    def _count(self, piece: Piece, finished: Finished, context: Context) -> None:
        tokens = piece.num_sequences * context.stream.length
        self.tokens_done += tokens
        self.counts.tokens += tokens
        self.counts.computed_tokens += finished.value[1] if finished.error is None else 0.0

    def _take(self, finished: Finished, piece: Piece, measured: Sequence[_UnderWay]) -> list[_UnderWay]:
        """Add what a task found to its candidates; those that are whole now."""
        if finished.error is None:
            parts: list[Measurement] = finished.value[0]
        else:
            parts = [_broken(piece.stop - piece.start)] * len(measured)
        for each, part in zip(measured, parts, strict=True):
            if finished.error is not None:
                self._fail(each.mine, finished.error)
            each.parts[piece.start] = part
        return [each for each in measured if each.is_whole]

    def _keep(self, whole: Sequence[_UnderWay]) -> dict[str, Measurement]:
        """Store finished evaluations at once; one that failed in part has failed already, and is only counted."""
        now, found = time.perf_counter(), {each.mine.key.key: each.joined() for each in whole}
        values = {
            (each.mine.key.key, each.mine.attempt): _values(found[each.mine.key.key], now - each.begun)
            for each in whole
        }
        if values:
            self._store.complete_many(self._owner, values)
            self._leases.end(found)
        self.counts.computed += len(whole)
        self.fresh.update(each.mine.candidate for each in whole)
        return found

    def _fail(self, mine: _Mine, error: str) -> None:
        logger.warning("configuration %s could not be measured: %s", mine.candidate.id, error)
        # not for good: it may have been this machine's memory, and a later job may try once more
        self._store.fail(mine.key.key, self._owner, mine.attempt, error, permanent=False)

    def _prefixes(self, keys: Sequence[EvaluationKey], wanted: range, context: Context) -> dict[str, Measurement]:
        """For each key the longest finished evaluation of the same subject on a prefix of the same text.

        What begins elsewhere extends nothing.
        """
        stored = {} if wanted.start else self._store.prefixes({key.subject for key in keys})
        known = {}
        for key in keys:
            known[key.key] = Measurement(kl=np.empty(0), nll=np.empty(0))
            for shorter, values in stored.get(key.subject, []):
                length = shorter.num_sequences
                if length < len(wanted) and shorter.stream == context.stream.key(length):
                    known[key.key] = Measurement(kl=values.kl, nll=values.nll)
                    break
        return known


def evaluation_key(candidate: Configuration, num_sequences: int, context: Context, first: int = 0) -> EvaluationKey:
    """Content alone: the weights and bank entries that take part, the metric, and the exact tokens."""
    content = {}
    for name, option in candidate.options:
        if isinstance(option, Banked):
            content[name] = context.bank.key(name, option)
        elif option == DROP:
            content[name] = option.slug
    parts = {
        "model": context.model,
        "content": content,
        "metric": METRIC_VERSION,
        "dtype": context.dtype,
        "dense": context.dense_layout,
    }
    subject = hashed(parts)
    stream = context.stream.key(num_sequences, first)
    return EvaluationKey(
        key=hashed([subject, stream, num_sequences]), subject=subject, stream=stream, num_sequences=num_sequences
    )


def hashed(content: object) -> str:
    """SHA-256, in hex, of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _task(piece: Piece, ordered: Sequence[_Mine], context: Context) -> Task:
    candidates = [ordered[number].candidate for number in piece.numbers]
    arguments = (context.text, context.dense, candidates, piece.start, piece.stop)
    return Task(method="measure_each", arguments=arguments, is_divisible=len(candidates) > 1)


def _values(measurement: Measurement, seconds: float) -> Values:
    return Values(kl=measurement.kl, nll=measurement.nll, seconds=seconds)


def _broken(num_sequences: int) -> Measurement:
    """A candidate that cannot be measured loses to every other."""
    return Measurement(kl=np.full(num_sequences, np.inf), nll=np.full(num_sequences, np.inf))
