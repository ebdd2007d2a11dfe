"""Work that is leased: who may take a piece of it, who holds it, and when its last holder is given up.

A lease ends after its time to live, so that work outlives the process that was doing it; ``attempt`` fences a late
result off. Rows are locked in the order of their keys, and tables in one order (``store.store.LEASED``), so that no
two transactions wait for each other. The same text runs on SQLite and PostgreSQL.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, Update, and_, bindparam, or_, select, update
from sqlalchemy.sql.dml import ReturningInsert

from store.clock import as_datetime, now_s
from store.database import batches, insert_into
from store.records import Busy, Claim, Done, Failed, Leased, Result, WorkKey

MAX_ATTEMPTS = 2  # work that killed two workers is not given to a third
HOLDERS_DIED = "every worker that held the lease died or lost touch"

AnyRow = Row[tuple[object, ...]]
Held = tuple[str, int]  # the key of leased work, and the attempt that was given with the lease
Key = TypeVar("Key", bound=WorkKey)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LeaseTable(Generic[Key, Result]):
    """One kind of work: a table whose rows are each done once. Every method is a part of the caller's transaction."""

    table: Table  # has a column for each field of Key
    result: Callable[[AnyRow], Result]  # of a row that is done

    def claim(
        self, connection: Connection, keys: Iterable[Key], owner: str, ttl_s: float, max_attempts: int
    ) -> dict[str, Claim[Result]]:
        """Lease what is free, and say of the rest why it is not."""
        wanted = {key.key: dataclasses.asdict(key) for key in keys}
        claims: dict[str, Claim[Result]] = {}
        lease = self._take_lease(connection, owner, ttl_s, max_attempts)
        for batch in batches(sorted(wanted)):
            leased = connection.execute(lease, [wanted[key] for key in batch])
            claims |= {key: Leased(attempt=attempt) for key, attempt in leased}
            others = [key for key in batch if key not in claims]
            self._fail_abandoned(connection, others, max_attempts)
            claims |= self._answers(connection, others)
        return claims

    def complete(self, connection: Connection, key: str, owner: str, attempt: int, **result: object) -> bool:
        """Keep the columns of a result; False where the lease was lost, and the result is dropped."""
        return self._end(connection, key, owner, attempt, state="done", **result)

    def complete_many(
        self, connection: Connection, owner: str, results: Mapping[Held, Mapping[str, object]]
    ) -> list[AnyRow]:
        """Keep the columns of several results, which have the same names; the rows of leases not lost, as they were."""
        kept: list[AnyRow] = []
        for batch in batches(sorted(results)):
            is_mine = and_(self.table.c.key.in_([key for key, _ in batch]), self._is_held(owner))
            held = connection.execute(select(self.table).where(is_mine).order_by(self.table.c.key).with_for_update())
            mine = [row for row in held if (row.key, row.attempt) in results]
            if mine:
                rows = [_row(row.key, results[row.key, row.attempt]) for row in mine]
                connection.execute(self._finish(results[batch[0]]), rows)
            kept += mine
        return kept

    def fail(
        self, connection: Connection, key: str, owner: str, attempt: int, error: str, *, is_permanent: bool
    ) -> bool:
        """Give the work up, for good or until the next claim; False where the lease was lost."""
        return self._end(connection, key, owner, attempt, state="failed", error=error, is_permanent=is_permanent)

    def release(self, connection: Connection, keys: Iterable[str], owner: str) -> int:
        """Give leases back, free to claim at once and not counted as attempts; how many there were."""
        excused = self.table.c.excused + 1
        return self._change_held(connection, keys, owner, state="released", excused=excused, lease_until=None)

    def release_all(self, connection: Connection, owner: str) -> int:
        """Give back every lease of an owner; how many there were."""
        held = select(self.table.c.key).where(self._is_held(owner))
        return self.release(connection, connection.scalars(held).all(), owner)

    def renew(self, connection: Connection, keys: Iterable[str], owner: str, ttl_s: float) -> int:
        """Let leases end ``ttl_s`` seconds from now; how many are still the owner's."""
        return self._change_held(connection, keys, owner, lease_until=now_s() + ttl_s)

    def holders(self, connection: Connection) -> set[str]:
        """The owners of leases that were neither ended nor given back."""
        columns = self.table.c
        return set(connection.scalars(select(columns.owner).where(columns.state == "in_flight").distinct()))

    def expire(self, connection: Connection, max_attempts: int) -> int:
        """Fail the work whose last allowed holder is gone; how much there was."""
        key = self.table.c.key
        gone = select(key).where(self._is_abandoned(max_attempts)).order_by(key).with_for_update()
        keys = connection.scalars(gone).all()
        return sum(self._fail_abandoned(connection, batch, max_attempts) for batch in batches(keys))

    def find(self, connection: Connection, keys: Iterable[str]) -> dict[str, Result]:
        """The results of what is done among ``keys``."""
        found: dict[str, Result] = {}
        for batch in batches(keys):
            # asked for what is done among them, SQLite would go through the index of all that is done
            named = connection.execute(select(self.table).where(self.table.c.key.in_(batch)))
            found |= {row.key: self.result(row) for row in named if row.state == "done"}
        return found

    def _take_lease(
        self, connection: Connection, owner: str, ttl_s: float, max_attempts: int
    ) -> ReturningInsert[str, int]:  # (key, attempt)
        """A row comes back exactly where the lease is ours: new work, or some that its holder gave up or lost."""
        columns = self.table.c
        expired = and_(columns.state == "in_flight", columns.lease_until <= now_s())
        given_up = and_(columns.state == "failed", columns.is_permanent.is_(False))
        is_free = or_(expired, given_up, columns.state == "released")
        lease = {"state": "in_flight", "owner": owner, "lease_until": now_s() + ttl_s}
        new = {"attempt": 1, "excused": 0, "is_permanent": False, "created_at": now_s()}
        return (
            insert_into(connection, self.table)
            .values(**lease, **new)
            .on_conflict_do_update(
                index_elements=[columns.key],
                set_={**lease, "attempt": columns.attempt + 1, "error": None, "finished_at": None},
                where=and_(self._attempts_counted() < max_attempts, is_free),
            )
            .returning(columns.key, columns.attempt)
        )

    def _answers(self, connection: Connection, keys: Sequence[str]) -> dict[str, Claim[Result]]:
        """Why each of these rows, none of which is free to lease, is not."""
        statement = select(self.table, now_s().label("now_s")).where(self.table.c.key.in_(keys))
        return {row.key: self._answer(row) for row in connection.execute(statement)}

    def _answer(self, row: AnyRow) -> Claim[Result]:
        if row.state == "done":
            return Done(values=self.result(row))
        if row.state == "in_flight":
            return Busy(until=as_datetime(row.lease_until), remaining_s=max(0.0, row.lease_until - row.now_s))
        return Failed(error=row.error or f"given back after {row.attempt} attempts")

    def _end(self, connection: Connection, key: str, owner: str, attempt: int, **changes: object) -> bool:
        statement = (
            update(self.table)
            .where(self._is_held(owner), self.table.c.key == key, self.table.c.attempt == attempt)
            .values(lease_until=None, finished_at=now_s(), **changes)
        )
        return connection.execute(statement).rowcount == 1

    def _finish(self, names: Iterable[str]) -> Update:
        """For rows that are locked already: takes the ``held_key`` of each, and its columns of these names."""
        result: dict[str, object] = {name: bindparam(f"result_{name}") for name in names}
        is_held = self.table.c.key == bindparam("held_key")
        return update(self.table).where(is_held).values(state="done", lease_until=None, finished_at=now_s(), **result)

    def _change_held(self, connection: Connection, keys: Iterable[str], owner: str, **changes: object) -> int:
        key = self.table.c.key
        num_changed = 0
        for batch in batches(sorted(set(keys))):
            held = and_(key.in_(batch), self._is_held(owner))
            connection.execute(select(key).where(held).order_by(key).with_for_update())
            num_changed += connection.execute(update(self.table).where(held).values(changes)).rowcount
        return num_changed

    def _fail_abandoned(self, connection: Connection, keys: Sequence[str], max_attempts: int) -> int:
        statement = (
            update(self.table)
            .where(self.table.c.key.in_(keys), self._is_abandoned(max_attempts))
            .values(state="failed", lease_until=None, finished_at=now_s(), error=HOLDERS_DIED)
        )
        return connection.execute(statement).rowcount

    def _is_held(self, owner: str) -> ColumnElement[bool]:
        return and_(self.table.c.state == "in_flight", self.table.c.owner == owner)

    def _is_abandoned(self, max_attempts: int) -> ColumnElement[bool]:
        columns = self.table.c
        is_over = and_(columns.state == "in_flight", columns.lease_until <= now_s())
        return and_(is_over, self._attempts_counted() >= max_attempts)

    def _attempts_counted(self) -> ColumnElement[int]:
        counted: ColumnElement[int] = self.table.c.attempt - self.table.c.excused
        return counted


def _row(key: str, result: Mapping[str, object]) -> dict[str, object]:
    return {"held_key": key, **{f"result_{name}": value for name, value in result.items()}}
