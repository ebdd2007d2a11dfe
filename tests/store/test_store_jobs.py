"""Jobs move only along legal moves, are listed newest first, and number their events."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from spaces.errors import InputError, JobError
from store.records import FinalState
from store.store import Store

FINAL: tuple[FinalState, ...] = ("succeeded", "failed", "interrupted")
CLOCKS_AGREE = timedelta(minutes=5)  # the server of a test runs beside it


def test_a_job_returns_as_it_was_added(store: Store) -> None:
    spec = {"model": "a", "budget": {"bits": 3.0}, "options": [2, None, True, "ü"]}
    added = store.add_job("first", spec)
    assert store.job(added.id) == added
    assert (added.name, added.spec, added.state, added.message) == ("first", spec, "queued", "")
    assert (added.started_at, added.finished_at, added.report, added.last_seq) == (None, None, None, 0)
    assert abs(added.created_at - datetime.now(UTC)) < CLOCKS_AGREE
    assert len(added.id) == 12
    assert set(added.id) <= set("0123456789abcdef")


def test_the_hash_of_a_spec_is_that_of_its_sorted_form(store: Store) -> None:
    expected = hashlib.sha256(b'{"a":{"c":[3,1],"d":2},"b":1}').hexdigest()
    assert store.add_job("x", {"b": 1, "a": {"d": 2, "c": [3, 1]}}).spec_hash == expected
    assert store.add_job("y", {"a": {"c": [3, 1], "d": 2}, "b": 1}).spec_hash == expected


def test_a_job_runs_and_ends_with_its_report(store: Store) -> None:
    job = store.add_job("x", {}, job_id="abc")
    running = store.start_job("abc")
    assert (running.state, running.finished_at) == ("running", None)
    done = store.finish_job("abc", "succeeded", "beats uniform", {"size": 3})
    assert (done.state, done.message, done.report) == ("succeeded", "beats uniform", {"size": 3})
    assert running.started_at is not None
    assert done.finished_at is not None
    assert job.created_at <= running.started_at <= done.finished_at
    assert store.job("abc") == done


@pytest.mark.parametrize("state", ["interrupted", "failed"])
def test_a_job_that_stopped_goes_on(store: Store, state: FinalState) -> None:
    job = store.add_job("x", {})
    store.start_job(job.id)
    store.finish_job(job.id, state, "stopped", {"rounds": 3})
    again = store.start_job(job.id)
    assert (again.state, again.message, again.finished_at, again.report) == ("running", "", None, None)


@pytest.mark.parametrize("state", FINAL)
def test_a_queued_job_may_end_before_it_starts(store: Store, state: FinalState) -> None:
    assert store.finish_job(store.add_job("x", {}).id, state).state == state


def test_a_job_that_runs_is_not_started_again(store: Store) -> None:
    job = store.add_job("x", {})
    store.start_job(job.id)
    with pytest.raises(JobError, match=f"job {job.id} is running and cannot become running"):
        store.start_job(job.id)


def test_a_job_that_succeeded_is_not_started_again(store: Store) -> None:
    job = store.add_job("x", {})
    store.finish_job(job.id, "succeeded")
    with pytest.raises(JobError, match=f"job {job.id} is succeeded and cannot become running"):
        store.start_job(job.id)


@pytest.mark.parametrize("state", FINAL)
def test_a_job_ends_once(store: Store, state: FinalState) -> None:
    job = store.add_job("x", {})
    store.finish_job(job.id, state)
    with pytest.raises(JobError, match=f"job {job.id} is {state} and cannot become succeeded"):
        store.finish_job(job.id, "succeeded", "again", {"size": 4})
    assert store.job(job.id).report is None


def test_an_unknown_job_is_named(store: Store) -> None:
    with pytest.raises(InputError, match="no job 'nope'"):
        store.job("nope")
    with pytest.raises(InputError, match="no job 'nope'"):
        store.start_job("nope")
    with pytest.raises(InputError, match="no job 'nope'"):
        store.finish_job("nope", "failed")
    with pytest.raises(InputError, match="no job 'nope'"):
        store.jobs(after="nope")
    with pytest.raises(InputError, match="no job 'nope'"):
        store.add_event("nope", "round", {})


def test_an_id_is_given_once(store: Store) -> None:
    store.add_job("x", {}, job_id="abc")
    with pytest.raises(InputError, match="id must be new, got 'abc'"):
        store.add_job("y", {}, job_id="abc")
    assert store.job("abc").name == "x"


def test_what_json_cannot_hold_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match=r"spec must be plain JSON .* set is not"):
        store.add_job("x", {"bits": {2, 3}})
    job = store.add_job("x", {})
    with pytest.raises(InputError, match=r"report must be plain JSON .* not JSON compliant"):
        store.finish_job(job.id, "succeeded", report={"kl": float("nan")})
    with pytest.raises(InputError, match=r"payload must be plain JSON .* not JSON compliant"):
        store.add_event(job.id, "round", {"kl": float("inf")})
    assert (store.job(job.id).state, store.job(job.id).last_seq) == ("queued", 0)


def test_jobs_are_listed_newest_first_page_by_page(store: Store) -> None:
    added = [store.add_job(str(number), {}) for number in range(7)]
    newest_first = sorted(added, key=lambda job: (job.created_at, job.id), reverse=True)
    assert store.jobs() == newest_first
    pages = [store.jobs(limit=3)]
    while page := store.jobs(limit=3, after=pages[-1][-1].id):
        pages.append(page)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [job for page in pages for job in page] == newest_first


def test_events_are_numbered_within_their_job(store: Store) -> None:
    first, second = store.add_job("x", {}), store.add_job("y", {})
    assert [store.add_event(first.id, "round", {"number": number}) for number in range(3)] == [1, 2, 3]
    assert store.add_event(second.id, "round", {}) == 1
    events = store.events(first.id)
    assert [(event.job_id, event.seq, event.kind) for event in events] == [
        (first.id, seq, "round") for seq in (1, 2, 3)
    ]
    assert [event.payload for event in events] == [{"number": number} for number in range(3)]
    assert store.job(first.id).last_seq == 3


def test_events_resume_after_any_number(store: Store) -> None:
    job = store.add_job("x", {})
    for _ in range(5):
        store.add_event(job.id, "round", {})
    assert [event.seq for event in store.events(job.id, after=2)] == [3, 4, 5]
    assert [event.seq for event in store.events(job.id, after=1, limit=2)] == [2, 3]
    assert store.events(job.id, after=5) == []
