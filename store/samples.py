"""Samples of statistics, each computed once: leased and kept as evaluations are."""

from __future__ import annotations

from collections.abc import Iterable

from spaces.errors import JobError
from store.arrays import checksum_of, pack, unpack
from store.database import Database
from store.leases import MAX_ATTEMPTS, AnyRow, LeaseTable
from store.records import Claim, SampleKey, SampleValues
from store.tables import SAMPLE


class Samples(Database):
    """The samples of a store; what each method says of leases is what its namesake of ``Evaluations`` says.

    A sample whose stored arrays are damaged raises JobError where it is claimed or found: damage there is damage of
    the database, which a new computation would only hide.
    """

    def claim_samples(
        self, keys: Iterable[SampleKey], owner: str, ttl_s: float, max_attempts: int = MAX_ATTEMPTS
    ) -> dict[str, Claim[SampleValues]]:
        """Claim samples; the answer to each, by its key."""
        with self._writing() as connection:
            return SAMPLES.claim(connection, keys, owner, ttl_s, max_attempts)

    def complete_sample(self, key: str, owner: str, attempt: int, values: SampleValues) -> bool:
        """Keep a sample; False where the lease was lost, and the sample is dropped."""
        arrays = pack(values.arrays)
        computed = {
            "arrays": arrays,
            "checksum": checksum_of(arrays),
            "forward_tokens": values.forward_tokens,
            "backward_tokens": values.backward_tokens,
            "seconds": values.seconds,
        }
        with self._writing() as connection:
            return SAMPLES.complete(connection, key, owner, attempt, **computed)

    def fail_sample(self, key: str, owner: str, attempt: int, error: str, *, permanent: bool) -> bool:
        """Give a sample up, for good or until it is claimed again; False where the lease was lost."""
        with self._writing() as connection:
            return SAMPLES.fail(connection, key, owner, attempt, error, is_permanent=permanent)

    def release_samples(self, keys: Iterable[str], owner: str) -> int:
        """Give leases back; how many there were."""
        with self._writing() as connection:
            return SAMPLES.release(connection, keys, owner)

    def heartbeat_samples(self, keys: Iterable[str], owner: str, ttl_s: float) -> int:
        """Renew leases to ``ttl_s`` seconds from now; how many are still the owner's."""
        with self._writing() as connection:
            return SAMPLES.renew(connection, keys, owner, ttl_s)

    def find_samples(self, keys: Iterable[str]) -> dict[str, SampleValues]:
        """The finished samples among ``keys``."""
        with self._reading() as connection:
            return SAMPLES.find(connection, keys)


def _values(row: AnyRow) -> SampleValues:
    try:
        arrays = unpack(row.arrays, row.checksum)
    except ValueError as error:
        raise JobError(
            f"sample {row.number} of {row.statistic} ({row.key}) is damaged in the store: {error}; "
            f"restore the store from a copy, or choose another"
        ) from error
    return SampleValues(
        arrays=arrays,
        forward_tokens=row.forward_tokens,
        backward_tokens=row.backward_tokens,
        seconds=row.seconds,
    )


SAMPLES: LeaseTable[SampleKey, SampleValues] = LeaseTable(table=SAMPLE, result=_values)
