"""Owners, runners, job processes and the keeper at one store at once: no deadlock, no gap, no illegal state."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from made_jobs import added, candidate

from spaces.errors import ConflictError, LeaseLostError, UnknownError
from store.moves import ACTIVE_STATES
from store.records import Artifact, JobRecord
from store.store import Store

NUM_STEPS = 60
REFUSALS = (ConflictError, LeaseLostError, UnknownError)  # what may come of a step that others were faster than


def step(store: Store, job: JobRecord, rng: random.Random) -> None:
    """Something that anybody might do to a job, which knows it as it was a moment ago."""
    attempt, number = job.attempt, rng.randrange(40)
    steps: list[Callable[[], object]] = [
        lambda: added(store),
        lambda: store.claim_job(f"holder {rng.randrange(3)}", rng.choice([0.0, 60.0])),
        lambda: store.claim_job(f"holder {rng.randrange(3)}", 60.0),
        lambda: store.wish_job(job.id, rng.choice(["pause", "resume", "stop", "cancel"])),
        lambda: store.wish_job(job.id, "resume"),
        lambda: store.move_job(job.id, attempt, rng.choice(["running", "paused", "stopping", "succeeded", "failed"])),
        lambda: store.note_progress(job.id, attempt, {"done": number}),
        lambda: store.release_job(job.id, attempt, "process_died", "killed"),
        lambda: store.release_holder(f"holder {rng.randrange(3)}"),
        lambda: store.renew_jobs([known.id for known in store.jobs()], "holder 0", 60.0),
        lambda: store.grant_workers({known.id: number for known in store.jobs()}),
        lambda: store.set_waiting(job.id, "waiting_for_workers", f"waiting for {number}"),
        lambda: store.add_event(job.id, "log", {"number": number}, attempt=attempt),
        lambda: store.add_candidates(job.id, attempt, [candidate(number, size_bytes=number, loss=1.0 / (1 + number))]),
        lambda: store.put_artifacts(job.id, attempt, [Artifact(name="a", media_type="text/plain", content=b"a")]),
        lambda: store.add_subjects(job.id, [f"subject {rng.randrange(9)}" for _ in range(4)]),
        lambda: store.extend_job(job.id, {"rounds": number}),
        lambda: store.delete_job(job.id),
        lambda: store.prune(older_than_s=0.0, dry_run=False),
    ]
    try:
        rng.choice(steps)()
    except REFUSALS:
        return


def walk(store: Store, seed: int) -> int:
    rng = random.Random(seed)
    for _ in range(NUM_STEPS):
        step(store, rng.choice(store.jobs(limit=8)), rng)
    return NUM_STEPS


def test_everybody_at_once(store: Store) -> None:
    for _ in range(4):
        added(store)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda seed: walk(store, seed), range(4))) == [NUM_STEPS] * 4
    for job in store.jobs(limit=1000):
        assert [event.seq for event in store.events(job.id)] == list(range(1, job.last_seq + 1))
        told = [event.payload for event in store.events(job.id, kinds=["state"])][-1]
        assert (told["state"], told["wish"], told["message"]) == (job.state, job.wish, job.message)
        assert (job.holder is not None) == (job.lease_until is not None) == (job.state in ACTIVE_STATES)
        assert (job.finished_at is not None) == (job.state in ("succeeded", "failed", "cancelled"))
        kept = store.candidates(job.id, limit=1000)
        assert [record.seq for record in kept] == list(range(1, len(kept) + 1))
