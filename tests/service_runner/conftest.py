"""One small model, its answer without a service, and one service for all tests that leave it alive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_process import Service, serving
from small_jobs import TEXT, small_job

from benchmarks.tiny_model import save_tiny_model
from search.engine.plan import make_plan
from search.engine.run import run_job
from search.report import report
from search.spec import read_spec
from store.store import Store


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_tiny_model(folder)
    return folder


@pytest.fixture(scope="session")
def calm(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``small_job`` finds in this process, undisturbed."""
    home = tmp_path_factory.mktemp("calm")
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        return report(run_job(make_plan(read_spec(small_job(model)), home), store, lambda moment: None))


@pytest.fixture(scope="session")
def service(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service"), roots=[str(model), str(TEXT)]) as started:
        yield started
