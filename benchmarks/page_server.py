"""The service's API as a process of its own, for as long as a benchmark needs it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from service.api.settings import API_PATH, ApiSettings
from service.runner.web import dump
from spaces.errors import JobError

START_S, PAUSE_S = 120.0, 0.1  # until the API answers, and between two looks
TIMEOUT_S = 60.0  # of a request


@contextmanager
def serving(store_url: str, home: Path) -> Iterator[httpx2.Client]:
    """A client of an API process, which ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}{API_PATH}"
        settings = ApiSettings(store_url=store_url, home=home, roots=(home,))
        process = subprocess.Popen(
            [sys.executable, "-m", "service.runner", "web"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the access log
            pass_fds=(listening.fileno(),),
        )
        assert process.stdin is not None
        process.stdin.write(dump(settings, listening.fileno()).encode())
        process.stdin.close()
    try:
        with httpx2.Client(base_url=address, timeout=TIMEOUT_S, trust_env=False) as client:
            _wait(client, process)
            yield client
    finally:
        process.terminate()
        process.wait()


def _wait(client: httpx2.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.get("/readyz").raise_for_status()
            return
        except httpx2.HTTPError:
            time.sleep(PAUSE_S)
    raise JobError(f"the API did not answer within {START_S:g} s (exit code {process.poll()}); see layerpress serve")
