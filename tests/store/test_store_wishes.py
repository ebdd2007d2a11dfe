"""What owners may wish in each state, checked whole against the list that the design gives."""

from __future__ import annotations

import re
from itertools import product
from typing import get_args

import pytest
from made_jobs import HOLDER, added, claimed, in_state, running

from spaces.errors import ConflictError, LeaseLostError
from store.moves import MOVES, Standing, Verb, after_wish, possible
from store.records import FINAL_STATES, JobRecord, JobState, Wish
from store.store import Store

STATES: tuple[JobState, ...] = get_args(JobState)
VERBS: tuple[Verb, ...] = get_args(Verb)
WISHES: tuple[Wish, ...] = get_args(Wish)

# state -> verb -> (state, wish) afterwards, of a job that was started before and whose wish is the usual one
USUAL: dict[JobState, Wish] = {"paused": "pause", "stopping": "stop", "cancelling": "cancel", "cancelled": "cancel"}
TABLE: dict[tuple[JobState, Verb], tuple[JobState, Wish]] = {
    ("queued", "pause"): ("paused", "pause"),
    ("queued", "resume"): ("queued", "run"),
    ("queued", "stop"): ("queued", "stop"),
    ("queued", "cancel"): ("cancelled", "cancel"),
    ("validating", "pause"): ("validating", "pause"),
    ("validating", "resume"): ("validating", "run"),
    ("validating", "stop"): ("validating", "stop"),
    ("validating", "cancel"): ("validating", "cancel"),
    ("running", "pause"): ("running", "pause"),
    ("running", "resume"): ("running", "run"),
    ("running", "stop"): ("running", "stop"),
    ("running", "cancel"): ("running", "cancel"),
    ("paused", "pause"): ("paused", "pause"),
    ("paused", "resume"): ("queued", "run"),
    ("paused", "stop"): ("queued", "stop"),
    ("paused", "cancel"): ("cancelled", "cancel"),
    ("stopping", "stop"): ("stopping", "stop"),
    ("stopping", "cancel"): ("stopping", "cancel"),
    ("cancelling", "cancel"): ("cancelling", "cancel"),
    ("cancelled", "cancel"): ("cancelled", "cancel"),
}


@pytest.mark.parametrize(("state", "verb"), list(product(STATES, VERBS)))
def test_every_verb_in_every_state(state: JobState, verb: Verb) -> None:
    now = Standing(state=state, wish=USUAL.get(state, "run"), attempt=1)
    expected = TABLE.get((state, verb))
    wished = after_wish(verb, now)
    assert (wished and (wished.state, wished.wish)) == expected


@pytest.mark.parametrize(("state", "wish", "verb", "attempt"), list(product(STATES, WISHES, VERBS, (0, 1))))
def test_rules_that_every_wish_keeps(state: JobState, wish: Wish, verb: Verb, attempt: int) -> None:
    now = Standing(state=state, wish=wish, attempt=attempt)
    wished = after_wish(verb, now)
    assert (verb in possible(now)) == (wished is not None and wished != now)
    if wished is None:
        return
    assert after_wish(verb, wished) == wished  # a wish may be repeated
    assert wished.attempt == attempt
    if state in FINAL_STATES:
        assert wished == now  # nothing brings an ended job back but an extension
    if wish in ("stop", "cancel"):
        assert verb in ("stop", "cancel")  # no way back
    if wish == "cancel":
        assert verb == "cancel"
    if wished.wish == "stop" and wished.state == "queued":
        assert attempt > 0  # there is something to finish with


def wish_and_compare(store: Store, job: JobRecord, verb: Verb) -> None:
    """What the store does with a wish is what the table says, and it is told as an event."""
    expected = TABLE.get((job.state, verb))
    if expected is None or (job.state, verb) == ("queued", "stop"):
        with pytest.raises(ConflictError, match=rf"cannot {verb} job {job.id}: it is {job.state}.*; possible: \w+"):
            store.wish_job(job.id, verb)
        assert store.job(job.id) == job
        return
    wished, has_changed = store.wish_job(job.id, verb)
    assert (wished.state, wished.wish) == expected
    assert has_changed == ((wished.state, wished.wish) != (job.state, job.wish))
    assert store.job(job.id) == wished
    assert wished.last_seq == job.last_seq + has_changed
    assert store.wish_job(job.id, verb) == (wished, False)
    event = store.events(job.id)[-1]
    told = {"state": wished.state, "wish": wished.wish, "reason": wished.reason, "message": wished.message}
    assert (event.kind, event.payload) == ("state", told)


@pytest.mark.parametrize("state", STATES)
def test_the_store_keeps_to_the_table(store: Store, state: JobState) -> None:
    for verb in VERBS:
        job = in_state(store, state)
        wish_and_compare(store, job, verb)
        leave_the_queue(store, job)


def test_what_has_not_begun_cannot_stop(store: Store) -> None:
    job = added(store)
    reason = f"cannot stop job {job.id}: it is queued and has not begun, .* finish with; possible: pause, cancel"
    with pytest.raises(ConflictError, match=reason):
        store.wish_job(job.id, "stop")
    store.wish_job(job.id, "pause")
    with pytest.raises(ConflictError, match=r"it is paused and has not begun, .*; possible: resume, cancel"):
        store.wish_job(job.id, "stop")


def test_a_job_that_was_begun_waits_to_be_stopped(store: Store) -> None:
    job = running(store)
    store.release_job(job.id, 1, "process_died", "killed")
    assert store.wish_job(job.id, "stop")[0].state == "queued"
    assert (claimed(store).wish, store.job(job.id).attempt) == ("stop", 2)


@pytest.mark.parametrize(
    ("wishes", "state"),
    [
        (["pause"], "paused"),
        (["pause", "resume"], "queued"),
        (["pause", "stop"], "queued"),
        (["pause", "cancel"], "cancelled"),
    ],
)
def test_a_pause_that_comes_too_late_is_none(store: Store, wishes: list[Verb], state: JobState) -> None:
    job = running(store)
    for verb in wishes:
        store.wish_job(job.id, verb)
    rests = store.move_job(job.id, 1, "paused", reason="paused_by_user")
    assert (rests.state, rests.holder, rests.lease_until) == (state, None, None)
    assert (rests.finished_at is not None) == (state == "cancelled")


def move_and_compare(store: Store, job: JobRecord, other: JobState) -> None:
    is_there_already = job.state == other and other in ("paused", *FINAL_STATES)
    if is_there_already:
        assert store.move_job(job.id, job.attempt, other, message="once more") == job
    elif other not in MOVES.get(job.state, ()):
        with pytest.raises(ConflictError, match=f"job {job.id} is {job.state} and cannot become {other}"):
            store.move_job(job.id, job.attempt, other)
        assert store.job(job.id) == job
    elif other == "paused":
        assert store.move_job(job.id, job.attempt, other).state == "queued"  # nobody wished it
    else:
        moved = store.move_job(job.id, job.attempt, other, reason="r", message="m", progress={"done": 1})
        assert (moved.state, moved.reason, moved.message, moved.progress) == (other, "r", "m", {"done": 1})
        assert (moved.holder == HOLDER) == (moved.lease_until is not None) == (other not in FINAL_STATES)
        assert (moved.finished_at is not None) == (other in FINAL_STATES)


@pytest.mark.parametrize("state", STATES)
def test_a_process_moves_its_job_along_the_listed_moves_alone(store: Store, state: JobState) -> None:
    for other in STATES:
        job = in_state(store, state)
        move_and_compare(store, job, other)
        leave_the_queue(store, job)


def leave_the_queue(store: Store, job: JobRecord) -> None:
    """Let the next job of a test be the next one to be claimed."""
    if store.job(job.id).state == "queued":
        store.wish_job(job.id, "cancel")


def test_what_an_earlier_attempt_sends_is_refused(store: Store) -> None:
    job = running(store)
    store.release_job(job.id, 1, "process_died", "killed")
    with pytest.raises(LeaseLostError, match=f"attempt 1 of job {job.id} is over: it is queued, at attempt 1"):
        store.note_progress(job.id, 1, {})
    claimed(store)
    before = store.job(job.id)
    over = f"job {job.id} is in the hands of attempt 2, and attempt 1 is over"
    with pytest.raises(LeaseLostError, match=over):
        store.move_job(job.id, 1, "succeeded", report={"late": True})
    with pytest.raises(LeaseLostError, match=over):
        store.add_event(job.id, "log", {}, attempt=1)
    with pytest.raises(LeaseLostError, match=over):
        store.release_job(job.id, 1, "", "")
    with pytest.raises(LeaseLostError, match=over):
        store.add_candidates(job.id, 1, [])
    with pytest.raises(LeaseLostError, match=over):
        store.put_artifacts(job.id, 1, [])
    with pytest.raises(LeaseLostError, match=over):
        store.report_workers(job.id, 1, [])
    assert store.job(job.id) == before


def test_a_refusal_says_what_is_being_done(store: Store) -> None:
    job = running(store)
    store.wish_job(job.id, "stop")
    with pytest.raises(ConflictError, match=re.escape("it is running and stopping; possible: cancel")):
        store.wish_job(job.id, "pause")
    store.move_job(job.id, 1, "succeeded")
    with pytest.raises(ConflictError, match=re.escape("it is succeeded; possible: extend, clone, delete")):
        store.wish_job(job.id, "resume")
