"""Samples of statistics come back as they were computed, with what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from leased_work import sample, sampled
from sqlalchemy import text

from spaces.errors import InputError, JobError
from store.records import Done, Leased, SampleKey, SampleValues
from store.store import Store

TTL_S = 3600.0


def keep(store: Store, key: SampleKey, values: SampleValues) -> None:
    assert store.claim_samples([key], "one", TTL_S) == {key.key: Leased(attempt=1)}
    assert store.complete_sample(key.key, "one", 1, values)


def truncate(store: Store, key: str) -> None:
    """Damage what is stored for a sample."""
    with store._writing() as connection:
        shorter = text("UPDATE sample SET arrays = substr(arrays, 1, 100) WHERE key = :key")
        assert connection.execute(shorter, {"key": key}).rowcount == 1


def test_a_sample_returns_as_it_was_computed(store: Store) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "gram": rng.standard_normal((40, 50)),
        "shift": rng.standard_normal((2, 3, 4)).astype("float32"),
        "rows": np.array([2**63 - 1, -(2**63)]),
        "none": np.empty((0, 3)),
        "loss": np.float64(-0.0),
    }
    keep(store, sample("a"), SampleValues(arrays=arrays, forward_tokens=2**63 - 1, backward_tokens=0, seconds=0.1))
    claim = store.claim_samples([sample("a")], "two", TTL_S)["a"]
    assert isinstance(claim, Done)
    for values in (claim.values, store.find_samples(["a"])["a"]):
        assert (values.forward_tokens, values.backward_tokens, values.seconds) == (2**63 - 1, 0, 0.1)
        assert {name: (array.dtype, array.shape, array.tobytes()) for name, array in values.arrays.items()} == {
            name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()
        }


@pytest.mark.parametrize("dtype", ["object", "float16", "complex128", "int32", "bool", ">f8", "<U3", "datetime64[s]"])
def test_an_array_of_another_dtype_is_refused(dtype: str) -> None:
    arrays = {"fine": np.zeros(2), "wrong": np.zeros(2).astype(dtype)}
    with pytest.raises(InputError, match=rf"array 'wrong' .* got {np.dtype(dtype)}; convert it".replace("[", r"\[")):
        SampleValues(arrays=arrays, forward_tokens=0, backward_tokens=0, seconds=0.0)


def test_a_damaged_sample_is_named_and_the_others_stay(store: Store) -> None:
    keep(store, sample("good"), sampled(1.0))
    keep(store, sample("bad"), sampled(2.0))
    truncate(store, "bad")
    damage = r"sample 7 of hessian-trace \(bad\) is damaged in the store: its 100 bytes .* from a copy"
    with pytest.raises(JobError, match=damage):
        store.find_samples(["good", "bad"])
    with pytest.raises(JobError, match=damage):
        store.claim_samples([sample(key) for key in ("good", "bad", "new")], "two", TTL_S)
    assert store.holders() == set()  # a claim that fails leases nothing
    assert list(store.find_samples(["good"])) == ["good"]
