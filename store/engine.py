"""From what a person writes for ``--store`` to an engine whose transactions behave alike on both databases."""

from __future__ import annotations

import re
import sqlite3
import time
from pathlib import Path
from typing import cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from spaces.errors import InputError

POSTGRESQL_DRIVER = "postgresql+psycopg"
DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": POSTGRESQL_DRIVER,
    "postgresql": POSTGRESQL_DRIVER,
    "postgresql+psycopg": POSTGRESQL_DRIVER,
}
STATEMENT_TIMEOUT_S = 60.0  # far above the slowest statement
RETRY_S = 0.01
LOOKS_MS = 8  # SQLite waits 1, 2 and 5 ms between its first looks at a lock


def parse_url(text: str) -> URL:
    """Read a store's address: a path or ``sqlite:///path`` for a file, or ``postgresql://...`` for a server.

    Raises:
        InputError: it is no URL, or names a database that the store does not speak to.
    """
    if "://" not in text:
        return _with_file(URL.create("sqlite"), text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:  # a port that is no number
        raise InputError(
            f"a store must be a path or a URL, got {_shown(text)!r}; write sqlite:///layerpress.db"
        ) from error
    if url.drivername not in DRIVERS:
        raise InputError(
            f"a store must be SQLite or PostgreSQL, got {url.drivername!r}; "
            f"write a path, sqlite:///path or postgresql://user@host/database"
        )
    url = url.set(drivername=DRIVERS[url.drivername])
    return url if url.drivername == POSTGRESQL_DRIVER else _with_file(url, url.database or "")


def _shown(text: str) -> str:
    """An address that cannot be read, without what may be its password."""
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", text)


def _with_file(url: URL, path: str) -> URL:
    if path in ("", ":memory:"):
        raise InputError(
            f"a SQLite store must be a file, for its processes share it, got {path!r}; write sqlite:///layerpress.db"
        )
    try:
        return url.set(database=str(Path(path).expanduser().absolute()))
    except RuntimeError as error:
        raise InputError(f"the store {path!r} is in the home of nobody ({error}); write its whole path") from error


def make_engine(url: URL, *, busy_timeout_s: float) -> Engine:
    """An engine on ``url`` that has not connected yet; a SQLite file gets its folder.

    A statement that another transaction blocks gives up after ``busy_timeout_s``.

    Raises:
        InputError: the folder cannot be made, or PostgreSQL's driver is not installed.
    """
    if url.drivername == POSTGRESQL_DRIVER:
        return _postgresql_engine(url, busy_timeout_s)
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the store's folder {folder}: {error}; choose another path") from error
    return _sqlite_engine(url, busy_timeout_s)


def _postgresql_engine(url: URL, busy_timeout_s: float) -> Engine:
    timeouts_s = {
        "statement_timeout": STATEMENT_TIMEOUT_S,
        "lock_timeout": busy_timeout_s,
        "idle_in_transaction_session_timeout": STATEMENT_TIMEOUT_S,
    }
    options = " ".join(f"-c {name}={round(1000 * seconds)}" for name, seconds in timeouts_s.items())
    try:
        return create_engine(url, pool_pre_ping=True, pool_size=2, connect_args={"options": options})
    except ModuleNotFoundError as error:
        raise InputError(
            f"a PostgreSQL store needs the package {error.name!r}, which is missing; "
            f"install it with: pip install 'psycopg[binary]'"
        ) from error


def _sqlite_engine(url: URL, busy_timeout_s: float) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver must not begin by itself
        connection.execute(f"PRAGMA busy_timeout={round(1000 * busy_timeout_s)}")
        _write_ahead(connection, busy_timeout_s)
        connection.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("read_only", False):
            connection.exec_driver_sql("BEGIN")
        else:
            _begin_writing(connection, busy_timeout_s)

    return engine


def _begin_writing(connection: Connection, busy_timeout_s: float) -> None:
    """Wait for the turn to write, and take it: a transaction that reads before it writes cannot wait later.

    SQLite's own waiting looks less and less often, at last ten times a second, and whoever comes later may be served
    first: among several busy writers one would wait for seconds. So it is begun anew every few looks.
    """
    raw = cast(sqlite3.Connection, connection.connection.dbapi_connection)
    deadline_s = time.monotonic() + busy_timeout_s
    raw.execute(f"PRAGMA busy_timeout={LOOKS_MS}")
    try:
        while time.monotonic() < deadline_s:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    break
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # what is wrong is raised as everything else is
    finally:
        raw.execute(f"PRAGMA busy_timeout={round(1000 * busy_timeout_s)}")


def _write_ahead(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Turn the write-ahead log on, so that readers and the writer do not block each other.

    The setting stays in the file. While another process turns it on, SQLite refuses at once and heeds no busy
    timeout: hence the loop.
    """
    deadline_s = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
        time.sleep(RETRY_S)
