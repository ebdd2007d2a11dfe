"""Jobs return as they were submitted, are found again, and change only as their owners may change them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from socket import gethostname

import pytest
from made_jobs import added, asked, candidate, claimed, in_state, running
from sqlalchemy import update

from spaces.errors import ConflictError, InputError, UnknownError
from store.clock import now_s
from store.records import Artifact, Idempotency, JobState
from store.store import Store
from store.tables import JOB

CLOCKS_AGREE = timedelta(minutes=5)  # the server of a test runs beside it
KEY = Idempotency(key="k1", principal="ann", body_hash="h1")


def test_a_job_returns_as_it_was_added(store: Store) -> None:
    spec = {"model": "a", "budget": {"bits": 3.0}, "options": [2, None, True, "ü"]}
    job, was_replayed = store.add_job(
        asked("first", spec=spec, owner="ann", model="a", priority=3, workers=4, note="n", cloned_from="old")
    )
    assert not was_replayed
    assert store.job(job.id) == job
    assert (job.name, job.spec, job.owner, job.origin, job.model) == ("first", spec, "ann", "service", "a")
    assert (job.priority, job.workers, job.granted, job.note, job.cloned_from) == (3, 4, 0, "n", "old")
    assert (job.state, job.wish, job.reason, job.message, job.attempt, job.holder) == ("queued", "run", "", "", 0, None)
    assert (job.started_at, job.finished_at, job.report, job.progress, job.last_seq) == (None, None, None, None, 1)
    assert abs(job.created_at - datetime.now(UTC)) < CLOCKS_AGREE
    assert len(job.id) == 12
    assert set(job.id) <= set("0123456789abcdef")


def test_a_local_job_runs_at_once_and_is_nobodys_to_claim(store: Store) -> None:
    job = added(store, origin="local", workers=2)
    assert (job.state, job.attempt, job.granted) == ("running", 1, 2)
    assert job.started_at is not None
    assert job.lease_until is not None
    assert 23 * 3600 < (job.lease_until - job.started_at).total_seconds() < 25 * 3600
    assert store.claim_job("runner", 60.0) is None
    done = store.move_job(job.id, 1, "succeeded", message="beats uniform", report={"size": 3})
    assert (done.state, done.message, done.report, done.holder) == ("succeeded", "beats uniform", {"size": 3}, None)
    assert done.finished_at is not None
    assert done.finished_at >= job.started_at


def test_a_local_job_whose_process_is_gone_has_failed(store: Store) -> None:
    job = added(store, origin="local")
    (holder,) = store.job_holders()
    assert holder == job.holder
    assert store.release_holder(holder) == 1
    left = store.job(job.id)
    assert (left.state, left.reason, left.message) == ("failed", "runner_died", "its process ended without a word")


def test_a_local_job_of_which_nothing_was_heard_for_a_day_has_failed(store: Store) -> None:
    job, other = added(store, origin="local"), added(store, origin="local")
    assert store.renew_jobs([other.id], str(other.holder), 60.0) == {other.id}
    assert store.release_expired() == 0
    with store._writing() as connection:
        connection.execute(update(JOB).where(JOB.c.id == job.id).values(lease_until=now_s() - 1.0))
    assert store.release_expired() == 1
    left = store.job(job.id)
    assert (left.state, left.reason, left.message) == ("failed", "lease_expired", "its process ended without a word")
    assert store.job(other.id).state == "running"


def test_the_hash_of_a_spec_is_that_of_its_sorted_form(store: Store) -> None:
    expected = hashlib.sha256(b'{"a":{"c":[3,1],"d":2},"b":1}').hexdigest()
    assert added(store, spec={"b": 1, "a": {"d": 2, "c": [3, 1]}}).spec_hash == expected
    assert added(store, spec={"a": {"c": [3, 1], "d": 2}, "b": 1}).spec_hash == expected


def test_an_unknown_job_is_named(store: Store) -> None:
    calls = [
        lambda: store.job("nope"),
        lambda: store.jobs(after="nope"),
        lambda: store.update_job("nope", name="x"),
        lambda: store.wish_job("nope", "pause"),
        lambda: store.extend_job("nope", {}),
        lambda: store.delete_job("nope"),
        lambda: store.release_job("nope", 1, "", ""),
        lambda: store.set_waiting("nope", "", ""),
        lambda: store.move_job("nope", 1, "running"),
        lambda: store.note_progress("nope", 1, {}),
        lambda: store.add_subjects("nope", ["s"]),
        lambda: store.add_event("nope", "log", {}),
        lambda: store.add_event("nope", "log", {}, attempt=1),
        lambda: store.add_candidates("nope", 1, [candidate(1)]),
        lambda: store.candidates("nope"),
        lambda: store.candidate("nope", 1),
        lambda: store.front("nope"),
        lambda: store.best_candidate("nope", max_loss=1.0),
        lambda: store.put_artifacts("nope", 1, []),
        lambda: store.artifacts("nope"),
        lambda: store.artifact("nope", "a"),
        lambda: store.report_workers("nope", 1, []),
    ]
    for call in calls:
        with pytest.raises(UnknownError, match="no job 'nope'"):
            call()


def test_an_id_is_given_once(store: Store) -> None:
    store.add_job(asked("x"), job_id="abc")
    with pytest.raises(ConflictError, match="id must be new, got 'abc'"):
        store.add_job(asked("y"), job_id="abc")
    assert store.job("abc").name == "x"


def test_what_json_cannot_hold_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match=r"spec must be plain JSON .* set is not"):
        added(store, spec={"bits": {2, 3}})
    job = running(store)
    with pytest.raises(InputError, match=r"report must be plain JSON .* not JSON compliant"):
        store.move_job(job.id, 1, "succeeded", report={"kl": float("nan")})
    with pytest.raises(InputError, match=r"progress must be plain JSON .* not JSON compliant"):
        store.note_progress(job.id, 1, {"kl": float("nan")})
    with pytest.raises(InputError, match=r"payload must be plain JSON .* not JSON compliant"):
        store.add_event(job.id, "round", {"kl": float("inf")})
    assert store.job(job.id) == job


def test_jobs_are_listed_newest_first_page_by_page(store: Store) -> None:
    jobs = [added(store, str(number)) for number in range(7)]
    newest_first = sorted(jobs, key=lambda job: (job.created_at, job.id), reverse=True)
    assert store.jobs() == newest_first
    pages = [store.jobs(limit=3)]
    while page := store.jobs(limit=3, after=pages[-1][-1].id):
        pages.append(page)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [job for page in pages for job in page] == newest_first


def test_jobs_are_found_by_what_is_known_of_them(store: Store) -> None:
    first = added(store, "Small one", owner="ann", model="llama", priority=9)
    second = added(store, "100% of it", owner="bob", model="llama", note="for the SMALL disk")
    third = added(store, "100 of it", owner="bob", model="gpt")
    claimed(store)
    newest, oldest = store.jobs(owner="bob")
    found = {
        "states": (store.jobs(states=["validating", "paused"]), {first.id}),
        "owner": ([newest, oldest], {second.id, third.id}),
        "model": (store.jobs(model="llama"), {first.id, second.id}),
        "search": (store.jobs(search="small"), {first.id, second.id}),
        "no pattern": (store.jobs(search="100%"), {second.id}),
        "an id": (store.jobs(search=third.id.upper()), {third.id}),
        "both": (store.jobs(owner="bob", model="llama"), {second.id}),
        "after": (store.jobs(owner="bob", after=newest.id), {oldest.id}),
        "none": (store.jobs(states=["queued"], search="absent"), set()),
    }
    assert {name: {job.id for job in jobs} for name, (jobs, _) in found.items()} == {
        name: expected for name, (_, expected) in found.items()
    }


def test_a_list_leaves_the_reports_out(store: Store) -> None:
    job = running(store)
    store.move_job(job.id, 1, "succeeded", report={"size": 3})
    assert store.job(job.id).report == {"size": 3}
    assert [listed.report for listed in store.jobs()] == [None]


def test_a_repeated_submission_is_the_same_job(store: Store) -> None:
    job, was_replayed = store.add_job(asked("x"), idempotency=KEY)
    assert not was_replayed
    claimed(store)
    assert store.add_job(asked("x"), idempotency=KEY) == (store.job(job.id), True)
    other = Idempotency(key="k1", principal="bob", body_hash="h2")
    assert store.add_job(asked("y"), idempotency=other)[1] is False  # another one's key of the same name
    with pytest.raises(ConflictError, match=f"key 'k1' came with another body before, for job {job.id}"):
        store.add_job(asked("z"), idempotency=Idempotency(key="k1", principal="ann", body_hash="h9"))
    assert len(store.jobs()) == 2


def test_a_job_can_be_described_anew(store: Store) -> None:
    job = added(store, "x", note="old", priority=1)
    changed = store.update_job(job.id, name="y", priority=0)
    assert (changed.name, changed.note, changed.priority) == ("y", "old", 0)
    assert changed.updated_at > job.updated_at
    assert store.update_job(job.id, note="").note == ""
    same = store.job(job.id)
    assert store.update_job(job.id, name="y") == same == store.update_job(job.id)


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled", "paused"])
def test_a_job_that_rests_is_extended(store: Store, state: JobState) -> None:
    job = in_state(store, state)
    extended = store.extend_job(job.id, {"model": "m", "rounds": 9})
    assert (extended.state, extended.wish, extended.reason, extended.message) == ("queued", "run", "", "")
    assert (extended.spec, extended.report, extended.finished_at) == ({"model": "m", "rounds": 9}, None, None)
    assert extended.spec_hash != job.spec_hash
    assert claimed(store).attempt == 2


@pytest.mark.parametrize("state", ["queued", "validating", "running", "stopping", "cancelling"])
def test_a_job_at_work_is_not_extended(store: Store, state: JobState) -> None:
    job = in_state(store, state)
    with pytest.raises(ConflictError, match=f"cannot extend job {job.id}: it is {state}; pause it first"):
        store.extend_job(job.id, {})
    assert store.job(job.id) == job


def test_a_local_job_is_neither_steered_nor_extended_from_elsewhere(store: Store) -> None:
    job = added(store, origin="local")
    place = rf"\(on {re.escape(gethostname())}, as process {os.getpid()}\)"
    asks: dict[str, Callable[[], object]] = {
        "stop": lambda: store.wish_job(job.id, "stop"),
        "cancel": lambda: store.wish_job(job.id, "cancel"),
        "extend": lambda: store.extend_job(job.id, {}),
        "delete": lambda: store.delete_job(job.id),
    }
    for verb, ask in asks.items():
        with pytest.raises(ConflictError, match=f"cannot {verb} job {job.id}: it runs .*press Ctrl-C there {place}"):
            ask()
    store.move_job(job.id, 1, "cancelled", reason="interrupted")
    with pytest.raises(ConflictError, match=f"cannot extend job {job.id}: it ran in a terminal; clone it"):
        store.extend_job(job.id, {})


def test_a_deleted_job_takes_everything_of_its_own_along(store: Store) -> None:
    job = running(store)
    kept = store.add_job(asked("kept"), idempotency=KEY)[0]
    store.add_candidates(job.id, 1, [candidate(1)])
    store.put_artifacts(job.id, 1, [Artifact(name="a", media_type="text/plain", content=b"1")])
    store.add_subjects(job.id, ["s"])
    with pytest.raises(ConflictError, match=f"cannot delete job {job.id}: it is running; possible: pause, stop, ca"):
        store.delete_job(job.id)
    store.move_job(job.id, 1, "failed")
    store.delete_job(job.id)
    assert store.jobs() == [kept]
    assert (store.events(job.id), store.num_candidates(job.id)) == ([], 0)
    with pytest.raises(UnknownError, match=job.id):
        store.artifacts(job.id)


@pytest.mark.parametrize("state", ["queued", "validating", "running", "paused", "stopping", "cancelling"])
def test_a_job_that_has_not_ended_is_kept(store: Store, state: JobState) -> None:
    job = in_state(store, state)
    with pytest.raises(ConflictError, match=f"cannot delete job {job.id}: it is {state}"):
        store.delete_job(job.id)
    assert store.job(job.id) == job
