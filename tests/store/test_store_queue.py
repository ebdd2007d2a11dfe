"""Waiting jobs are claimed in their order, held by leases, and given back without being lost."""

from __future__ import annotations

import time

import pytest
from made_jobs import HOLDER, TTL_S, added, candidate, claimed, in_state, running
from sqlalchemy import text

from store.moves import MAX_STARTS
from store.records import JobState
from store.store import Store

PATIENCE_S = 30.0


def wait_since(store: Store, job_id: str, seconds: float) -> None:
    """Let a queued job have waited for so long."""
    with store._writing() as connection:
        earlier = text("UPDATE job SET queued_at = queued_at - :seconds WHERE id = :id")
        assert connection.execute(earlier, {"seconds": seconds, "id": job_id}).rowcount == 1


def end_lease(store: Store, job_id: str) -> None:
    with store._writing() as connection:
        over = text("UPDATE job SET lease_until = 1.0 WHERE id = :id AND lease_until IS NOT NULL")
        assert connection.execute(over, {"id": job_id}).rowcount == 1


def test_a_claimed_job_is_in_hand(store: Store) -> None:
    job = added(store)
    store.set_waiting(job.id, "waiting_for_workers", "waiting for 2 GPUs; 1 free")
    held = claimed(store)
    assert (held.id, held.state, held.holder, held.attempt) == (job.id, "validating", HOLDER, 1)
    assert (held.reason, held.message) == ("", "")
    assert held.lease_until is not None
    assert held.started_at is not None
    assert TTL_S - 60 < (held.lease_until - held.started_at).total_seconds() < TTL_S + 60
    assert store.claim_job("other", TTL_S) is None
    assert store.job_holders() == {HOLDER}


def test_the_urgent_go_first_and_then_the_oldest(store: Store) -> None:
    low, first, second, high = (added(store, priority=priority) for priority in (-1, 0, 0, 5))
    for job, waited_s in ((low, 40.0), (first, 20.0), (second, 10.0), (high, 0.0)):
        wait_since(store, job.id, waited_s)
    assert [claimed(store).id for _ in range(4)] == [high.id, first.id, second.id, low.id]


def test_whoever_waits_long_becomes_urgent(store: Store) -> None:
    old, urgent = added(store, priority=0), added(store, priority=2)
    wait_since(store, old.id, 1500.0)
    assert (claimed(store).id, claimed(store).id) == (old.id, urgent.id)


def test_aging_is_a_setting(store: Store) -> None:
    old, urgent = added(store, priority=0), added(store, priority=2)
    wait_since(store, old.id, 1500.0)
    order = [job.id for _ in range(2) if (job := store.claim_job(HOLDER, TTL_S, aging_s=10_000.0)) is not None]
    assert order == [urgent.id, old.id]


@pytest.mark.parametrize("state", ["validating", "running", "paused", "cancelled", "succeeded", "failed"])
def test_only_queued_jobs_are_claimed(store: Store, state: JobState) -> None:
    in_state(store, state)
    assert store.claim_job("other", TTL_S) is None


def test_a_job_given_back_keeps_its_place(store: Store) -> None:
    first = running(store)
    wait_since(store, first.id, 10.0)
    added(store)
    back = store.release_job(first.id, 1, "process_died", "killed by signal 9")
    assert (back.state, back.reason, back.message) == ("queued", "process_died", "killed by signal 9")
    assert (back.holder, back.lease_until, back.granted, back.attempt) == (None, None, 0, 1)
    again = claimed(store)
    assert (again.id, again.attempt, again.started_at) == (first.id, 2, first.started_at)


def test_a_job_that_is_back_already_is_left_as_it_is(store: Store) -> None:
    job = running(store)
    back = store.release_job(job.id, 1, "process_died", "killed")
    assert store.release_job(job.id, 1, "process_died", "killed") == back
    claimed(store)
    store.move_job(job.id, 2, "running")
    done = store.move_job(job.id, 2, "succeeded")
    assert store.release_job(job.id, 2, "process_died", "killed") == done


@pytest.mark.parametrize(("verb", "state"), [("pause", "paused"), ("stop", "queued"), ("cancel", "cancelled")])
@pytest.mark.parametrize("how", ["released", "expired", "holder died"])
def test_a_job_given_back_heeds_what_was_wished(store: Store, verb: str, state: JobState, how: str) -> None:
    job = running(store)
    store.wish_job(job.id, verb)  # type: ignore[arg-type]
    if how == "released":
        store.release_job(job.id, 1, "process_died", "killed")
    elif how == "expired":
        end_lease(store, job.id)
        held = store.claim_job("other", TTL_S)
        assert (held is not None) == (state == "queued")
        state = "validating" if held is not None else state
    else:
        assert store.release_holder(HOLDER) == 1
    left = store.job(job.id)
    assert (left.state, left.wish) == (state, verb)
    assert (left.finished_at is not None) == (state == "cancelled")


def test_a_lease_that_ran_out_is_anothers(store: Store) -> None:
    job = running(store)
    end_lease(store, job.id)
    taken = claimed(store, "other")
    assert (taken.id, taken.state, taken.holder, taken.attempt) == (job.id, "validating", "other", 2)
    told = [(event.payload["state"], event.payload["reason"]) for event in store.events(job.id)[-2:]]
    assert told == [("queued", "lease_expired"), ("validating", "")]
    assert store.renew_jobs([job.id], HOLDER, TTL_S) == set()


def test_a_renewed_lease_goes_on(store: Store) -> None:
    mine, others = running(store), added(store)
    assert claimed(store, "other").id == others.id
    assert store.renew_jobs([mine.id, others.id, "unknown"], HOLDER, 2 * TTL_S) == {mine.id}
    renewed = store.job(mine.id)
    assert renewed.lease_until is not None
    assert mine.lease_until is not None
    assert (renewed.lease_until - mine.lease_until).total_seconds() > TTL_S / 2
    assert store.job(others.id).lease_until is not None
    assert store.renew_jobs([], HOLDER, TTL_S) == set()


def test_a_lease_ends_by_itself(store: Store) -> None:
    job = added(store)
    claimed(store, ttl_s=0.05)
    deadline_s = time.monotonic() + PATIENCE_S
    while (taken := store.claim_job("other", TTL_S)) is None and time.monotonic() < deadline_s:
        assert store.job(job.id).state == "validating"
    assert taken is not None
    assert (taken.id, taken.attempt) == (job.id, 2)


def test_the_jobs_of_a_dead_holder_are_queued_again(store: Store) -> None:
    jobs = [added(store) for _ in range(3)]
    for holder in (HOLDER, HOLDER, "other"):
        claimed(store, holder)
    assert store.release_holder(HOLDER) == 2
    assert store.release_holder(HOLDER) == 0
    assert sorted(store.job(job.id).state for job in jobs) == ["queued", "queued", "validating"]
    assert store.job_holders() == {"other"}


def start_and_die(store: Store, reason: str = "process_died") -> str:
    job = claimed(store)
    store.move_job(job.id, job.attempt, "running")
    return store.release_job(job.id, job.attempt, reason, f"death {job.attempt}").state


def test_a_job_that_never_comes_further_is_given_up(store: Store) -> None:
    job = added(store)
    assert [start_and_die(store) for _ in range(MAX_STARTS)] == ["queued"] * (MAX_STARTS - 1) + ["failed"]
    failed = store.job(job.id)
    assert (failed.reason, failed.message) == (
        "process_died",
        f"given up after {MAX_STARTS} starts that came no further; the last time: death {MAX_STARTS}",
    )
    assert store.claim_job(HOLDER, TTL_S) is None
    store.extend_job(job.id, {})
    assert start_and_die(store) == "queued"  # it has all its starts again


@pytest.mark.parametrize("what", ["candidates", "subjects"])
def test_a_job_that_comes_further_may_die_as_often(store: Store, what: str) -> None:
    added(store)
    for number in range(2 * MAX_STARTS):
        job = claimed(store)
        if what == "candidates":
            store.add_candidates(job.id, job.attempt, [candidate(number // 2)])  # anew in every second start
        else:
            store.add_subjects(job.id, ["the first", f"subject {number // 2}"])
        assert store.release_job(job.id, job.attempt, "process_died", "killed").state == "queued"


@pytest.mark.parametrize("reason", ["service_stopped", "runner_died", "out_of_reach"])
def test_no_job_is_to_blame_for_what_is_done_to_it(store: Store, reason: str) -> None:
    added(store)
    assert [start_and_die(store, reason) for _ in range(2 * MAX_STARTS)] == ["queued"] * (2 * MAX_STARTS)


def test_what_a_job_waits_for_is_told_once(store: Store) -> None:
    job = added(store)
    for _ in range(3):
        store.set_waiting(job.id, "waiting_for_workers", "waiting for 2 GPUs; 1 free")
    waiting = store.job(job.id)
    assert (waiting.reason, waiting.message) == ("waiting_for_workers", "waiting for 2 GPUs; 1 free")
    assert waiting.last_seq == job.last_seq + 1
    claimed(store)
    store.set_waiting(job.id, "waiting_for_workers", "too late")
    assert store.job(job.id).message == ""


def test_progress_is_answered_with_what_is_wished_and_granted(store: Store) -> None:
    job, waits = running(store, workers=4), added(store)
    assert store.note_progress(job.id, 1, {"done": 1}) == ("run", 0)
    store.grant_workers({waits.id: 9, job.id: 3, "unknown": 1})
    store.wish_job(job.id, "pause")
    assert store.note_progress(job.id, 1, {"done": 2, "phase": "search"}) == ("pause", 3)
    assert store.job(job.id).progress == {"done": 2, "phase": "search"}
    assert (store.job(waits.id).granted, store.job(job.id).workers) == (0, 4)
    assert store.move_job(job.id, 1, "paused").granted == 0
