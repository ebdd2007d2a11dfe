"""Evaluations, each made once: a lease says who makes it, and what was measured stays.

A lease ends after its time to live, so that an evaluation outlives the process that was making it; ``attempt``
fences a late result off. Rows are locked in the order of their keys, so that no two transactions wait for each
other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, and_, func, select, update

from spaces.errors import InputError
from store.clock import as_datetime, now_s
from store.database import Database, batches
from store.leases import fail_abandoned, is_abandoned, is_held, take_lease
from store.records import Busy, Claim, Done, EvaluationKey, EvaluationStats, Failed, Leased, Values
from store.tables import EVALUATION

MAX_ATTEMPTS = 2  # a candidate that killed two workers is not given to a third
STORED_FLOAT = np.dtype("<f8")

_columns = EVALUATION.c


class Evaluations(Database):
    """The evaluations of a store."""

    def claim(self, key: EvaluationKey, *, owner: str, ttl_s: float, max_attempts: int = MAX_ATTEMPTS) -> Claim:
        """Ask to make one evaluation: leased to ``owner`` for ``ttl_s`` seconds, or why it is not."""
        return self.claim_many([key], owner, ttl_s, max_attempts)[key.key]

    def claim_many(
        self, keys: Iterable[EvaluationKey], owner: str, ttl_s: float, max_attempts: int = MAX_ATTEMPTS
    ) -> dict[str, Claim]:
        """Claim several evaluations at once; the answer to each, by its key.

        ``owner`` names one process for ever, such as host, process id and a random part. An evaluation that
        ``max_attempts`` leases did not finish is answered ``Failed``.
        """
        wanted = {key.key: key for key in keys}
        claims: dict[str, Claim] = {}
        with self._writing() as connection:
            lease = take_lease(self._insert(EVALUATION), owner, ttl_s, max_attempts)
            for batch in batches(sorted(wanted)):
                leased = connection.execute(lease, [_named(wanted[key]) for key in batch])
                claims |= {key: Leased(attempt=attempt) for key, attempt in leased}
                others = [key for key in batch if key not in claims]
                fail_abandoned(connection, others, max_attempts)
                claims |= _answers(connection, others)
        return claims

    def complete(self, key: str, owner: str, attempt: int, values: Values) -> bool:
        """Keep what was measured; False where the lease was lost, and the result is dropped.

        Raises:
            InputError: there is not one value for each sequence of the evaluation.
        """
        measured = {"kl": _encode(values.kl), "nll": _encode(values.nll), "seconds": values.seconds}
        statement = (
            update(EVALUATION)
            .where(is_held(owner), _columns.key == key, _columns.attempt == attempt)
            .values(state="done", lease_until=None, finished_at=now_s(), **measured)
            .returning(_columns.num_sequences)
        )
        with self._writing() as connection:
            num_sequences = connection.execute(statement).scalar_one_or_none()
            if num_sequences not in (None, len(values.kl)):
                raise InputError(
                    f"evaluation {key} must have one value for each of its {num_sequences} sequences, "
                    f"got {len(values.kl)}; claim the key of the sequences that were read"
                )
        return num_sequences is not None

    def fail(self, key: str, owner: str, attempt: int, error: str, *, permanent: bool) -> bool:
        """Give the evaluation up; False where the lease was lost.

        A ``permanent`` failure would come again (NaN in the logits): it is kept as a result. Any other may be
        claimed again, by anyone, until its attempts are used up.
        """
        statement = (
            update(EVALUATION)
            .where(is_held(owner), _columns.key == key, _columns.attempt == attempt)
            .values(state="failed", lease_until=None, finished_at=now_s(), error=error, is_permanent=permanent)
        )
        with self._writing() as connection:
            return connection.execute(statement).rowcount == 1

    def release(self, keys: Iterable[str], owner: str) -> int:
        """Give leases back, free to claim at once and not counted as attempts; how many there were."""
        return self._change_held(keys, owner, state="released", excused=_columns.excused + 1, lease_until=None)

    def holders(self) -> set[str]:
        """The owners of leases that have not ended."""
        statement = select(_columns.owner).where(_columns.state == "in_flight").distinct()
        with self._reading() as connection:
            return set(connection.scalars(statement))

    def release_all(self, owner: str) -> int:
        """Give back every lease of an owner that is known to be gone; how many there were."""
        held = select(_columns.key).where(is_held(owner))
        with self._reading() as connection:
            keys = connection.scalars(held).all()
        return self.release(keys, owner)

    def heartbeat(self, keys: Iterable[str], owner: str, ttl_s: float) -> int:
        """Renew leases to ``ttl_s`` seconds from now; how many are still the owner's. Call every ``ttl_s / 3``."""
        return self._change_held(keys, owner, lease_until=now_s() + ttl_s)

    def expire(self, max_attempts: int = MAX_ATTEMPTS) -> int:
        """Fail the evaluations whose last allowed holder is gone; how many there were."""
        gone = select(_columns.key).where(is_abandoned(max_attempts)).order_by(_columns.key).with_for_update()
        with self._writing() as connection:
            keys = connection.scalars(gone).all()
            return sum(fail_abandoned(connection, batch, max_attempts) for batch in batches(keys))

    def find(self, keys: Iterable[str]) -> dict[str, Values]:
        """The finished evaluations among ``keys``."""
        found: dict[str, Values] = {}
        with self._reading() as connection:
            for batch in batches(keys):
                rows = connection.execute(select(EVALUATION).where(_columns.key.in_(batch), _columns.state == "done"))
                found |= {row.key: _values(row) for row in rows}
        return found

    def prefixes(self, subjects: Iterable[str]) -> dict[str, list[tuple[EvaluationKey, Values]]]:
        """The finished evaluations of each subject that has any, the one of most sequences first.

        Evaluations of different streams stand side by side: ``EvaluationKey.stream`` tells them apart.
        """
        found: dict[str, list[tuple[EvaluationKey, Values]]] = {}
        longest_first = select(EVALUATION).order_by(_columns.num_sequences.desc(), _columns.key)
        with self._reading() as connection:
            for batch in batches(dict.fromkeys(subjects)):
                done = longest_first.where(_columns.subject.in_(batch), _columns.state == "done")
                for row in connection.execute(done):
                    found.setdefault(row.subject, []).append((_key(row), _values(row)))
        return found

    def evaluation_stats(self) -> EvaluationStats:
        """How many evaluations are in each state."""
        statement = select(_columns.state, func.count().label("number")).group_by(_columns.state)
        with self._reading() as connection:
            return EvaluationStats(**{row.state: row.number for row in connection.execute(statement)})

    def _change_held(self, keys: Iterable[str], owner: str, **changes: object) -> int:
        num_changed = 0
        with self._writing() as connection:
            for batch in batches(sorted(set(keys))):
                held = and_(_columns.key.in_(batch), is_held(owner))
                connection.execute(select(_columns.key).where(held).order_by(_columns.key).with_for_update())
                num_changed += connection.execute(update(EVALUATION).where(held).values(changes)).rowcount
        return num_changed


def _answers(connection: Connection, keys: Sequence[str]) -> dict[str, Claim]:
    """Why each of these evaluations, none of which is free to lease, is not."""
    statement = select(EVALUATION, now_s().label("now_s")).where(_columns.key.in_(keys))
    return {row.key: _answer(row) for row in connection.execute(statement)}


def _answer(row: Row[tuple[object, ...]]) -> Claim:
    if row.state == "done":
        return Done(values=_values(row))
    if row.state == "in_flight":
        return Busy(until=as_datetime(row.lease_until), remaining_s=max(0.0, row.lease_until - row.now_s))
    return Failed(error=row.error or f"given back after {row.attempt} attempts")


def _named(key: EvaluationKey) -> dict[str, object]:
    return {
        "key": key.key,
        "subject": key.subject,
        "stream": key.stream,
        "num_sequences": key.num_sequences,
    }


def _key(row: Row[tuple[object, ...]]) -> EvaluationKey:
    return EvaluationKey(key=row.key, subject=row.subject, stream=row.stream, num_sequences=row.num_sequences)


def _values(row: Row[tuple[object, ...]]) -> Values:
    return Values(kl=_decode(row.kl), nll=_decode(row.nll), seconds=row.seconds)


def _encode(array: NDArray[np.float64]) -> bytes:
    return array.astype(STORED_FLOAT, copy=False).tobytes()


def _decode(blob: bytes) -> NDArray[np.float64]:  # read-only
    return np.frombuffer(blob, dtype=STORED_FLOAT).astype(np.float64, copy=False)
