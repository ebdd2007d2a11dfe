"""Every test that takes ``url`` or ``store`` runs on SQLite, and on PostgreSQL where TEST_DATABASE_URL is set."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from leased_work import KINDS, Work
from sqlalchemy import make_url, text

from store.engine import make_engine, parse_url
from store.store import Store

SERVER = os.environ.get("TEST_DATABASE_URL", "")
DATABASES = ["sqlite", *([pytest.param("postgresql", marks=pytest.mark.postgres)] if SERVER else [])]


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database of this test's own, still without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    name = f"layerpress_{secrets.token_hex(6)}"
    engine = make_engine(parse_url(SERVER), busy_timeout_s=15.0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
        server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


@pytest.fixture(params=KINDS)
def work(request: pytest.FixtureRequest, store: Store) -> Work:
    """Each kind of leased work in ``store``."""
    return KINDS[request.param](store)
