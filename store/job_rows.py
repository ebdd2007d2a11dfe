"""Rows of jobs: locked, changed with an event in the same transaction, and read into records."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from sqlalchemy import Connection, Row, delete, insert, select, update

from spaces.errors import InputError, LeaseLostError, UnknownError
from store.clock import as_datetime, as_datetime_or_none, now_s
from store.moves import ACTIVE_STATES, RESTING_STATES, Standing
from store.records import FINAL_STATES, JobRecord, JobState, JsonObject
from store.tables import EVENT, JOB, WORKER

AnyRow = Row[Any]


def find_row(connection: Connection, job_id: str) -> AnyRow:
    """The row of a job; UnknownError where there is none."""
    row = connection.execute(select(JOB).where(JOB.c.id == job_id)).one_or_none()
    return row if row is not None else raise_unknown(job_id)


def lock_row(connection: Connection, job_id: str, attempt: int | None = None) -> AnyRow:
    """The same, and nobody else changes the job before the transaction ends.

    Whoever writes anything of a job locks its row first, so that no two transactions wait for each other. Where an
    ``attempt`` is given and another one has the job, it raises LeaseLostError.
    """
    row = connection.execute(select(JOB).where(JOB.c.id == job_id).with_for_update()).one_or_none()
    if row is None:
        raise_unknown(job_id)
    if attempt is not None and attempt != row.attempt:
        raise LeaseLostError(
            f"job {job_id} is in the hands of attempt {row.attempt}, and attempt {attempt} is over; "
            f"what it adds is refused, what it measured is kept"
        )
    return row


def change_row(connection: Connection, job_id: str, **changes: Any) -> JobRecord:
    """Change a job whose row is locked, and tell it as an event of kind ``state``."""
    changes |= {"updated_at": now_s(), "last_seq": JOB.c.last_seq + 1}
    row = connection.execute(update(JOB).where(JOB.c.id == job_id).values(changes).returning(JOB)).one()
    payload = {"state": row.state, "wish": row.wish, "reason": row.reason, "message": row.message}
    insert_event(connection, job_id, row.last_seq, "state", payload)
    return to_record(row)


def put_state(connection: Connection, row: AnyRow, state: JobState, **changes: Any) -> JobRecord:
    """The same, with all that goes with a state: who is out of it lets go of the job."""
    if state not in ACTIVE_STATES:
        changes |= {"holder": None, "lease_until": None, "granted": 0}
        connection.execute(delete(WORKER).where(WORKER.c.job_id == row.id))
    if state == "cancelled":
        changes["wish"] = "cancel"  # also where its process was interrupted
    changes["finished_at"] = now_s() if state in FINAL_STATES else None
    return change_row(connection, row.id, state=state, **changes)


def came_further(connection: Connection, job_id: str) -> None:
    """The job has something new to show: the starts before this one count no more."""
    connection.execute(update(JOB).where(JOB.c.id == job_id, JOB.c.starts > 1).values(starts=1))


def append_event(
    connection: Connection, job_id: str, kind: str, payload: JsonObject, attempt: int | None = None
) -> int:
    """Append to a job's events; the number of the new one."""
    # The row of the job is locked from here to the commit, so numbers are gapless and become visible in order.
    number = update(JOB).where(JOB.c.id == job_id).values(last_seq=JOB.c.last_seq + 1)
    if attempt is not None:
        number = number.where(JOB.c.attempt == attempt)
    seq: int | None = connection.execute(number.returning(JOB.c.last_seq)).scalar_one_or_none()
    if seq is None:
        lock_row(connection, job_id, attempt)
        raise AssertionError("a locked row of this attempt would have been updated")
    insert_event(connection, job_id, seq, kind, payload)
    return seq


def insert_event(connection: Connection, job_id: str, seq: int, kind: str, payload: JsonObject) -> None:
    """The event of a number that the caller took."""
    connection.execute(insert(EVENT).values(job_id=job_id, seq=seq, kind=kind, payload=payload, created_at=now_s()))


def standing(row: AnyRow) -> Standing:
    """What decides about the job's next state."""
    return Standing(state=row.state, wish=row.wish, attempt=row.attempt)


def is_at_rest(row: AnyRow) -> bool:
    """Whether nobody has the job in hand, nor will have before its owner asks."""
    return row.state in RESTING_STATES


def raise_unknown(job_id: str) -> NoReturn:
    """There is no such job."""
    raise UnknownError(f"the store has no job {job_id!r}; list its jobs to see their ids")


def canonical(value: JsonObject, noun: str, *, sort_keys: bool = True) -> str:
    """The value as JSON; InputError where JSON cannot hold it."""
    try:
        return json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"a job's {noun} must be plain JSON with finite numbers: {error}") from error


def plain(value: JsonObject, noun: str) -> dict[str, Any]:
    """The value as JSON brings it back, in its own order."""
    read: dict[str, Any] = json.loads(canonical(value, noun, sort_keys=False))
    return read


def to_record(row: AnyRow, *, report: JsonObject | None = None) -> JobRecord:
    """The record of a row; ``report`` where the row came without."""
    return JobRecord(
        id=row.id,
        name=row.name,
        note=row.note,
        owner=row.owner,
        origin=row.origin,
        model=row.model,
        spec=row.spec,
        spec_hash=row.spec_hash,
        priority=row.priority,
        workers=row.workers,
        granted=row.granted,
        state=row.state,
        wish=row.wish,
        reason=row.reason,
        message=row.message,
        cloned_from=row.cloned_from,
        holder=row.holder,
        attempt=row.attempt,
        lease_until=as_datetime_or_none(row.lease_until),
        created_at=as_datetime(row.created_at),
        updated_at=as_datetime(row.updated_at),
        started_at=as_datetime_or_none(row.started_at),
        finished_at=as_datetime_or_none(row.finished_at),
        progress=row.progress,
        report=row.report if "report" in row._fields else report,
        last_seq=row.last_seq,
    )
