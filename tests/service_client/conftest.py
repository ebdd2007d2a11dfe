"""A real service on loopback, a client of it, a store beside it, and the command line against it."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running_service import RunningService
from scripted_server import AT_ONCE
from shown_job import Shown

from service import cli
from service.client import Address, Client
from store.store import Store

Run = Callable[..., Shown]


@pytest.fixture
def store_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "service.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """The service's own store: what its runner would write, a test writes."""
    with Store.open(store_url) as opened:
        yield opened


@pytest.fixture
def service(store_url: str, tmp_path: Path) -> Iterator[RunningService]:
    with RunningService(store_url, tmp_path) as running:
        yield running


@pytest.fixture
def client(service: RunningService) -> Iterator[Client]:
    with Client(Address(url=service.url), patience=AT_ONCE) as opened:
        yield opened


@pytest.fixture
def layerpress(
    service: RunningService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs a command line in this process, against the service."""
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setenv("LAYERPRESS_URL", service.url)
    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.delenv("LAYERPRESS_TOKEN", raising=False)

    def run(*arguments: object) -> Shown:
        monkeypatch.setattr(sys, "argv", ["layerpress", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return Shown(code=int(end.value.code or 0), out=out, err=err)

    yield run
    signal.signal(signal.SIGINT, before)
