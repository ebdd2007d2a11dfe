"""Jobs and candidates for the tests of the store, as short to write as they can be."""

from __future__ import annotations

from typing import Any

from store.records import JobRecord, JobState, NewCandidate, NewJob
from store.store import Store

HOLDER = "host:1:aaaaaaaa"
TTL_S = 3600.0


def asked(name: str = "search", **others: Any) -> NewJob:
    return NewJob(name=name, spec=others.pop("spec", {"model": "m"}), **others)


def added(store: Store, name: str = "search", **others: Any) -> JobRecord:
    return store.add_job(asked(name, **others))[0]


def claimed(store: Store, holder: str = HOLDER, ttl_s: float = TTL_S) -> JobRecord:
    job = store.claim_job(holder, ttl_s)
    assert job is not None
    return job


def running(store: Store, **others: Any) -> JobRecord:
    """A new job that its first process has begun."""
    job = added(store, **others)
    assert claimed(store).id == job.id
    return store.move_job(job.id, 1, "running")


def in_state(store: Store, state: JobState) -> JobRecord:
    """A new job, brought to a state as users and processes bring it there."""
    job = added(store)
    if state == "queued":
        return job
    assert claimed(store).id == job.id
    if state != "validating":
        store.move_job(job.id, 1, "running")
    if state == "paused":
        store.wish_job(job.id, "pause")
    if state == "stopping":
        store.wish_job(job.id, "stop")
    if state in ("cancelling", "cancelled"):
        store.wish_job(job.id, "cancel")
    return store.job(job.id) if state in ("validating", "running") else store.move_job(job.id, 1, state)


def candidate(number: int, *, size_bytes: int = 100, loss: float | None = 1.0, **others: Any) -> NewCandidate:
    values: dict[str, Any] = {
        "configuration_id": f"c{number}",
        "levels": (number % 7, 65_535, 0),
        "label": f"round {number}",
        "kind": "candidate",
        "size_bytes": size_bytes,
        "bits_per_weight": 3.25,
        "nominal_bits_per_weight": 3.0,
        "loss": loss,
        "loss_se": None if loss is None else 0.01,
        "source": "computed",
    }
    return NewCandidate(**values | others)
