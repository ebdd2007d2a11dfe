"""Leases: one holder at a time, fenced, renewed, given back, and given up after too many attempts."""

from __future__ import annotations

import pytest
from leased_work import Work, evaluations_of, samples_of

from store.records import Busy, Done, EvaluationStats, Failed, Leased
from store.store import Store

LONG_S = 3600.0
OVER_S = 0.0  # a lease that has ended as soon as it is given


def test_a_lease_has_one_holder(work: Work) -> None:
    assert work.claim("a", "one", LONG_S) == Leased(attempt=1)
    busy = work.claim("a", "two", LONG_S)
    assert isinstance(busy, Busy)
    assert LONG_S / 2 < busy.remaining_s <= LONG_S
    again = work.claim("a", "one", LONG_S)
    assert isinstance(again, Busy)
    assert again.until == busy.until


def test_finished_work_is_answered_to_everyone(work: Work) -> None:
    work.claim("a", "one", LONG_S)
    assert work.complete("a", "one", 1, 0.5)
    for owner in ("one", "two"):
        claim = work.claim("a", owner, LONG_S)
        assert isinstance(claim, Done)
        assert (work.number(claim.values), claim.values.seconds) == (0.5, 0.5)


def test_each_key_of_a_bulk_claim_gets_its_own_answer(work: Work) -> None:
    for key in ("busy", "done", "broken"):
        work.claim(key, "one", LONG_S)
    work.complete("done", "one", 1, 0.5)
    work.fail("broken", "one", 1, "NaN in the logits", permanent=True)
    claims = work.claim_many(["new", "busy", "done", "broken", "new"], "two", LONG_S)
    assert {key: type(claim) for key, claim in claims.items()} == {
        "new": Leased,
        "busy": Busy,
        "done": Done,
        "broken": Failed,
    }
    assert work.claim_many([], "two", LONG_S) == {}


def test_a_late_completion_is_refused(work: Work) -> None:
    work.claim("a", "one", OVER_S)
    assert work.claim("a", "two", LONG_S) == Leased(attempt=2)
    assert not work.complete("a", "one", 1, 1.0)
    assert not work.fail("a", "one", 1, "too late", permanent=True)
    assert work.complete("a", "two", 2, 2.0)
    assert not work.complete("a", "two", 2, 3.0)
    assert work.numbers(["a"]) == {"a": 2.0}


def test_an_owner_that_took_over_from_itself_is_fenced_by_the_attempt(work: Work) -> None:
    work.claim("a", "one", OVER_S)
    work.claim("a", "one", LONG_S)
    assert not work.complete("a", "one", 1, 1.0)
    assert work.complete("a", "one", 2, 2.0)


def test_an_expired_lease_that_nobody_took_may_still_be_completed(work: Work) -> None:
    work.claim("a", "one", OVER_S)
    assert work.complete("a", "one", 1, 1.0)


def test_a_heartbeat_keeps_a_lease(work: Work) -> None:
    work.claim_many(["a", "b"], "one", OVER_S)
    work.complete("b", "one", 1, 1.0)
    assert work.heartbeat(["a", "b", "unknown"], "one", LONG_S) == 1
    assert isinstance(work.claim("a", "two", LONG_S), Busy)


def test_a_heartbeat_renews_no_one_elses_lease(work: Work) -> None:
    work.claim("a", "one", OVER_S)
    assert work.heartbeat(["a"], "two", LONG_S) == 0
    assert work.claim("a", "two", LONG_S) == Leased(attempt=2)


def test_a_released_lease_is_free_at_once_and_counts_as_no_attempt(work: Work) -> None:
    for attempt in range(1, 5):
        assert work.claim("a", "one", LONG_S, max_attempts=1) == Leased(attempt=attempt)
        assert work.release(["a"], "two") == 0
        assert work.release(["a"], "one") == 1
        assert work.release(["a"], "one") == 0
        assert not work.complete("a", "one", attempt, 1.0)


def test_what_a_dead_owner_held_is_given_back_and_nothing_else(store: Store, work: Work) -> None:
    work.claim_many(["a", "b"], "dead", LONG_S)
    work.claim("c", "alive", LONG_S)
    work.complete("b", "dead", 1, 1.0)
    assert store.holders() == {"dead", "alive"}
    assert store.release_all("dead") == 1
    assert store.holders() == {"alive"}
    assert isinstance(work.claim("a", "two", LONG_S), Leased)
    assert isinstance(work.claim("b", "two", LONG_S), Done)
    assert isinstance(work.claim("c", "two", LONG_S), Busy)


def test_the_lease_after_a_release_counts(work: Work) -> None:
    work.claim("a", "one", LONG_S, max_attempts=1)
    work.release(["a"], "one")
    work.claim("a", "one", OVER_S, max_attempts=1)
    assert isinstance(work.claim("a", "two", LONG_S, max_attempts=1), Failed)


@pytest.mark.parametrize("max_attempts", [1, 2, 3])
def test_work_whose_holders_all_died_fails(work: Work, max_attempts: int) -> None:
    for attempt in range(1, max_attempts + 1):
        claim = work.claim("a", f"{attempt}", OVER_S, max_attempts=max_attempts)
        assert claim == Leased(attempt=attempt)
    claim = work.claim("a", "next", LONG_S, max_attempts=max_attempts)
    assert claim == Failed(error="every worker that held the lease died or lost touch")
    raised = work.claim("a", "next", LONG_S, max_attempts=max_attempts + 1)
    assert raised == Leased(attempt=max_attempts + 1)


def test_expire_fails_only_what_has_no_holder_and_no_attempt_left(store: Store, work: Work) -> None:
    for _ in range(2):
        work.claim("dead twice", "one", OVER_S)
    work.claim("dead once", "one", OVER_S)
    work.claim("alive", "one", LONG_S)
    assert store.expire() == 1
    assert store.expire() == 0
    assert isinstance(work.claim("dead twice", "two", LONG_S), Failed)
    assert isinstance(work.claim("alive", "two", LONG_S), Busy)
    assert work.claim("dead once", "two", LONG_S) == Leased(attempt=2)


def test_a_passing_failure_is_tried_again_until_the_attempts_are_used_up(work: Work) -> None:
    for attempt in (1, 2):
        assert work.claim("a", "one", LONG_S) == Leased(attempt=attempt)
        assert work.fail("a", "one", attempt, f"out of memory, time {attempt}", permanent=False)
    assert work.claim("a", "one", LONG_S) == Failed(error="out of memory, time 2")


def test_a_permanent_failure_is_kept_whatever_the_limit(work: Work) -> None:
    work.claim("a", "one", LONG_S)
    assert work.fail("a", "one", 1, "NaN in the logits", permanent=True)
    claim = work.claim("a", "two", LONG_S, max_attempts=100)
    assert claim == Failed(error="NaN in the logits")


def test_the_store_counts_its_evaluations(store: Store) -> None:
    work = evaluations_of(store)
    samples_of(store).claim("a", "one", LONG_S)
    assert store.evaluation_stats() == EvaluationStats()
    work.claim_many(["done", "broken", "released", "held", "held too"], "one", LONG_S)
    work.complete("done", "one", 1, 1.0)
    work.fail("broken", "one", 1, "NaN in the logits", permanent=True)
    work.release(["released"], "one")
    assert store.evaluation_stats() == EvaluationStats(done=1, failed=1, released=1, in_flight=2)


def test_one_key_may_name_an_evaluation_and_a_sample(store: Store) -> None:
    evaluations, samples = evaluations_of(store), samples_of(store)
    for work in (evaluations, samples):
        assert work.claim("a", "one", LONG_S) == Leased(attempt=1)
    assert evaluations.complete("a", "one", 1, 1.0)
    assert samples.find(["a"]) == {}
    assert samples.release(["a"], "one") == 1
    assert evaluations.numbers(["a"]) == {"a": 1.0}


def test_an_owner_holds_evaluations_and_samples_at_once(store: Store) -> None:
    evaluations, samples = evaluations_of(store), samples_of(store)
    evaluations.claim_many(["a", "b"], "dead", LONG_S)
    samples.claim_many(["a", "b", "c"], "dead", LONG_S)
    evaluations.claim("c", "measures", LONG_S)
    samples.claim("d", "computes", LONG_S)
    assert store.holders() == {"dead", "measures", "computes"}
    assert store.release_all("dead") == 5
    assert store.holders() == {"measures", "computes"}


def test_expire_covers_evaluations_and_samples(store: Store) -> None:
    for work in (evaluations_of(store), samples_of(store)):
        work.claim("a", "one", OVER_S)
    assert store.expire() == 0
    assert store.expire(max_attempts=1) == 2
