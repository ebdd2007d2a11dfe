"""Jobs as the runners see them: claimed by one at a time, held by a lease, given back when nobody works on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, update

from store.clock import now_s
from store.database import Database
from store.job_rows import AnyRow, change_row, lock_row, put_state, to_record
from store.moves import ACTIVE_STATES, BLAMELESS, MAX_STARTS, WISHED, at_rest
from store.records import JobRecord, JobState
from store.tables import JOB

AGING_S = 600.0

_columns = JOB.c


class Queue(Database):
    """The jobs of a store that wait or are in hand."""

    def claim_job(self, holder: str, ttl_s: float, *, aging_s: float = AGING_S) -> JobRecord | None:
        """Take the next job in hand for ``ttl_s`` seconds, as its next attempt; None where none waits.

        The highest priority goes first; a job gains one for every ``aging_s`` seconds that it waits, so that none
        waits for ever; then the oldest. A job whose lease ran out goes back to the queue first.
        """
        with self._writing() as connection:
            _release_expired(connection)
            waiting = connection.execute(_next(aging_s)).one_or_none()
            if waiting is None:
                return None
            started_at = func.coalesce(_columns.started_at, now_s())
            counters = {"attempt": waiting.attempt + 1, "starts": waiting.starts + 1, "started_at": started_at}
            held = {"holder": holder, "lease_until": now_s() + ttl_s, "reason": "", "message": ""}
            return put_state(connection, waiting, "validating", **held, **counters)

    def renew_jobs(self, job_ids: Collection[str], holder: str, ttl_s: float) -> set[str]:
        """Let leases end ``ttl_s`` seconds from now; the jobs that are still the holder's."""
        held = and_(_columns.id.in_(sorted(set(job_ids))), _is_held_by(holder))
        with self._writing() as connection:
            locked = select(_columns.id).where(held).order_by(_columns.id).with_for_update()
            ids = connection.scalars(locked).all()
            statement = update(JOB).where(_columns.id.in_(ids)).values(lease_until=now_s() + ttl_s)
            connection.execute(statement)
            return set(ids)

    def release_job(self, job_id: str, attempt: int, reason: str, message: str) -> JobRecord:
        """Give a job back that is not finished: its process died, or the service stops.

        It is queued again, or paused or cancelled where that was wished. One that was given back ``MAX_STARTS``
        times without coming further fails, unless nothing of that was its own doing (``BLAMELESS``). A job that
        rests or waits already is left as it is.

        Raises:
            UnknownError: there is no such job.
            LeaseLostError: a later attempt has it.
        """
        with self._writing() as connection:
            row = lock_row(connection, job_id, attempt)
            if row.state not in ACTIVE_STATES:
                return to_record(row)
            return _give_back(connection, row, reason, message)

    def release_holder(self, holder: str) -> int:
        """Give back every job of a holder that is known to be dead; how many there were."""
        held = select(JOB).where(_is_held_by(holder)).order_by(_columns.id).with_for_update()
        with self._writing() as connection:
            rows = connection.execute(held).all()
            for row in rows:
                _give_back(connection, row, "runner_died", "its runner died")
        return len(rows)

    def release_expired(self) -> int:
        """Give back every job whose lease ran out, as `claim_job` does; how many there were."""
        with self._writing() as connection:
            return _release_expired(connection)

    def job_holders(self) -> set[str]:
        """Who has jobs in hand: runners, and processes that run one by themselves."""
        statement = select(_columns.holder).where(_columns.state.in_(ACTIVE_STATES), _columns.holder.is_not(None))
        with self._reading() as connection:
            return {str(holder) for holder in connection.scalars(statement.distinct())}

    def set_waiting(self, job_id: str, reason: str, message: str) -> None:
        """Say what a queued job waits for; nothing happens where it is known or the job waits no more.

        Raises:
            UnknownError: there is no such job.
        """
        with self._writing() as connection:
            row = lock_row(connection, job_id)
            if row.state == "queued" and (row.reason, row.message) != (reason, message):
                change_row(connection, job_id, reason=reason, message=message)

    def grant_workers(self, grants: Mapping[str, int]) -> None:
        """Say how many workers each job may use now; a job that is not in hand gets none."""
        with self._writing() as connection:
            for job_id, number in sorted(grants.items()):  # one order, so that no two wait for each other
                is_other = and_(_columns.state.in_(ACTIVE_STATES), _columns.granted != number)
                statement = update(JOB).where(_columns.id == job_id, is_other).values(granted=number)
                connection.execute(statement)


def _release_expired(connection: Connection) -> int:
    rows = connection.execute(_expired()).all()
    for row in rows:
        _give_back(connection, row, "lease_expired", "its runner died or lost touch")
    return len(rows)


def _expired() -> Select[Any]:
    """The jobs whose leases ran out; one that another runner looks at is left to it."""
    is_over = and_(_columns.state.in_(ACTIVE_STATES), _columns.lease_until <= now_s())
    return select(JOB).where(is_over).order_by(_columns.id).with_for_update(skip_locked=True)


def _next(aging_s: float) -> Select[Any]:
    """The job whose turn it is; one that another runner is taking is skipped."""
    urgency = _columns.priority + (now_s() - _columns.queued_at) / aging_s
    waiting = select(JOB).where(_columns.state == "queued", _columns.origin == "service")
    in_order = waiting.order_by(urgency.desc(), _columns.queued_at, _columns.id)
    return in_order.limit(1).with_for_update(skip_locked=True)


def _is_held_by(holder: str) -> ColumnElement[bool]:
    return and_(_columns.state.in_(ACTIVE_STATES), _columns.holder == holder)


def _give_back(connection: Connection, row: AnyRow, reason: str, message: str) -> JobRecord:
    """Nobody works on the job any more, and it is not finished."""
    if row.origin == "local":
        return put_state(connection, row, "failed", reason=reason, message="its process ended without a word")
    state: JobState = at_rest(row.wish)
    if state != "queued":
        wished, words = WISHED[state]
        return put_state(connection, row, state, reason=wished, message=words)
    if reason in BLAMELESS:
        starts = max(0, row.starts - 1)
        return put_state(connection, row, "queued", reason=reason, message=message, starts=starts)
    if row.starts >= MAX_STARTS:
        last = f"given up after {row.starts} starts that came no further; the last time: {message}"
        return put_state(connection, row, "failed", reason=reason, message=last)
    return put_state(connection, row, "queued", reason=reason, message=message)
