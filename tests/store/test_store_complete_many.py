"""Several evaluations completed in one transaction: each fenced by its own lease, and all or none of them kept."""

from __future__ import annotations

import pytest
from leased_work import measured, named

from spaces.errors import InputError
from store.records import EvaluationStats
from store.store import Store

LONG_S = 3600.0
OVER_S = 0.0  # a lease that has ended as soon as it is given


def claim(store: Store, keys: list[str], owner: str, ttl_s: float = LONG_S) -> None:
    store.claim_many([named(key) for key in keys], owner, ttl_s)


def kept(store: Store, keys: list[str]) -> dict[str, float]:
    return {key: float(values.kl[0]) for key, values in store.find(keys).items()}


def test_all_that_is_held_is_kept_under_its_own_key(store: Store) -> None:
    keys = [f"{number:04d}" for number in range(1500)]  # more than one statement takes
    claim(store, keys, "one")
    results = {(key, 1): measured(float(key)) for key in reversed(keys)}
    assert store.complete_many("one", results) == set(keys)
    assert kept(store, keys) == {key: float(key) for key in keys}
    assert store.evaluation_stats() == EvaluationStats(done=1500)


def test_what_others_took_over_is_left_out(store: Store) -> None:
    claim(store, ["a", "b", "c"], "one", OVER_S)
    claim(store, ["b"], "two")
    claim(store, ["c"], "one")  # from itself: the attempt tells them apart
    found = store.complete_many("one", {(key, 1): measured(1.0) for key in ("a", "b", "c", "unknown")})
    assert found == {"a"}
    assert store.complete_many("two", {("b", 2): measured(2.0)}) == {"b"}
    assert kept(store, ["a", "b", "c"]) == {"a": 1.0, "b": 2.0}


def test_nothing_is_completed_twice(store: Store) -> None:
    claim(store, ["a", "b"], "one")
    assert store.complete_many("one", {("a", 1): measured(1.0)}) == {"a"}
    assert store.complete_many("one", {("a", 1): measured(3.0), ("b", 1): measured(2.0)}) == {"b"}
    assert store.complete_many("one", {}) == set()
    assert kept(store, ["a", "b"]) == {"a": 1.0, "b": 2.0}


def test_one_of_the_wrong_length_keeps_them_all_out(store: Store) -> None:
    claim(store, ["a", "b"], "one")
    results = {("a", 1): measured(1.0), ("b", 1): measured(2.0, num_sequences=3)}
    with pytest.raises(InputError, match=r"evaluation b must have one value for each of its 1 sequences, got 3"):
        store.complete_many("one", results)
    assert store.evaluation_stats() == EvaluationStats(in_flight=2)
