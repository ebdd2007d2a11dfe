"""The events of jobs: numbered 1, 2, 3, ... within each, without gaps, so that any reader can go on from any number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from store.clock import as_datetime
from store.database import Database
from store.job_rows import append_event, plain
from store.records import EventRecord, JsonObject
from store.tables import EVENT, JOB

JOBS_AT_ONCE = 100  # each is a term of one condition, and SQLite nests at most 1,000


class Events(Database):
    """The events of a store."""

    def add_event(self, job_id: str, kind: str, payload: JsonObject, *, attempt: int | None = None) -> int:
        """Append to a job's events; the number of the new one.

        Raises:
            UnknownError: there is no such job.
            LeaseLostError: an ``attempt`` is given, and a later one has the job.
            InputError: JSON cannot hold the payload.
        """
        content = plain(payload, "payload")
        with self._writing() as connection:
            return append_event(connection, job_id, kind, content, attempt)

    def events(self, job_id: str, after: int = 0, limit: int = 1000, kinds: Collection[str] = ()) -> list[EventRecord]:
        """The job's events numbered above ``after``, in order; of some ``kinds`` only where any are given."""
        statement = select(EVENT).where(EVENT.c.job_id == job_id, EVENT.c.seq > after)
        if kinds:
            statement = statement.where(EVENT.c.kind.in_(sorted(kinds)))
        with self._reading() as connection:
            return [_event(row) for row in connection.execute(statement.order_by(EVENT.c.seq).limit(limit))]

    def events_after(self, marks: Mapping[str, int], limit: int = 1000) -> list[EventRecord]:
        """The events of several jobs, each job's in order, numbered above its mark; at most ``limit`` in all."""
        found: list[EventRecord] = []
        with self._reading() as connection:
            news = _news(connection, marks)
            for start in range(0, len(news), JOBS_AT_ONCE):
                part = news[start : start + JOBS_AT_ONCE]
                is_new = or_(*(and_(EVENT.c.job_id == job_id, EVENT.c.seq > marks[job_id]) for job_id in part))
                statement = select(EVENT).where(is_new).order_by(EVENT.c.job_id, EVENT.c.seq)
                found += [_event(row) for row in connection.execute(statement.limit(limit - len(found)))]
        return found

    def last_events(self, job_ids: Collection[str]) -> dict[str, EventRecord]:
        """The latest event of each of these jobs, by the job's id."""
        is_last = and_(EVENT.c.job_id == JOB.c.id, EVENT.c.seq == JOB.c.last_seq)
        statement = select(EVENT).join(JOB, is_last).where(JOB.c.id.in_(sorted(job_ids)))
        with self._reading() as connection:
            return {row.job_id: _event(row) for row in connection.execute(statement)}


def _news(connection: Connection, marks: Mapping[str, int]) -> list[str]:
    """The jobs that have events above their marks."""
    found: list[str] = []
    ids = sorted(marks)
    for start in range(0, len(ids), JOBS_AT_ONCE):
        last = select(JOB.c.id, JOB.c.last_seq).where(JOB.c.id.in_(ids[start : start + JOBS_AT_ONCE]))
        found += [row.id for row in connection.execute(last) if row.last_seq > marks[row.id]]
    return sorted(found)


def _event(row: Row[Any]) -> EventRecord:
    return EventRecord(
        job_id=row.job_id,
        seq=row.seq,
        kind=row.kind,
        payload=row.payload,
        created_at=as_datetime(row.created_at),
    )
