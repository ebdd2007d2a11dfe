"""Leases: one holder at a time, fenced, renewed, given back, and given up after too many attempts."""

from __future__ import annotations

import pytest
from store_process import measured, named

from spaces.errors import InputError
from store.records import Busy, Done, EvaluationStats, Failed, Leased
from store.store import Store

LONG_S = 3600.0
OVER_S = 0.0  # a lease that has ended as soon as it is given


def test_a_lease_has_one_holder(store: Store) -> None:
    assert store.claim(named("a"), owner="one", ttl_s=LONG_S) == Leased(attempt=1)
    busy = store.claim(named("a"), owner="two", ttl_s=LONG_S)
    assert isinstance(busy, Busy)
    assert LONG_S / 2 < busy.remaining_s <= LONG_S
    again = store.claim(named("a"), owner="one", ttl_s=LONG_S)
    assert isinstance(again, Busy)
    assert again.until == busy.until


def test_a_finished_evaluation_is_answered_to_everyone(store: Store) -> None:
    store.claim(named("a"), owner="one", ttl_s=LONG_S)
    assert store.complete("a", "one", 1, measured(0.5))
    for owner in ("one", "two"):
        claim = store.claim(named("a"), owner=owner, ttl_s=LONG_S)
        assert isinstance(claim, Done)
        assert (claim.values.kl.tolist(), claim.values.nll.tolist(), claim.values.seconds) == ([0.5], [-0.5], 0.5)


def test_each_key_of_a_bulk_claim_gets_its_own_answer(store: Store) -> None:
    for key in ("busy", "done", "broken"):
        store.claim(named(key), owner="one", ttl_s=LONG_S)
    store.complete("done", "one", 1, measured(0.5))
    store.fail("broken", "one", 1, "NaN in the logits", permanent=True)
    keys = [named(key) for key in ("new", "busy", "done", "broken", "new")]
    claims = store.claim_many(keys, "two", LONG_S)
    assert {key: type(claim) for key, claim in claims.items()} == {
        "new": Leased,
        "busy": Busy,
        "done": Done,
        "broken": Failed,
    }
    assert store.claim_many([], "two", LONG_S) == {}


def test_a_late_completion_is_refused(store: Store) -> None:
    store.claim(named("a"), owner="one", ttl_s=OVER_S)
    assert store.claim(named("a"), owner="two", ttl_s=LONG_S) == Leased(attempt=2)
    assert not store.complete("a", "one", 1, measured(1.0))
    assert not store.fail("a", "one", 1, "too late", permanent=True)
    assert store.complete("a", "two", 2, measured(2.0))
    assert not store.complete("a", "two", 2, measured(3.0))
    assert store.find(["a"])["a"].kl.tolist() == [2.0]


def test_an_owner_that_took_over_from_itself_is_fenced_by_the_attempt(store: Store) -> None:
    store.claim(named("a"), owner="one", ttl_s=OVER_S)
    store.claim(named("a"), owner="one", ttl_s=LONG_S)
    assert not store.complete("a", "one", 1, measured(1.0))
    assert store.complete("a", "one", 2, measured(2.0))


def test_an_expired_lease_that_nobody_took_may_still_be_completed(store: Store) -> None:
    store.claim(named("a"), owner="one", ttl_s=OVER_S)
    assert store.complete("a", "one", 1, measured(1.0))


def test_a_heartbeat_keeps_a_lease(store: Store) -> None:
    store.claim_many([named("a"), named("b")], "one", OVER_S)
    store.complete("b", "one", 1, measured(1.0))
    assert store.heartbeat(["a", "b", "unknown"], "one", LONG_S) == 1
    assert isinstance(store.claim(named("a"), owner="two", ttl_s=LONG_S), Busy)


def test_a_heartbeat_renews_no_one_elses_lease(store: Store) -> None:
    store.claim(named("a"), owner="one", ttl_s=OVER_S)
    assert store.heartbeat(["a"], "two", LONG_S) == 0
    assert store.claim(named("a"), owner="two", ttl_s=LONG_S) == Leased(attempt=2)


def test_a_released_lease_is_free_at_once_and_counts_as_no_attempt(store: Store) -> None:
    for attempt in range(1, 5):
        assert store.claim(named("a"), owner="one", ttl_s=LONG_S, max_attempts=1) == Leased(attempt=attempt)
        assert store.release(["a"], "two") == 0
        assert store.release(["a"], "one") == 1
        assert store.release(["a"], "one") == 0
        assert not store.complete("a", "one", attempt, measured(1.0))
    assert store.evaluation_stats() == EvaluationStats(released=1)


def test_what_a_dead_owner_held_is_given_back_and_nothing_else(store: Store) -> None:
    store.claim_many([named("a"), named("b")], "dead", LONG_S)
    store.claim(named("c"), owner="alive", ttl_s=LONG_S)
    store.complete("b", "dead", 1, measured(1.0))
    assert store.holders() == {"dead", "alive"}
    assert store.release_all("dead") == 1
    assert store.holders() == {"alive"}
    assert isinstance(store.claim(named("a"), owner="two", ttl_s=LONG_S), Leased)
    assert isinstance(store.claim(named("b"), owner="two", ttl_s=LONG_S), Done)
    assert isinstance(store.claim(named("c"), owner="two", ttl_s=LONG_S), Busy)


def test_the_lease_after_a_release_counts(store: Store) -> None:
    store.claim(named("a"), owner="one", ttl_s=LONG_S, max_attempts=1)
    store.release(["a"], "one")
    store.claim(named("a"), owner="one", ttl_s=OVER_S, max_attempts=1)
    assert isinstance(store.claim(named("a"), owner="two", ttl_s=LONG_S, max_attempts=1), Failed)


@pytest.mark.parametrize("max_attempts", [1, 2, 3])
def test_an_evaluation_whose_holders_all_died_fails(store: Store, max_attempts: int) -> None:
    for attempt in range(1, max_attempts + 1):
        claim = store.claim(named("a"), owner=f"{attempt}", ttl_s=OVER_S, max_attempts=max_attempts)
        assert claim == Leased(attempt=attempt)
    claim = store.claim(named("a"), owner="next", ttl_s=LONG_S, max_attempts=max_attempts)
    assert claim == Failed(error="every worker that held the lease died or lost touch")
    raised = store.claim(named("a"), owner="next", ttl_s=LONG_S, max_attempts=max_attempts + 1)
    assert raised == Leased(attempt=max_attempts + 1)


def test_expire_fails_only_what_has_no_holder_and_no_attempt_left(store: Store) -> None:
    for _ in range(2):
        store.claim(named("dead twice"), owner="one", ttl_s=OVER_S)
    store.claim(named("dead once"), owner="one", ttl_s=OVER_S)
    store.claim(named("alive"), owner="one", ttl_s=LONG_S)
    assert store.expire() == 1
    assert store.expire() == 0
    assert store.evaluation_stats() == EvaluationStats(in_flight=2, failed=1)
    assert isinstance(store.claim(named("dead twice"), owner="two", ttl_s=LONG_S), Failed)


def test_a_passing_failure_is_tried_again_until_the_attempts_are_used_up(store: Store) -> None:
    for attempt in (1, 2):
        assert store.claim(named("a"), owner="one", ttl_s=LONG_S) == Leased(attempt=attempt)
        assert store.fail("a", "one", attempt, f"out of memory, time {attempt}", permanent=False)
    assert store.claim(named("a"), owner="one", ttl_s=LONG_S) == Failed(error="out of memory, time 2")


def test_a_permanent_failure_is_kept_whatever_the_limit(store: Store) -> None:
    store.claim(named("a"), owner="one", ttl_s=LONG_S)
    assert store.fail("a", "one", 1, "NaN in the logits", permanent=True)
    claim = store.claim(named("a"), owner="two", ttl_s=LONG_S, max_attempts=100)
    assert claim == Failed(error="NaN in the logits")


def test_values_of_another_length_are_refused_and_the_lease_stays(store: Store) -> None:
    store.claim(named("a", num_sequences=3), owner="one", ttl_s=LONG_S)
    with pytest.raises(InputError, match="each of its 3 sequences, got 2"):
        store.complete("a", "one", 1, measured(1.0, num_sequences=2))
    assert store.complete("a", "one", 1, measured(1.0, num_sequences=3))
