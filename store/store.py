"""The store: everything a search has to remember, in one database."""

from __future__ import annotations

from store.answers import Answers
from store.artifacts import Artifacts
from store.candidates import Candidates
from store.evaluations import EVALUATIONS, Evaluations
from store.events import Events
from store.jobs import Jobs
from store.leases import MAX_ATTEMPTS
from store.maintenance import Maintenance
from store.queue import Queue
from store.running import Running
from store.samples import SAMPLES, Samples
from store.tokens import Tokens
from store.workers import Workers

LEASED = (EVALUATIONS, SAMPLES)  # every transaction on several of them goes in this order


class Store(
    Evaluations, Samples, Jobs, Queue, Running, Events, Candidates, Answers, Artifacts, Workers, Tokens, Maintenance
):
    """The cache and the jobs, in SQLite or PostgreSQL; every method is one transaction.

    ``with Store.open(url) as store: ...`` closes it at the end. A database that fails midway raises
    ``spaces.errors.JobError``, and ``UnreachableError`` where it does not answer; what was finished before stays.
    """

    def holders(self) -> set[str]:
        """The owners of leases, on evaluations and samples, that were neither ended nor given back."""
        with self._reading() as connection:
            return {owner for work in LEASED for owner in work.holders(connection)}

    def release_all(self, owner: str) -> int:
        """Give back every lease of an owner that is known to be gone; how many there were."""
        with self._writing() as connection:
            return sum(work.release_all(connection, owner) for work in LEASED)

    def expire(self, max_attempts: int = MAX_ATTEMPTS) -> int:
        """Fail the evaluations and samples whose last allowed holder is gone; how many there were."""
        with self._writing() as connection:
            return sum(work.expire(connection, max_attempts) for work in LEASED)
