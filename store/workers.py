"""The workers of running jobs, as their job processes last saw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import delete, insert, select

from store.clock import as_datetime, now_s
from store.database import Database
from store.job_rows import lock_row
from store.records import WorkerRecord
from store.tables import WORKER


class Workers(Database):
    """The workers of a store's jobs."""

    def report_workers(self, job_id: str, attempt: int, workers: Sequence[WorkerRecord]) -> None:
        """These are the job's workers now; the time of each is the database's.

        Raises:
            UnknownError: there is no such job.
            LeaseLostError: a later attempt has it.
        """
        rows = [{**asdict(worker), "job_id": job_id, "updated_at": now_s()} for worker in workers]
        with self._writing() as connection:
            lock_row(connection, job_id, attempt)
            connection.execute(delete(WORKER).where(WORKER.c.job_id == job_id))
            if rows:
                connection.execute(insert(WORKER).values(rows))

    def workers(self, max_age_s: float = 30.0) -> list[WorkerRecord]:
        """The workers of all jobs that were reported within so long, by job and id."""
        statement = select(WORKER).where(WORKER.c.updated_at > now_s() - max_age_s)
        with self._reading() as connection:
            rows = connection.execute(statement.order_by(WORKER.c.job_id, WORKER.c.id)).all()
        return [WorkerRecord(**{**row._mapping, "updated_at": as_datetime(row.updated_at)}) for row in rows]
