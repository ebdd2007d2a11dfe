"""The store: everything a search has to remember, in one database."""

from __future__ import annotations

from store.evaluations import Evaluations
from store.jobs import Jobs


class Store(Evaluations, Jobs):
    """Evaluations, jobs and events in SQLite or PostgreSQL; every method is one transaction.

    ``with Store.open(url) as store: ...`` closes it at the end. A database that fails midway raises
    ``spaces.errors.JobError``, and what was finished before stays.
    """
