"""What an evaluation measured comes back bit for bit, however many are asked for at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leased_work import Work, measured, named

from spaces.errors import InputError
from store.records import EvaluationKey, Leased, Values
from store.store import Store

TTL_S = 3600.0
MORE_THAN_ONE_STATEMENT_TAKES = 70_000  # parameters: 32,766 on SQLite, 65,535 on PostgreSQL


def keep(store: Store, key: EvaluationKey, values: Values) -> None:
    claim = store.claim(key, owner="one", ttl_s=TTL_S)
    assert isinstance(claim, Leased)
    assert store.complete(key.key, "one", claim.attempt, values)


def bits(array: np.ndarray) -> list[int]:
    return [int(pattern) for pattern in array.view(np.uint64)]


@pytest.mark.parametrize("num_sequences", [0, 1, 100_000])
def test_values_return_bit_for_bit(store: Store, num_sequences: int) -> None:
    patterns = np.random.default_rng(0).integers(0, 2**64, size=(2, num_sequences), dtype=np.uint64)
    kl, nll = patterns.view(np.float64)  # any bits: NaN with payloads, subnormals, both zeros
    keep(store, named("a", num_sequences=num_sequences), Values(kl=kl, nll=nll, seconds=0.1))
    found = store.find(["a"])["a"]
    assert (bits(found.kl), bits(found.nll), found.seconds) == (bits(kl), bits(nll), 0.1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(st.floats(), st.floats()), max_size=8), seconds=st.floats(0, allow_infinity=False))
def test_every_float_returns_as_it_went_in(store: Store, pairs: list[tuple[float, float]], seconds: float) -> None:
    kl, nll = np.array(pairs, dtype=np.float64).reshape(-1, 2).T.copy()
    key = f"{bits(kl)} {bits(nll)} {seconds.hex()}"
    if not store.find([key]):
        keep(store, named(key, num_sequences=len(pairs)), Values(kl=kl, nll=nll, seconds=seconds))
    found = store.find([key])[key]
    assert (bits(found.kl), bits(found.nll), found.seconds) == (bits(kl), bits(nll), seconds)


def test_only_finished_work_is_found(work: Work) -> None:
    work.claim_many(["done", "in flight", "failed"], "one", TTL_S)
    work.complete("done", "one", 1, 1.0)
    work.fail("failed", "one", 1, "NaN", permanent=True)
    assert work.numbers(["done", "in flight", "failed", "unknown"]) == {"done": 1.0}
    assert work.find([]) == {}


def test_more_keys_than_one_statement_takes(work: Work) -> None:
    for key in ("0", "69999"):
        work.claim(key, "one", TTL_S)
        work.complete(key, "one", 1, float(key))
    many = [str(number) for number in range(MORE_THAN_ONE_STATEMENT_TAKES)]
    assert work.numbers(many) == {"0": 0.0, "69999": 69999.0}
    assert work.heartbeat(many, "one", TTL_S) == 0


def test_more_subjects_than_one_statement_takes(store: Store) -> None:
    keep(store, named("0"), measured(0.0))
    keep(store, named("69999"), measured(9.0))
    subjects = (f"subject of {number}" for number in range(MORE_THAN_ONE_STATEMENT_TAKES))
    assert sorted(store.prefixes(subjects)) == ["subject of 0", "subject of 69999"]


def test_a_bulk_claim_longer_than_one_statement(work: Work) -> None:
    keys = [str(number) for number in range(2500)]
    claims = work.claim_many(keys, "one", TTL_S)
    assert claims == {key: Leased(attempt=1) for key in keys}
    assert work.release(claims, "one") == 2500


def test_prefixes_are_the_finished_evaluations_of_a_subject_longest_first(store: Store) -> None:
    for subject, num_sequences in [("x", 2), ("x", 16), ("x", 4), ("y", 8), ("z", 8)]:
        key = EvaluationKey(key=f"{subject}{num_sequences}", subject=subject, stream="s", num_sequences=num_sequences)
        keep(store, key, measured(float(num_sequences), num_sequences=num_sequences))
    unfinished = EvaluationKey(key="x32", subject="x", stream="s", num_sequences=32)
    store.claim(unfinished, owner="one", ttl_s=TTL_S)
    found = store.prefixes(["x", "y", "unknown", "x"])
    assert {subject: [key.key for key, _ in pairs] for subject, pairs in found.items()} == {
        "x": ["x16", "x4", "x2"],
        "y": ["y8"],
    }
    key, values = found["x"][0]
    assert key == EvaluationKey(key="x16", subject="x", stream="s", num_sequences=16)
    assert values.kl.tolist() == [16.0] * 16


@pytest.mark.parametrize(
    ("kl", "nll", "rule"),
    [
        (np.zeros(2, np.float32), np.zeros(2), r"kl must be a float64 vector .* got float32 of shape \(2,\)"),
        (np.zeros(2), np.zeros((2, 1)), r"nll must be a float64 vector .* got float64 of shape \(2, 1\)"),
        (np.zeros(2), np.zeros(3), "same sequences, got 2 and 3 values"),
    ],
)
def test_values_of_another_form_are_refused(kl: np.ndarray, nll: np.ndarray, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        Values(kl=kl, nll=nll, seconds=0.0)


def test_values_of_another_length_are_refused_and_the_lease_stays(store: Store) -> None:
    store.claim(named("a", num_sequences=3), owner="one", ttl_s=TTL_S)
    with pytest.raises(InputError, match="each of its 3 sequences, got 2"):
        store.complete("a", "one", 1, measured(1.0, num_sequences=2))
    assert not store.complete("a", "two", 1, measured(1.0, num_sequences=2))  # it is not two's to complete
    assert store.complete("a", "one", 1, measured(1.0, num_sequences=3))
