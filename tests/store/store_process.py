"""One real process beside the tests: says ``ready``, waits for a line, then does what its arguments ask."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable

from leased_work import KINDS
from made_jobs import candidate

from store.records import Idempotency, Leased, NewJob
from store.store import Store


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def open_store(url: str) -> object:
    with Store.open(url) as store:
        return store.schema_revision()


def work_off(url: str, kind: str, owner: str, num_keys: int) -> object:
    """Claim every key in an order of this owner's own; the keys whose work it was given."""
    keys = [f"{number:04d}" for number in range(num_keys)]
    random.Random(owner).shuffle(keys)
    done: list[str] = []
    with Store.open(url) as store:
        work = KINDS[kind](store)
        for start in range(0, num_keys, 7):  # in bulk, so that transactions overlap on several rows
            for key, claim in work.claim_many(keys[start : start + 7], owner, 60.0).items():
                if isinstance(claim, Leased) and work.complete(key, owner, claim.attempt, int(key)):
                    done.append(key)
            work.heartbeat(keys, owner, 60.0)
    return done


def hold(url: str, kind: str, key: str, ttl_s: float) -> object:
    """Take a lease and say so, then wait for ever."""
    with Store.open(url) as store:
        KINDS[kind](store).claim(key, "holder", ttl_s)
        say("holding")
        return sys.stdin.read()


def claim_jobs(url: str, holder: str) -> object:
    """Claim jobs until none waits; their ids."""
    ids: list[str] = []
    with Store.open(url) as store:
        while (job := store.claim_job(holder, 60.0)) is not None:
            ids.append(job.id)
            store.move_job(job.id, job.attempt, "running")
            store.move_job(job.id, job.attempt, "succeeded")
    return ids


def hold_job(url: str, ttl_s: float) -> object:
    """Take a job in hand and say so, then wait for ever."""
    with Store.open(url) as store:
        job = store.claim_job("holder", ttl_s)
        say("nothing" if job is None else job.id)
        return sys.stdin.read()


def submit(url: str, key: str) -> object:
    with Store.open(url) as store:
        idempotency = Idempotency(key=key, principal="ann", body_hash="h")
        job, was_replayed = store.add_job(NewJob(name="x", spec={}), idempotency=idempotency)
        return [job.id, was_replayed]


def write_candidates(url: str, job_id: str, start: int, num_rounds: int) -> object:
    """Add candidates, events and progress to one job, as several processes of a job might by mistake."""
    with Store.open(url) as store:
        for number in range(start, start + num_rounds):
            store.add_candidates(job_id, 1, [candidate(number, size_bytes=1000 - number, loss=float(number))])
            store.add_event(job_id, "log", {"number": number})
            store.note_progress(job_id, 1, {"done": number})
        return store.num_candidates(job_id)


def add_events(url: str, job_id: str, num_events: int) -> object:
    with Store.open(url) as store:
        return [store.add_event(job_id, "round", {"number": number}) for number in range(num_events)]


ACTIONS: dict[str, Callable[..., object]] = {
    "open_store": open_store,
    "work_off": work_off,
    "hold": hold,
    "add_events": add_events,
    "claim_jobs": claim_jobs,
    "hold_job": hold_job,
    "submit": submit,
    "write_candidates": write_candidates,
}

if __name__ == "__main__":
    action, *arguments = json.loads(sys.argv[1])
    say("ready")
    sys.stdin.readline()
    say(json.dumps(ACTIONS[action](*arguments)))
