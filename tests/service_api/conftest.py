"""A real API on loopback for each test that asks for one, over a store of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_api import EXAMPLES, GRACE_S, Listening, Serve

from service.api.server import ApiServer
from service.api.settings import API_PATH, ApiSettings
from store.store import Store


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a new store of this test's own, where the kind of database makes no difference."""
    path = tmp_path / "api.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """The store that ``api`` serves, on each database."""
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a service and gives a client of it; keywords are settings."""
    with ExitStack() as running:

        def started(url: str, *, token: str | None = None, **settings: Any) -> httpx2.Client:
            asked = {"home": tmp_path / "home", "roots": (EXAMPLES,), **settings}
            server = ApiServer(ApiSettings(store_url=url, **asked), host="127.0.0.1", port=0)
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            base_url = running.enter_context(Listening(server))
            client = httpx2.Client(base_url=f"{base_url}{API_PATH}", headers=headers, timeout=GRACE_S)
            client.server = server  # type: ignore[attr-defined]  # for tests that stop it
            return running.enter_context(client)

        yield started


@pytest.fixture
def api(serve: Serve, sqlite_url: str) -> httpx2.Client:
    """A client of a service that takes who asks from this machine at their word."""
    return serve(sqlite_url)


@pytest.fixture
def api_on_each(serve: Serve, database_url: str) -> httpx2.Client:
    """The same on each database."""
    return serve(database_url)
