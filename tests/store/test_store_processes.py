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
from made_jobs import added, running

from spaces.errors import LeaseLostError
from store.records import Busy, Leased
from store.revisions import newest_revision
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


def test_processes_that_open_a_new_store_at_once_all_get_it(empty_database_url: str, begin: Begin) -> None:
    openers = [begin("open_store", empty_database_url) for _ in range(3)]
    go(*openers)
    assert results(*openers) == [newest_revision()] * 3


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
    job = added(store)
    writers = [begin("add_events", url, job.id, 40) for _ in range(2)]
    go(*writers)
    first, second = results(*writers)
    assert first == sorted(first)
    assert second == sorted(second)
    assert sorted(first + second) == list(range(2, 82))  # 1 told that it is queued
    assert [event.seq for event in store.events(job.id)] == list(range(1, 82))


def test_a_reader_that_follows_sees_every_event_once_and_in_order(store: Store, url: str, begin: Begin) -> None:
    jobs = [running(store) for _ in range(2)]
    writers = [begin("write_candidates", url, job.id, start, 20) for job in jobs for start in (0, 20)]
    go(*writers)
    marks, seen = {job.id: 0 for job in jobs}, {job.id: [] for job in jobs}
    while any(writer.poll() is None for writer in writers) or store.events_after(marks):
        for event in store.events_after(marks, limit=7):
            marks[event.job_id] = event.seq
            seen[event.job_id].append(event.seq)
    results(*writers)
    for job in jobs:
        assert seen[job.id] == list(range(1, store.job(job.id).last_seq + 1))
        assert [found.seq for found in store.candidates(job.id)] == list(range(1, 41))
        assert len(store.front(job.id)) == 40  # each is smaller and worse than the ones before it


def test_each_job_is_claimed_once(store: Store, url: str, begin: Begin) -> None:
    jobs = {added(store, priority=number % 3).id for number in range(40)}
    claimers = [begin("claim_jobs", url, f"holder {number}") for number in range(4)]
    go(*claimers)
    claimed = [job_id for ids in results(*claimers) for job_id in ids]
    assert sorted(claimed) == sorted(jobs)
    assert {store.job(job_id).attempt for job_id in jobs} == {1}


def test_the_job_of_a_killed_holder_is_taken_over_and_its_late_word_refused(url: str, begin: Begin) -> None:
    holder = begin("hold_job", url, 0.5)
    with Store.open(url) as store:
        job = added(store)
        go(holder)
        assert heard(holder) == job.id
        holder.kill()
        holder.wait()
        deadline_s = time.monotonic() + PATIENCE_S
        while (heir := store.claim_job("heir", 60.0)) is None and time.monotonic() < deadline_s:
            pass
        assert heir is not None
        assert (heir.id, heir.attempt, heir.holder) == (job.id, 2, "heir")
        with pytest.raises(LeaseLostError, match="in the hands of attempt 2, and attempt 1 is over"):
            store.move_job(job.id, 1, "failed")


def test_a_submission_sent_several_times_at_once_is_one_job(store: Store, url: str, begin: Begin) -> None:
    senders = [begin("submit", url, "key") for _ in range(4)]
    go(*senders)
    answers = results(*senders)
    (job,) = store.jobs()
    assert {job_id for job_id, _ in answers} == {job.id}
    assert sorted(was_replayed for _, was_replayed in answers) == [False, True, True, True]
    assert [event.seq for event in store.events(job.id)] == [1]


def test_a_reader_never_fails_while_others_write(store: Store, url: str, begin: Begin) -> None:
    writers = [begin("work_off", url, "evaluations", f"owner {number}", 100) for number in range(2)]
    go(*writers)
    finished = [0]
    while any(writer.poll() is None for writer in writers):
        finished.append(store.evaluation_stats().done)
    assert finished == sorted(finished)
    results(*writers)
    assert store.evaluation_stats().done == 100
