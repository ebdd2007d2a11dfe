"""Every test that takes ``url`` or ``store`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from leased_work import KINDS, Work

from store.store import Store


@pytest.fixture
def url(database_url: str) -> str:
    """The address of a new store of this test's own."""
    return database_url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


@pytest.fixture(params=KINDS)
def work(request: pytest.FixtureRequest, store: Store) -> Work:
    """Each kind of leased work in ``store``."""
    return KINDS[request.param](store)
