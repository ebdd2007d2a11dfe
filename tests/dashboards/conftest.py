"""One browser for each file, one site full of jobs for all of them, and tabs that complain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from dashboard_jobs import ODD, usual_job
from dashboard_site import Site
from dashboard_visit import Visit, visiting
from playwright.sync_api import Browser

from benchmarks import browser
from benchmarks.browser import chromium_path

VisitAs = Callable[..., Visit]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Not for longer: while Playwright runs, no other test of this process can run an event loop of its own."""
    if not chromium_path().exists():
        pytest.skip(f"needs Chromium, and there is no {chromium_path()}; name another with CHROMIUM")
    with browser.chromium() as started:
        yield started


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Tests may add jobs to it, and leave those of others alone."""
    with Site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture(scope="session")
def job(site: Site) -> str:
    """A finished job of 80 candidates, with an answer and sensitivities."""
    return usual_job(site.store)


@pytest.fixture(scope="session")
def odd_jobs(site: Site) -> dict[str, str]:
    """A job of each odd kind."""
    return {name: add(site.store) for name, add in ODD.items()}


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Starts a site of this test's own, with nothing in it."""
    with ExitStack() as running:
        yield lambda **settings: running.enter_context(Site(tmp_path, **settings))


@pytest.fixture
def visit_as(chromium: Browser) -> Iterator[VisitAs]:
    """Opens a tab: ``visit_as(site, viewport=PHONE)``."""
    with ExitStack() as tabs:

        def visit(site: Site, **settings: Any) -> Visit:
            return tabs.enter_context(visiting(chromium, site, **settings))

        yield visit


@pytest.fixture
def visit(visit_as: VisitAs, site: Site) -> Visit:
    """A tab at a desk."""
    return visit_as(site)
