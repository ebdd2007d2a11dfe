"""Real processes on one store: each piece of work done once, none lost with its process, events without gaps."""

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
from leased_work import KINDS

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
    assert results(*openers) == ["0002"] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_processes_that_race_do_each_piece_of_work_once(url: str, begin: Begin, kind: str) -> None:
    racers = [begin("work_off", url, kind, f"owner {number}", 60) for number in range(3)]
    go(*racers)
    done = [key for keys in results(*racers) for key in keys]
    assert sorted(done) == [f"{number:04d}" for number in range(60)]
    with Store.open(url) as store:
        assert KINDS[kind](store).numbers(done) == {key: int(key) for key in done}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_holder_is_followed_after_its_time_to_live(url: str, begin: Begin, kind: str) -> None:
    ttl_s = 0.5
    holder = begin("hold", url, kind, "a", ttl_s)
    with Store.open(url) as store:
        work = KINDS[kind](store)
        go(holder)
        assert heard(holder) == "holding"
        holder.kill()
        holder.wait()
        claim = work.claim("a", "heir", 60.0)
        deadline_s = time.monotonic() + PATIENCE_S
        while not isinstance(claim, Leased) and time.monotonic() < deadline_s:
            assert isinstance(claim, Busy)
            assert claim.remaining_s <= ttl_s
            claim = work.claim("a", "heir", 60.0)
        assert claim == Leased(attempt=2)
        assert not work.complete("a", "holder", 1, 1.0)
        assert work.complete("a", "heir", 2, 2.0)


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
    writers = [begin("work_off", url, "evaluations", f"owner {number}", 100) for number in range(2)]
    go(*writers)
    finished = [0]
    while any(writer.poll() is None for writer in writers):
        finished.append(store.evaluation_stats().done)
    assert finished == sorted(finished)
    results(*writers)
    assert store.evaluation_stats().done == 100
