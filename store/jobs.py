"""Jobs as their owners see them: submitted, listed, described, wished about, extended and deleted."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from spaces.errors import ConflictError
from store.clock import now_s
from store.database import Database, insert_or_nothing
from store.holders import name_owner, place_of
from store.job_rows import (
    AnyRow,
    canonical,
    change_row,
    find_row,
    insert_event,
    lock_row,
    put_state,
    standing,
    to_record,
)
from store.moves import ACTIVE_STATES, EXTENDABLE_STATES, WISHED, Verb, after_wish, possible, refused
from store.records import FINAL_STATES, Idempotency, JobRecord, JobState, JsonObject, NewJob
from store.tables import IDEMPOTENCY, JOB

ID_BYTES = 6
LOCAL_LEASE_S = 24 * 3600.0  # of a job in a terminal, which is renewed every so often; a laptop may sleep
LISTED = [column for column in JOB.c if column.name != "report"]  # which may be large


class Jobs(Database):
    """The jobs of a store."""

    def add_job(
        self, job: NewJob, *, job_id: str | None = None, idempotency: Idempotency | None = None
    ) -> tuple[JobRecord, bool]:
        """Take a job in; ``job_id`` is made up where none is given.

        A job of the service is queued; a local one is running at once, as attempt 1 of this process. The same
        ``idempotency`` a second time is answered with the job of the first, and True.

        Raises:
            ConflictError: there is a job of that id, or the idempotency key came with another body before.
            InputError: JSON cannot hold the spec.
        """
        values = {**_submitted(job), "id": job_id or secrets.token_hex(ID_BYTES)}
        try:
            with self._writing() as connection:
                earlier = _earlier(connection, idempotency)
                if earlier is not None:
                    return earlier, True
                row = connection.execute(insert(JOB).values(values).returning(JOB)).one()
                if idempotency is not None and not _remember(connection, idempotency, row.id):
                    connection.execute(delete(JOB).where(JOB.c.id == row.id))  # another was faster by an instant
                    return _known(connection, idempotency), True
                payload = {"state": row.state, "wish": row.wish, "reason": row.reason, "message": row.message}
                insert_event(connection, row.id, 1, "state", payload)
                return to_record(row), False
        except IntegrityError as error:
            raise ConflictError(f"a job's id must be new, got {job_id!r}; leave it out to get one") from error

    def job(self, job_id: str) -> JobRecord:
        """One job.

        Raises:
            UnknownError: there is no such job.
        """
        with self._reading() as connection:
            return to_record(find_row(connection, job_id))

    def jobs(
        self,
        *,
        limit: int = 50,
        after: str | None = None,
        states: Collection[JobState] = (),
        owner: str | None = None,
        model: str | None = None,
        search: str | None = None,
    ) -> list[JobRecord]:
        """The newest jobs, newest first and without their reports; those before the job ``after`` where one is given.

        ``search`` is looked for in ids, names, notes and models, in small letters or capitals.

        Raises:
            UnknownError: there is no job ``after``.
        """
        statement = select(*LISTED).where(*_filters(states, owner, model, search))
        statement = statement.order_by(JOB.c.created_at.desc(), JOB.c.id.desc()).limit(limit)
        with self._reading() as connection:
            if after is not None:
                last = find_row(connection, after)
                statement = statement.where(tuple_(JOB.c.created_at, JOB.c.id) < tuple_(last.created_at, last.id))
            return [to_record(row) for row in connection.execute(statement)]

    def update_job(
        self, job_id: str, *, name: str | None = None, note: str | None = None, priority: int | None = None
    ) -> JobRecord:
        """Change how a job is called, what is noted about it, or how soon its turn comes.

        Raises:
            UnknownError: there is no such job.
        """
        given = {"name": name, "note": note, "priority": priority}
        changes = {column: value for column, value in given.items() if value is not None}
        with self._writing() as connection:
            row = lock_row(connection, job_id)
            if all(getattr(row, column) == value for column, value in changes.items()):
                return to_record(row)
            statement = update(JOB).where(JOB.c.id == job_id).values(**changes, updated_at=now_s()).returning(JOB)
            return to_record(connection.execute(statement).one())

    def wish_job(self, job_id: str, verb: Verb) -> tuple[JobRecord, bool]:
        """Say what the job's owner wants; whether that changed anything: a wish may be repeated.

        Raises:
            UnknownError: there is no such job.
            ConflictError: it is in no state for that; the message says what is possible.
        """
        with self._writing() as connection:
            row = lock_row(connection, job_id)
            _check_steered_here(verb, row)
            now = standing(row)
            wished = after_wish(verb, now)
            if wished is None:
                raise refused(job_id, verb, now)
            if wished == now:
                return to_record(row), False
            if wished.state == now.state:
                return change_row(connection, job_id, wish=wished.wish), True
            reason, message = WISHED[wished.state]
            changes: dict[str, Any] = {"wish": wished.wish, "reason": reason, "message": message}
            if wished.state == "queued":
                changes |= {"queued_at": now_s(), "starts": 0}
            return put_state(connection, row, wished.state, **changes), True

    def extend_job(self, job_id: str, spec: JsonObject) -> JobRecord:
        """Queue a job once more with a changed spec; what it measured is found again.

        Raises:
            UnknownError: there is no such job.
            ConflictError: it is queued or runs, or ran in a terminal.
            InputError: JSON cannot hold the spec.
        """
        changed = _specified(spec)
        with self._writing() as connection:
            row = lock_row(connection, job_id)
            _check_steered_here("extend", row)
            if row.state not in EXTENDABLE_STATES:
                raise ConflictError(
                    f"cannot extend job {job_id}: it is {row.state}; pause it first, or wait until it ends"
                )
            if row.origin == "local":
                raise ConflictError(f"cannot extend job {job_id}: it ran in a terminal; clone it to run it here")
            fresh = {"wish": "run", "reason": "", "message": "", "report": None, "starts": 0, "queued_at": now_s()}
            return put_state(connection, row, "queued", **fresh, **changed)

    def delete_job(self, job_id: str) -> None:
        """Forget a job that has ended, with its events, candidates and artifacts; evaluations stay.

        Raises:
            UnknownError: there is no such job.
            ConflictError: it has not ended.
        """
        with self._writing() as connection:
            row = lock_row(connection, job_id)
            _check_steered_here("delete", row)
            if row.state not in FINAL_STATES:
                raise ConflictError(
                    f"cannot delete job {job_id}: it is {row.state}; possible: {', '.join(possible(standing(row)))}"
                )
            connection.execute(delete(JOB).where(JOB.c.id == job_id))


def _check_steered_here(verb: str, row: AnyRow) -> None:
    """Refuse what nobody but the terminal can do that the job runs in.

    Raises:
        ConflictError: it runs in one, which is named.
    """
    if row.origin == "local" and row.state in ACTIVE_STATES:
        raise ConflictError(
            f"cannot {verb} job {row.id}: it runs in a terminal; press Ctrl-C there ({place_of(row.holder)}). If that "
            f"process was killed, a service on its machine ends the job in half a minute, one elsewhere after a day"
        )


def _submitted(job: NewJob) -> dict[str, Any]:
    """The columns of a new job."""
    is_local = job.origin == "local"
    return {
        "name": job.name,
        "note": job.note,
        "owner": job.owner,
        "origin": job.origin,
        "model": job.model,
        "priority": job.priority,
        "workers": job.workers,
        "granted": job.workers if is_local else 0,
        "state": "running" if is_local else "queued",
        "wish": "run",
        "reason": "",
        "message": "",
        "cloned_from": job.cloned_from,
        "holder": name_owner() if is_local else None,
        "lease_until": now_s() + LOCAL_LEASE_S if is_local else None,
        "attempt": 1 if is_local else 0,
        "starts": 1 if is_local else 0,
        "created_at": now_s(),
        "queued_at": now_s(),
        "updated_at": now_s(),
        "started_at": now_s() if is_local else None,
        "last_seq": 1,
        **_specified(job.spec),
    }


def _specified(spec: JsonObject) -> dict[str, Any]:
    text = canonical(spec, "spec")
    return {"spec": json.loads(text), "spec_hash": hashlib.sha256(text.encode()).hexdigest()}


def _filters(
    states: Collection[JobState], owner: str | None, model: str | None, search: str | None
) -> list[ColumnElement[bool]]:
    filters: list[ColumnElement[bool]] = []
    if states:
        filters.append(JOB.c.state.in_(states))
    if owner is not None:
        filters.append(JOB.c.owner == owner)
    if model is not None:
        filters.append(JOB.c.model == model)
    if search:
        columns = (JOB.c.id, JOB.c.name, JOB.c.note, JOB.c.model)
        filters.append(or_(*(column.icontains(search, autoescape=True) for column in columns)))
    return filters


def _earlier(connection: Connection, idempotency: Idempotency | None) -> JobRecord | None:
    """The job of an earlier submission with the same key."""
    if idempotency is None:
        return None
    columns = IDEMPOTENCY.c
    is_same = (columns.principal == idempotency.principal, columns.key == idempotency.key)
    row = connection.execute(select(columns.job_id, columns.body_hash).where(*is_same)).one_or_none()
    if row is None:
        return None
    if row.body_hash != idempotency.body_hash:
        raise ConflictError(
            f"the idempotency key {idempotency.key!r} came with another body before, for job {row.job_id}; "
            f"take a new key for a new job"
        )
    return to_record(find_row(connection, row.job_id))


def _remember(connection: Connection, idempotency: Idempotency, job_id: str) -> bool:
    statement = insert_or_nothing(connection, IDEMPOTENCY).values(
        principal=idempotency.principal,
        key=idempotency.key,
        body_hash=idempotency.body_hash,
        job_id=job_id,
        created_at=now_s(),
    )
    return connection.execute(statement.returning(IDEMPOTENCY.c.key)).one_or_none() is not None


def _known(connection: Connection, idempotency: Idempotency) -> JobRecord:
    earlier = _earlier(connection, idempotency)
    if earlier is None:
        raise ConflictError(f"the job of the idempotency key {idempotency.key!r} was just deleted; send it again")
    return earlier
