"""Statistics count, pruning removes what nobody needs and nothing else, and a backup is the store again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from leased_work import KINDS, evaluations_of, measured, named, sample, samples_of
from made_jobs import added, candidate, claimed, in_state, running
from sqlalchemy import text

from spaces.errors import ConflictError, InputError, UnknownError
from store.records import Idempotency, NewJob, Pruned
from store.store import Store

HOUR_S = 3600.0
KEPT_BY_A_JOB = "needed"


def let_pass(store: Store, seconds: float, *keys: str) -> None:
    """Let pieces of work, and what else grows old, be older than they are."""
    with store._writing() as connection:
        for table in ("evaluation", "sample"):
            for key in keys:
                connection.execute(
                    text(
                        f"UPDATE {table} SET created_at = created_at - :s, finished_at = finished_at - :s, "
                        f"lease_until = lease_until - :s WHERE key = :key"
                    ),
                    {"s": seconds, "key": key},
                )


@pytest.fixture
def used(store: Store) -> Store:
    """A store with old and new work of both kinds, some of which a job asked for."""
    for kind in KINDS.values():
        work = kind(store)
        work.claim_many(["old", "new", KEPT_BY_A_JOB, "broken"], "one", HOUR_S)
        for key in ("old", "new", KEPT_BY_A_JOB):
            work.complete(key, "one", 1, 1.0)
        work.fail("broken", "one", 1, "NaN", permanent=True)
        work.claim("lost", "gone", HOUR_S)
        work.claim("held", "here", 100 * HOUR_S)
    job = added(store)
    store.add_subjects(job.id, [f"subject of {KEPT_BY_A_JOB}", "subject of what was never made"])
    let_pass(store, 10 * HOUR_S, "old", "broken", "lost", "held", KEPT_BY_A_JOB)
    return store


def left(store: Store) -> dict[str, list[str]]:
    with store._reading() as connection:
        return {
            table: list(connection.scalars(text(f"SELECT key FROM {table} ORDER BY key")))
            for table in ("evaluation", "sample")
        }


def test_pruning_removes_what_is_old_and_no_job_asked_for(used: Store) -> None:
    before = left(used)
    would = used.prune(older_than_s=5 * HOUR_S, dry_run=True)
    assert left(used) == before
    assert used.prune(older_than_s=5 * HOUR_S, dry_run=False) == would
    assert left(used) == {table: sorted(["held", KEPT_BY_A_JOB, "new"]) for table in before}
    sample_bytes = used.statistics().sample_bytes // 2  # of each of the two that are left, as of the one that went
    assert would == Pruned(evaluations=3, samples=3, bytes=16 + sample_bytes)
    assert used.prune(older_than_s=5 * HOUR_S, dry_run=False) == Pruned(evaluations=0, samples=0, bytes=0)


def test_what_a_deleted_job_asked_for_goes(used: Store) -> None:
    (job,) = used.jobs()
    used.wish_job(job.id, "cancel")
    used.delete_job(job.id)
    used.prune(older_than_s=5 * HOUR_S, dry_run=False)
    assert left(used)["evaluation"] == ["held", "new"]


def test_what_was_pruned_can_be_made_again(used: Store) -> None:
    used.prune(older_than_s=5 * HOUR_S, dry_run=False)
    for kind in KINDS.values():
        work = kind(used)
        claim = work.claim("old", "two", HOUR_S)
        assert work.complete("old", "two", claim.attempt, 2.0)
        assert work.numbers(["old", KEPT_BY_A_JOB]) == {"old": 2.0, KEPT_BY_A_JOB: 1.0}


def test_a_submission_key_is_good_for_a_day(store: Store) -> None:
    old, new = (Idempotency(key=key, principal="ann", body_hash="h") for key in ("old", "new"))
    for key in (old, new):
        store.add_job(NewJob(name=key.key, spec={}), idempotency=key)
    with store._writing() as connection:
        connection.execute(text("UPDATE idempotency SET created_at = created_at - 90000 WHERE key = 'old'"))
    store.prune(older_than_s=0.0, dry_run=True)
    assert store.add_job(NewJob(name="again", spec={}), idempotency=old)[1]
    store.prune(older_than_s=0.0, dry_run=False)
    assert not store.add_job(NewJob(name="again", spec={}), idempotency=old)[1]
    assert store.add_job(NewJob(name="again", spec={}), idempotency=new)[1]


def test_statistics_count_by_state(used: Store) -> None:
    claimed(used)
    in_state(used, "cancelled")
    found = used.statistics()
    assert found.evaluations == {"done": 3, "failed": 1, "in_flight": 2}
    assert found.samples == found.evaluations
    assert found.jobs == {"cancelled": 1, "validating": 1}
    assert found.evaluation_bytes == 3 * 16
    assert found.sample_bytes > 3 * 8


def test_an_evaluation_tells_what_it_is_and_who_asked_for_it(store: Store) -> None:
    first, second = added(store), added(store)
    for job in (second, first, first):
        store.add_subjects(job.id, ["subject of a"])
    store.claim(named("a", num_sequences=2), owner="one", ttl_s=HOUR_S)
    at_work = store.find_evaluation("a")
    assert (at_work.state, at_work.owner, at_work.attempt, at_work.values) == ("in_flight", "one", 1, None)
    store.complete("a", "one", 1, measured(0.5, num_sequences=2))
    done = store.find_evaluation("a")
    assert (done.state, done.num_sequences, done.stream, done.subject) == ("done", 2, "stream", "subject of a")
    assert done.values is not None
    assert done.values.kl.tolist() == [0.5, 0.5]
    assert done.jobs == tuple(sorted([first.id, second.id]))
    with pytest.raises(UnknownError, match="no evaluation 'nope'"):
        store.find_evaluation("nope")


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "store.db")) as store:
        yield store


def test_a_backup_is_the_store_again(file_store: Store, tmp_path: Path) -> None:
    job = running(file_store)
    file_store.add_candidates(job.id, 1, [candidate(1)])
    evaluations_of(file_store).claim("a", "one", HOUR_S)
    evaluations_of(file_store).complete("a", "one", 1, 0.5)
    target = tmp_path / "backups.db"
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE job SET note = 'half written'")
    file_store.backup(target)
    other.execute("ROLLBACK")
    other.close()
    with Store.open(str(target), upgrade=False) as copy:
        assert copy.jobs() == file_store.jobs()
        assert copy.events(job.id) == file_store.events(job.id)
        assert copy.candidates(job.id) == file_store.candidates(job.id)
        assert evaluations_of(copy).numbers(["a"]) == {"a": 0.5}
        assert copy.damage() == []
    assert sorted(path.name for path in tmp_path.glob("*backups*")) == ["backups.db"]


def test_a_backup_replaces_nothing(file_store: Store, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    with pytest.raises(InputError, match=f"into a new file, and {target} exists"):
        file_store.backup(target)
    assert target.read_text() == "precious"
    with pytest.raises(InputError, match=r"cannot write the backup /no/such/copy\.db: .*unable to open"):
        file_store.backup(Path("/no/such/copy.db"))


@pytest.mark.postgres
def test_a_server_is_backed_up_by_its_own_tool(postgres_server_url: str, tmp_path: Path) -> None:
    with (
        Store.open(postgres_server_url) as store,
        pytest.raises(InputError, match=r"run: pg_dump .* postgresql://[^*]*$"),
    ):
        store.backup(tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_samples_of_a_job_are_kept_as_evaluations_are(store: Store) -> None:
    job = running(store)
    samples_of(store).claim("a", "one", HOUR_S)
    samples_of(store).complete("a", "one", 1, 1.0)
    store.add_subjects(job.id, [sample("a").subject])
    assert store.prune(older_than_s=0.0, dry_run=False).samples == 0
    store.move_job(job.id, 1, "succeeded")
    assert store.prune(older_than_s=0.0, dry_run=False).samples == 0  # as long as the job is kept
    store.delete_job(job.id)
    assert store.prune(older_than_s=0.0, dry_run=False).samples == 1


def test_a_refused_deletion_keeps_what_a_job_needs(store: Store) -> None:
    job = added(store)
    store.add_subjects(job.id, ["s"])
    claimed(store)
    with pytest.raises(ConflictError, match=job.id):
        store.delete_job(job.id)
    store.add_subjects(job.id, [])
    with store._reading() as connection:
        assert list(connection.scalars(text("SELECT subject FROM job_subject"))) == ["s"]
