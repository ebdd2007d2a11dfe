"""A real API on loopback over a store of its own, and a job whose candidates are known."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import uvicorn

from service.api.app import make_app
from service.api.settings import ApiSettings
from service.runner.web import dump
from store.records import JobRecord, NewCandidate, NewJob
from store.store import Store

SPEC: dict[str, Any] = {
    "model": "/srv/models/tiny",
    "calibration": {"source": "calibration.txt"},
    "validation": {"source": "validation.txt"},
    "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4], "group_size": 64}]},
    "budget": {"nominal_bits_per_weight": 3.0},
    "strategy": {"name": "allocate", "preset": "higgs"},
    "seed": 7,
    "objective": "kl",
}
NUM_PARAMETERS = 1_000_000


@contextmanager
def serving(store_url: str, home: Path, **settings: Any) -> Iterator[httpx2.Client]:
    """A client of a real server on a free port."""
    asked = ApiSettings(store_url=store_url, home=home, **{"roots": (home,), **settings})
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(make_app(asked), log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        base = f"http://127.0.0.1:{listening.getsockname()[1]}/api/v1"
        with httpx2.Client(base_url=base, timeout=120.0, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def running_job(store: Store, **changes: Any) -> JobRecord:
    """A job in the hands of this process, as attempt 1."""
    spec = {**SPEC, **changes}
    job, _ = store.add_job(NewJob(name="known", spec=spec, origin="local", model=str(spec["model"])))
    return job


def points(num: int, seed: int, num_units: int = 4) -> list[NewCandidate]:
    """Candidates drawn at random, a few of them equal in size or loss, and one in ten broken."""
    rng = np.random.default_rng(seed)
    sizes, losses = rng.integers(100_000, 101_000, num), rng.integers(1, 400, num) / 1000
    broken = rng.random(num) < 0.1
    return [
        candidate(
            number,
            size=int(sizes[number]),
            loss=None if broken[number] else float(losses[number]),
            levels=rng.integers(0, 3, num_units).tolist(),
            kind="plain" if number < 3 else "candidate",
        )
        for number in range(num)
    ]


def candidate(number: int, *, size: int, loss: float | None, **changes: Any) -> NewCandidate:
    """A candidate with that size and loss, unlike all of other numbers."""
    fields: dict[str, Any] = {
        "configuration_id": f"{number:012x}",
        "levels": (0, 0, 0, 0),
        "label": f"candidate {number}",
        "kind": "candidate",
        "bits_per_weight": size * 8 / NUM_PARAMETERS,
        "nominal_bits_per_weight": size * 7 / NUM_PARAMETERS,
        "loss_se": None if loss is None else loss / 10,
        "source": "computed",
        **changes,
    }
    return NewCandidate(size_bytes=size, loss=loss, **{**fields, "levels": tuple(fields["levels"])})


def non_dominated(found: Sequence[NewCandidate]) -> set[int]:
    """The seqs of the front, by comparing every pair."""
    measured = [(seq, each.size_bytes, each.loss) for seq, each in enumerate(found, start=1) if each.loss is not None]
    return {
        seq
        for seq, size, loss in measured
        if not any(other <= size and less <= loss and (other, less) != (size, loss) for _, other, less in measured)
    }


@contextmanager
def served_apart(store_url: str, home: Path) -> Iterator[tuple[httpx2.Client, int]]:
    """The same as a process of its own, as the service starts it, and that process's number."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        base = f"http://127.0.0.1:{listening.getsockname()[1]}/api/v1"
        settings = ApiSettings(store_url=store_url, home=home, roots=(home,))
        command = [sys.executable, "-m", "service.runner", "web"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(listening.fileno(),))
        assert process.stdin is not None
        process.stdin.write(dump(settings, listening.fileno()).encode())
        process.stdin.close()
    try:
        with httpx2.Client(base_url=base, timeout=120.0, trust_env=False) as client:
            yield client, process.pid  # what is sent before it listens waits in the socket's queue
    finally:
        process.terminate()
        process.wait()
