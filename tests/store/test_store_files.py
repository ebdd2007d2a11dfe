"""Events, artifacts and workers of jobs come back as they were told, each job's apart."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from made_jobs import added, running
from sqlalchemy import text

from spaces.errors import UnknownError
from store.records import Artifact, WorkerRecord
from store.store import Store


def worker(name: str, job_id: str = "whichever", **others: Any) -> WorkerRecord:
    values: dict[str, Any] = {"node": "node1", "pid": 42, "device": "cuda", "cpus": 0.5, "gpus": 0.25}
    values |= {"state": "busy", "task": "evaluate c1", "updated_at": datetime(2000, 1, 1, tzinfo=UTC)}
    return WorkerRecord(id=name, job_id=job_id, **values | others)


def test_events_are_numbered_within_their_job(store: Store) -> None:
    first, second = added(store, "x"), added(store, "y")
    assert [store.add_event(first.id, "round", {"number": number}) for number in range(3)] == [2, 3, 4]
    assert store.add_event(second.id, "round", {}, attempt=0) == 2
    told, *events = store.events(first.id)
    assert (told.seq, told.kind) == (1, "state")
    assert told.payload == {"state": "queued", "wish": "run", "reason": "", "message": ""}
    assert [(event.job_id, event.seq, event.kind) for event in events] == [
        (first.id, seq, "round") for seq in (2, 3, 4)
    ]
    assert [event.payload for event in events] == [{"number": number} for number in range(3)]
    assert store.job(first.id).last_seq == 4


def test_events_resume_after_any_number(store: Store) -> None:
    job = added(store)
    for kind in ("round", "log", "round", "log"):
        store.add_event(job.id, kind, {})
    assert [event.seq for event in store.events(job.id, after=2)] == [3, 4, 5]
    assert [event.seq for event in store.events(job.id, after=1, limit=2)] == [2, 3]
    assert [event.seq for event in store.events(job.id, kinds=["log"])] == [3, 5]
    assert [event.seq for event in store.events(job.id, after=3, kinds=["log", "state"])] == [5]
    assert store.events(job.id, after=5) == []


def test_the_news_of_many_jobs_come_together(store: Store) -> None:
    jobs = [added(store, str(number)).id for number in range(105)]
    for job_id in jobs[::2]:
        store.add_event(job_id, "log", {})
    marks = dict.fromkeys(jobs, 1)
    news = store.events_after(marks)
    assert [(event.job_id, event.seq) for event in news] == [(job_id, 2) for job_id in sorted(jobs[::2])]
    assert store.events_after(marks, limit=10) == news[:10]
    assert store.events_after(dict.fromkeys(jobs, 2)) == []
    assert store.events_after({"unknown": 0, jobs[0]: 0})[0].job_id == jobs[0]
    assert store.events_after({}) == []


def test_artifacts_return_byte_for_byte(store: Store) -> None:
    job, other = running(store), running(store)
    content = bytes(range(256)) * 5000
    store.put_artifacts(
        job.id,
        1,
        [
            Artifact(name="front.png", media_type="image/png", content=content),
            Artifact(name="empty", media_type="text/plain", content=b""),
        ],
    )
    described = [(info.name, info.media_type, info.size_bytes, info.sha256) for info in store.artifacts(job.id)]
    assert described == [
        ("empty", "text/plain", 0, hashlib.sha256(b"").hexdigest()),
        ("front.png", "image/png", len(content), hashlib.sha256(content).hexdigest()),
    ]
    assert store.artifact(job.id, "front.png").content == content
    assert store.artifacts(other.id) == []
    with pytest.raises(UnknownError, match=f"job {other.id} has no artifact 'front.png'"):
        store.artifact(other.id, "front.png")


def test_an_artifact_replaces_the_one_of_its_name(store: Store) -> None:
    job = running(store)
    for content in (b"old", b"new"):
        store.put_artifacts(job.id, 1, [Artifact(name="a", media_type="text/plain", content=content)])
        store.put_artifacts(job.id, 1, [Artifact(name=content.decode(), media_type="text/plain", content=content)])
    assert [info.name for info in store.artifacts(job.id)] == ["a", "new", "old"]
    assert store.artifact(job.id, "a").content == b"new"


def test_workers_are_those_of_the_last_report(store: Store) -> None:
    job, other = running(store), running(store)
    store.report_workers(job.id, 1, [worker("w1"), worker("w2")])
    store.report_workers(other.id, 1, [worker("w1", state="idle", task="")])
    store.report_workers(job.id, 1, [worker("w2"), worker("w3", pid=7)])
    found = {(seen.job_id, seen.id): seen for seen in store.workers()}
    assert sorted(found) == sorted([(job.id, "w2"), (job.id, "w3"), (other.id, "w1")])
    seen = found[job.id, "w3"]
    assert seen == worker("w3", job.id, pid=7, updated_at=seen.updated_at)
    assert seen.updated_at > job.created_at  # the database's clock, whatever the report says
    store.report_workers(job.id, 1, [])
    assert [seen.job_id for seen in store.workers()] == [other.id]


def test_workers_that_nobody_speaks_of_are_gone(store: Store) -> None:
    job = running(store)
    store.report_workers(job.id, 1, [worker("w1")])
    with store._writing() as connection:
        connection.execute(text("UPDATE worker SET updated_at = updated_at - 60"))
    assert store.workers() == []
    assert [seen.id for seen in store.workers(max_age_s=3600.0)] == ["w1"]


def test_a_job_that_rests_has_no_workers(store: Store) -> None:
    job = running(store)
    store.report_workers(job.id, 1, [worker("w1")])
    store.release_job(job.id, 1, "process_died", "killed")
    assert store.workers() == []
