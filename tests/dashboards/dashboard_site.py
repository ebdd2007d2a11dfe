"""The API and its pages as a process of their own, which a test can kill and start again on the same port."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from service.api.settings import API_PATH, ApiSettings
from service.runner.web import dump
from store.store import Store

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_S = 120.0  # on a busy machine


class Site:
    """Serves one SQLite file; ``store`` is the same file for the test's own hands."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.store = Store.open(f"sqlite:///{folder / 'store.db'}")
        roots = {"roots": (EXAMPLES,)}
        self._settings = ApiSettings(store_url=self.store.url, home=folder / "home", **{**roots, **settings})
        self._port = 0
        self._log = folder / "api.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pages(self) -> str:
        """The address of the pages, without a route."""
        return f"{self.origin}{self._settings.base_path}/ui/"

    def start(self) -> None:
        """Listen on the port of the last time, and answer."""
        with socket.socket() as listening, self._log.open("ab") as log:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", self._port))
            listening.listen(128)
            self._port = listening.getsockname()[1]
            command = [sys.executable, "-m", "service.runner", "web"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, pass_fds=(listening.fileno(),))
            assert self._process.stdin is not None
            self._process.stdin.write(dump(self._settings, listening.fileno()).encode())
            self._process.stdin.close()
        self._wait()

    def kill(self) -> None:
        """As the system kills what takes too much: nothing is said goodbye to."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        with httpx2.Client(trust_env=False, timeout=PATIENCE_S) as client:
            while True:
                assert self._process is not None
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline, self._log.read_text()
                try:
                    client.get(f"{self.origin}{API_PATH}/healthz").raise_for_status()
                    return
                except httpx2.TransportError:
                    time.sleep(0.1)
