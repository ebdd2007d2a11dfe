"""Short campaigns of faults on both databases: every kind once, and nothing is lost, repeated or found otherwise."""

from __future__ import annotations

import logging

import pytest
from postgres_server import DATABASES

from benchmarks.chaos.campaign import Size, run_campaign
from benchmarks.chaos.faults import FAULTS

pytestmark = pytest.mark.slow
logger = logging.getLogger(__name__)


@pytest.mark.timeout(1800)  # four minutes, unless much else runs: Ray and the service start again some ten times
@pytest.mark.parametrize("database", DATABASES)
def test_whatever_is_killed_nothing_is_lost_or_done_twice(database: str) -> None:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database]
    outcome = run_campaign(name, Size(steps=12, num_jobs=2), logger.info)
    assert outcome.troubles == []
    assert set(FAULTS) <= set(outcome.faults)
    assert outcome.faults.total() == 12
    assert outcome.num_like_calm == outcome.num_jobs >= 2
    assert outcome.num_attempts > outcome.num_jobs  # faults that hit
