"""Real processes on one store: each evaluation made once, none lost with its process, events without gaps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from store_process import measured, named

from store.records import Busy, Leased
from store.store import Store

SCRIPT = Path(__file__).parent / "store_process.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])}
PATIENCE_S = 60.0
Process = subprocess.Popen[str]
Begin = Callable[..., Process]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Starts processes that wait at ``ready``; those that a test leaves are killed."""
    processes: list[Process] = []

    def start(*action: object) -> Process:
        command = [sys.executable, str(SCRIPT), json.dumps(action)]
        process = subprocess.Popen(command, env=ENVIRONMENT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def go(*processes: Process) -> None:
    """Let them all loose at once."""
    for process in processes:
        assert heard(process) == "ready"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def heard(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def results(*processes: Process) -> list[Any]:
    """What each answers; a process that failed answers nothing, and the reading fails."""
    return [json.loads(process.communicate(timeout=PATIENCE_S)[0]) for process in processes]


def test_processes_that_open_a_new_store_at_once_all_get_it(url: str, begin: Begin) -> None:
    openers = [begin("open_store", url) for _ in range(3)]
    go(*openers)
    assert results(*openers) == ["0001"] * 3


def test_processes_that_race_evaluate_each_key_once(url: str, begin: Begin) -> None:
    racers = [begin("evaluate", url, f"owner {number}", 60) for number in range(3)]
    go(*racers)
    evaluated = [key for keys in results(*racers) for key in keys]
    assert sorted(evaluated) == [f"{number:04d}" for number in range(60)]
    with Store.open(url) as store:
        found = store.find(evaluated)
    assert {key: values.kl.tolist() for key, values in found.items()} == {k: [int(k)] for k in evaluated}


def test_a_killed_holder_is_followed_after_its_time_to_live(url: str, begin: Begin) -> None:
    ttl_s = 0.5
    holder = begin("hold", url, "a", ttl_s)
    with Store.open(url) as store:
        go(holder)
        assert heard(holder) == "holding"
        holder.kill()
        holder.wait()
        claim = store.claim(named("a"), owner="heir", ttl_s=60.0)
        deadline_s = time.monotonic() + PATIENCE_S
        while not isinstance(claim, Leased) and time.monotonic() < deadline_s:
            assert isinstance(claim, Busy)
            assert claim.remaining_s <= ttl_s
            claim = store.claim(named("a"), owner="heir", ttl_s=60.0)
        assert claim == Leased(attempt=2)
        assert not store.complete("a", "holder", 1, measured(1.0))
        assert store.complete("a", "heir", 2, measured(2.0))


def test_events_of_two_processes_are_numbered_without_gaps(store: Store, url: str, begin: Begin) -> None:
    job = store.add_job("search", {})
    writers = [begin("add_events", url, job.id, 40) for _ in range(2)]
    go(*writers)
    first, second = results(*writers)
    assert first == sorted(first)
    assert second == sorted(second)
    assert sorted(first + second) == list(range(1, 81))
    assert [event.seq for event in store.events(job.id)] == list(range(1, 81))


def test_a_reader_never_fails_while_others_write(store: Store, url: str, begin: Begin) -> None:
    writers = [begin("evaluate", url, f"owner {number}", 100) for number in range(2)]
    go(*writers)
    finished = [0]
    while any(writer.poll() is None for writer in writers):
        finished.append(store.evaluation_stats().done)
    assert finished == sorted(finished)
    results(*writers)
    assert store.evaluation_stats().done == 100
