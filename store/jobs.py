"""Jobs and the events of their progress; a job's state moves only along the moves listed here."""

from __future__ import annotations

import hashlib
import json
import secrets

from sqlalchemy import Connection, Row, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from spaces.errors import InputError, JobError
from store.clock import as_datetime, as_datetime_or_none, now_s
from store.database import Database
from store.records import EventRecord, FinalState, JobRecord, JobState, JsonObject
from store.tables import EVENT, JOB

CAN_START: tuple[JobState, ...] = ("queued", "interrupted", "failed")  # the latter two go on from what was done
CAN_FINISH: tuple[JobState, ...] = ("running", "queued")
ID_BYTES = 6


class Jobs(Database):
    """The jobs of a store."""

    def add_job(self, name: str, spec: JsonObject, job_id: str | None = None) -> JobRecord:
        """Queue a job; ``job_id`` is made up where none is given.

        Raises:
            InputError: there is a job of that id, or JSON cannot hold the spec.
        """
        job_id = job_id or secrets.token_hex(ID_BYTES)
        canonical = _canonical(spec, "spec")
        statement = insert(JOB).values(
            id=job_id,
            name=name,
            spec=json.loads(canonical),
            spec_hash=hashlib.sha256(canonical.encode()).hexdigest(),
            state="queued",
            message="",
            created_at=now_s(),
            last_seq=0,
        )
        try:
            with self._writing() as connection:
                return _job(connection.execute(statement.returning(JOB)).one())
        except IntegrityError as error:
            raise InputError(f"a job's id must be new, got {job_id!r}; leave it out to get one") from error

    def start_job(self, job_id: str) -> JobRecord:
        """Run a job that is queued, or go on with one that was interrupted or failed.

        Raises:
            InputError: there is no such job.
            JobError: it is in another state.
        """
        return self._move(job_id, "running", CAN_START, message="", started_at=now_s(), finished_at=None, report=None)

    def finish_job(
        self, job_id: str, state: FinalState, message: str = "", report: JsonObject | None = None
    ) -> JobRecord:
        """End a job that is running or queued; ``message`` is one sentence for its owner.

        Raises:
            InputError: there is no such job, or JSON cannot hold the report.
            JobError: it has ended already.
        """
        plain = None if report is None else json.loads(_canonical(report, "report", sort_keys=False))
        return self._move(job_id, state, CAN_FINISH, message=message, finished_at=now_s(), report=plain)

    def job(self, job_id: str) -> JobRecord:
        """One job.

        Raises:
            InputError: there is no such job.
        """
        with self._reading() as connection:
            return _find_job(connection, job_id)

    def jobs(self, limit: int = 50, after: str | None = None) -> list[JobRecord]:
        """The newest jobs, newest first; those before the job ``after`` where one is given.

        Raises:
            InputError: there is no job ``after``.
        """
        age = tuple_(JOB.c.created_at, JOB.c.id)
        statement = select(JOB).order_by(JOB.c.created_at.desc(), JOB.c.id.desc()).limit(limit)
        with self._reading() as connection:
            if after is not None:
                _find_job(connection, after)
                cursor = select(JOB.c.created_at, JOB.c.id).where(JOB.c.id == after)
                statement = statement.where(age < cursor.scalar_subquery())
            return [_job(row) for row in connection.execute(statement)]

    def add_event(self, job_id: str, kind: str, payload: JsonObject) -> int:
        """Append to a job's events; the number of the new one.

        Raises:
            InputError: there is no such job, or JSON cannot hold the payload.
        """
        plain = json.loads(_canonical(payload, "payload", sort_keys=False))
        # The row of the job is locked from here to the commit, so numbers are gapless and become visible in order.
        number = update(JOB).where(JOB.c.id == job_id).values(last_seq=JOB.c.last_seq + 1)
        with self._writing() as connection:
            seq: int | None = connection.execute(number.returning(JOB.c.last_seq)).scalar_one_or_none()
            if seq is None:
                raise _unknown(job_id)
            connection.execute(
                insert(EVENT).values(job_id=job_id, seq=seq, kind=kind, payload=plain, created_at=now_s())
            )
        return seq

    def events(self, job_id: str, after: int = 0, limit: int = 1000) -> list[EventRecord]:
        """The job's events numbered above ``after``, in order."""
        statement = select(EVENT).where(EVENT.c.job_id == job_id, EVENT.c.seq > after)
        with self._reading() as connection:
            return [_event(row) for row in connection.execute(statement.order_by(EVENT.c.seq).limit(limit))]

    def _move(self, job_id: str, state: JobState, origins: tuple[JobState, ...], **changes: object) -> JobRecord:
        statement = (
            update(JOB)
            .where(JOB.c.id == job_id, JOB.c.state.in_(origins))
            .values(state=state, **changes)
            .returning(JOB)
        )
        with self._writing() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None:
                current = _find_job(connection, job_id).state
                raise JobError(
                    f"job {job_id} is {current} and cannot become {state}: it would have to be {' or '.join(origins)}"
                )
            return _job(row)


def _find_job(connection: Connection, job_id: str) -> JobRecord:
    row = connection.execute(select(JOB).where(JOB.c.id == job_id)).one_or_none()
    if row is None:
        raise _unknown(job_id)
    return _job(row)


def _unknown(job_id: str) -> InputError:
    return InputError(f"the store has no job {job_id!r}; list its jobs to see their ids")


def _canonical(value: JsonObject, noun: str, *, sort_keys: bool = True) -> str:
    try:
        return json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"a job's {noun} must be plain JSON with finite numbers: {error}") from error


def _job(row: Row[tuple[object, ...]]) -> JobRecord:
    return JobRecord(
        id=row.id,
        name=row.name,
        spec=row.spec,
        spec_hash=row.spec_hash,
        state=row.state,
        message=row.message,
        created_at=as_datetime(row.created_at),
        started_at=as_datetime_or_none(row.started_at),
        finished_at=as_datetime_or_none(row.finished_at),
        report=row.report,
        last_seq=row.last_seq,
    )


def _event(row: Row[tuple[object, ...]]) -> EventRecord:
    return EventRecord(
        job_id=row.job_id,
        seq=row.seq,
        kind=row.kind,
        payload=row.payload,
        created_at=as_datetime(row.created_at),
    )
