"""Evaluations, each made once: a lease says who makes it, and what was measured stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from spaces.errors import InputError
from store.database import Database, batches
from store.leases import MAX_ATTEMPTS, AnyRow, Held, LeaseTable
from store.records import Claim, EvaluationKey, EvaluationStats, Values
from store.tables import EVALUATION

STORED_FLOAT = np.dtype("<f8")

_columns = EVALUATION.c


class Evaluations(Database):
    """The evaluations of a store."""

    def claim(self, key: EvaluationKey, *, owner: str, ttl_s: float, max_attempts: int = MAX_ATTEMPTS) -> Claim[Values]:
        """Ask to make one evaluation: leased to ``owner`` for ``ttl_s`` seconds, or why it is not."""
        return self.claim_many([key], owner, ttl_s, max_attempts)[key.key]

    def claim_many(
        self, keys: Iterable[EvaluationKey], owner: str, ttl_s: float, max_attempts: int = MAX_ATTEMPTS
    ) -> dict[str, Claim[Values]]:
        """Claim several evaluations at once; the answer to each, by its key.

        ``owner`` names one process for ever, such as host, process id and a random part. An evaluation that
        ``max_attempts`` leases did not finish is answered ``Failed``.
        """
        with self._writing() as connection:
            return EVALUATIONS.claim(connection, keys, owner, ttl_s, max_attempts)

    def complete(self, key: str, owner: str, attempt: int, values: Values) -> bool:
        """Keep what was measured; False where the lease was lost, and the result is dropped.

        Raises:
            InputError: there is not one value for each sequence of the evaluation.
        """
        return bool(self.complete_many(owner, {(key, attempt): values}))

    def complete_many(self, owner: str, measured: Mapping[Held, Values]) -> set[str]:
        """Keep what was measured of several evaluations; the keys of those whose lease was not lost.

        Raises:
            InputError: as ``complete``; then none is kept.
        """
        results = {
            held: {"kl": _encode(values.kl), "nll": _encode(values.nll), "seconds": values.seconds}
            for held, values in measured.items()
        }
        with self._writing() as connection:
            kept = EVALUATIONS.complete_many(connection, owner, results)
            for row in kept:
                _check_length(row, len(measured[row.key, row.attempt].kl))
        return {row.key for row in kept}

    def fail(self, key: str, owner: str, attempt: int, error: str, *, permanent: bool) -> bool:
        """Give the evaluation up; False where the lease was lost.

        A ``permanent`` failure would come again (NaN in the logits): it is kept as a result. Any other may be
        claimed again, by anyone, until its attempts are used up.
        """
        with self._writing() as connection:
            return EVALUATIONS.fail(connection, key, owner, attempt, error, is_permanent=permanent)

    def release(self, keys: Iterable[str], owner: str) -> int:
        """Give leases back, free to claim at once and not counted as attempts; how many there were."""
        with self._writing() as connection:
            return EVALUATIONS.release(connection, keys, owner)

    def heartbeat(self, keys: Iterable[str], owner: str, ttl_s: float) -> int:
        """Renew leases to ``ttl_s`` seconds from now; how many are still the owner's. Call every ``ttl_s / 3``."""
        with self._writing() as connection:
            return EVALUATIONS.renew(connection, keys, owner, ttl_s)

    def find(self, keys: Iterable[str]) -> dict[str, Values]:
        """The finished evaluations among ``keys``."""
        with self._reading() as connection:
            return EVALUATIONS.find(connection, keys)

    def prefixes(self, subjects: Iterable[str]) -> dict[str, list[tuple[EvaluationKey, Values]]]:
        """The finished evaluations of each subject that has any, the one of most sequences first.

        Evaluations of different streams stand side by side: ``EvaluationKey.stream`` tells them apart.
        """
        found: dict[str, list[tuple[EvaluationKey, Values]]] = {}
        longest_first = select(EVALUATION).order_by(_columns.num_sequences.desc(), _columns.key)
        with self._reading() as connection:
            for batch in batches(dict.fromkeys(subjects)):
                # asked for what is done of them, SQLite would go through the index of all that is done
                for row in connection.execute(longest_first.where(_columns.subject.in_(batch))):
                    if row.state == "done":
                        found.setdefault(row.subject, []).append((_key(row), _values(row)))
        return found

    def evaluation_stats(self) -> EvaluationStats:
        """How many evaluations are in each state."""
        statement = select(_columns.state, func.count().label("number")).group_by(_columns.state)
        with self._reading() as connection:
            return EvaluationStats(**{row.state: row.number for row in connection.execute(statement)})


def _check_length(row: AnyRow, num_values: int) -> None:
    if row.num_sequences != num_values:
        raise InputError(
            f"evaluation {row.key} must have one value for each of its {row.num_sequences} sequences, "
            f"got {num_values}; claim the key of the sequences that were read"
        )


def _key(row: AnyRow) -> EvaluationKey:
    return EvaluationKey(key=row.key, subject=row.subject, stream=row.stream, num_sequences=row.num_sequences)


def _values(row: AnyRow) -> Values:
    return Values(kl=_decode(row.kl), nll=_decode(row.nll), seconds=row.seconds)


def _encode(array: NDArray[np.float64]) -> bytes:
    return array.astype(STORED_FLOAT, copy=False).tobytes()


def _decode(blob: bytes) -> NDArray[np.float64]:  # read-only
    return np.frombuffer(blob, dtype=STORED_FLOAT).astype(np.float64, copy=False)


EVALUATIONS: LeaseTable[EvaluationKey, Values] = LeaseTable(table=EVALUATION, result=_values)
