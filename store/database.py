"""One open database: its transactions, its errors in our words, and its health."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from spaces.errors import InputError, JobError, UnreachableError
from store.engine import make_engine, parse_url
from store.outages import is_outage
from store.revisions import current_revision, differences, require_newest
from store.revisions import upgrade as upgrade_tables

BATCH_SIZE = 1000  # a statement takes at most 32,766 parameters on SQLite, and 65,535 on PostgreSQL

WAYS_OUT = {  # words of the database's message: what to do about it
    "full": "free some space on that disk",
    "No space": "free some space on that disk",
    "locked": "find the process that keeps it locked",
    "lock timeout": "find the transaction that keeps it locked",
    "readonly": "make the file and its folder writable",
    "malformed": "restore the file from a copy, or choose another store",
}
UNREACHABLE = "check that the database can be reached"

Item = TypeVar("Item")


class Database:
    """A database at the newest revision of the tables. Threads may share it; a forked child opens its own."""

    def __init__(self, engine: Engine, revision_before: str | None) -> None:
        self.revision_before = revision_before  # of the tables, as it was opened; None where there were none
        self._engine = engine
        self._reader = engine.execution_options(read_only=True)
        self.url = engine.url.render_as_string()  # without the password

    @classmethod
    def open(cls, url: str, *, upgrade: bool = True, busy_timeout_s: float = 15.0) -> Self:
        """Open the store at ``url``, making the file and its tables where they are missing.

        ``url`` is a path, ``sqlite:///path`` or ``postgresql://user@host/database``. Without ``upgrade`` the tables
        must be there, at the newest revision. ``busy_timeout_s`` limits the wait for another process's transaction.

        Raises:
            InputError: the address is wrong, nothing can be written there, or what is there is not a store that
                this installation knows.
            UnreachableError: the server does not answer, or the file is locked.
        """
        engine = make_engine(parse_url(url), busy_timeout_s=busy_timeout_s)
        try:
            before = upgrade_tables(engine) if upgrade else require_newest(engine)
        except DBAPIError as error:
            engine.dispose()
            if is_outage(error):
                raise _unreachable(error, engine.url.render_as_string()) from error
            raise InputError(
                f"cannot open the store {engine.url.render_as_string()}: {error.orig}; "
                f"check that it is a Layerpress store and can be written, or choose another"
            ) from error
        except InputError:
            engine.dispose()
            raise
        return cls(engine, before)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def schema_revision(self) -> str:
        """The revision of the tables in the database."""
        with self._reading() as connection:
            return str(current_revision(connection))

    def check(self) -> list[str]:
        """What is wrong with the database or with the SQLite that reads it; empty where nothing is."""
        return [*self.damage(), *self.warnings()]

    def damage(self) -> list[str]:
        """Where the database is broken, or has other tables than its revision should have."""
        try:
            with self._reading() as connection:
                is_sqlite = connection.dialect.name == "sqlite"
                found = connection.exec_driver_sql("PRAGMA quick_check").scalars().all() if is_sqlite else []
                damage = [f"the store {self.url} is damaged: {finding}" for finding in found if finding != "ok"]
                return damage or [f"the store {self.url}: {change}" for change in differences(connection)]
        except UnreachableError:
            raise
        except JobError as error:
            return [str(error)]

    def warnings(self) -> list[str]:
        """What may go wrong, though nothing has."""
        if not self.url.startswith("sqlite") or not has_wal_reset_bug(sqlite3.sqlite_version_info):
            return []
        return [
            f"SQLite {sqlite3.sqlite_version} can, rarely, damage a store that several processes write; "
            f"use SQLite 3.51.3 or 3.50.7, or PostgreSQL"
        ]

    def _writing(self) -> AbstractContextManager[Connection]:
        """One transaction that writes: committed where the block ends, undone where it raises."""
        return _transaction(self._engine, self.url)

    def _reading(self) -> AbstractContextManager[Connection]:
        """One transaction that only reads, and waits for no writer."""
        return _transaction(self._reader, self.url)


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether this SQLite may damage a database when two connections write or checkpoint at one instant.

    Since 3.7.0; fixed in 3.51.3 and in 3.50.7.
    """
    return (3, 7, 0) <= version < (3, 51, 3) and not (3, 50, 7) <= version < (3, 51, 0)


def batches(items: Iterable[Item]) -> Iterator[Sequence[Item]]:
    """The items in order, in lists short enough for the parameters of one statement."""
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH_SIZE)):
        yield batch


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that knows ON CONFLICT, in the dialect of the database."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_or_nothing(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that leaves a row of the same key as it is."""
    return insert_into(connection, table).on_conflict_do_nothing()


@contextmanager
def _transaction(engine: Engine, url: str) -> Iterator[Connection]:
    try:
        with engine.begin() as connection:
            yield connection
    except (DataError, IntegrityError, ProgrammingError):
        raise
    except PoolTimeoutError as error:  # every connection is in use
        raise _unreachable(error, url) from error
    except DBAPIError as error:
        if is_outage(error):
            raise _unreachable(error, url) from error
        raise JobError(f"the store {url} failed: {_reason(error)}") from error


def _unreachable(error: SQLAlchemyError, url: str) -> UnreachableError:
    return UnreachableError(f"the store {url} does not answer: {_reason(error)}")


def _reason(error: SQLAlchemyError) -> str:
    """What the database says, and what to do about it."""
    reason = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    way_out = next((way for word, way in WAYS_OUT.items() if word in reason), UNREACHABLE)
    return f"{reason}; {way_out}, then run again: what was finished is kept"
