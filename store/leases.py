"""The statements of a lease: who may take it, who holds it, and when its last holder is given up.

The same text runs on SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from store.clock import now_s
from store.tables import EVALUATION

HOLDERS_DIED = "every worker that held the lease died or lost touch"

_columns = EVALUATION.c
_attempts_counted = _columns.attempt - _columns.excused


def take_lease(
    insert: sqlite.Insert | postgresql.Insert, owner: str, ttl_s: float, max_attempts: int
) -> ReturningInsert[str, int]:  # (key, attempt)
    """A row comes back exactly where the lease is ours: a new evaluation, or one that its holder gave up or lost."""
    expired = and_(_columns.state == "in_flight", _columns.lease_until <= now_s())
    given_up = and_(_columns.state == "failed", _columns.is_permanent.is_(False))
    lease = {"state": "in_flight", "owner": owner, "lease_until": now_s() + ttl_s}
    new = {"attempt": 1, "excused": 0, "is_permanent": False, "created_at": now_s()}
    return (
        insert.values(**lease, **new)
        .on_conflict_do_update(
            index_elements=[_columns.key],
            set_={**lease, "attempt": _columns.attempt + 1, "error": None, "finished_at": None},
            where=and_(_attempts_counted < max_attempts, or_(expired, given_up, _columns.state == "released")),
        )
        .returning(_columns.key, _columns.attempt)
    )


def is_held(owner: str) -> ColumnElement[bool]:
    return and_(_columns.state == "in_flight", _columns.owner == owner)


def is_abandoned(max_attempts: int) -> ColumnElement[bool]:
    return and_(_columns.state == "in_flight", _columns.lease_until <= now_s(), _attempts_counted >= max_attempts)


def fail_abandoned(connection: Connection, keys: Sequence[str], max_attempts: int) -> int:
    statement = (
        update(EVALUATION)
        .where(_columns.key.in_(keys), is_abandoned(max_attempts))
        .values(state="failed", lease_until=None, finished_at=now_s(), error=HOLDERS_DIED)
    )
    return connection.execute(statement).rowcount
