"""The two kinds of leased work behind one face, so that every test of leases asks the same of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from store.records import Claim, EvaluationKey, SampleKey, SampleValues, Values
from store.store import Store


def named(key: str, *, num_sequences: int = 1) -> EvaluationKey:
    return EvaluationKey(key=key, subject=f"subject of {key}", stream="stream", num_sequences=num_sequences)


def measured(value: float, *, num_sequences: int = 1) -> Values:
    array = np.full(num_sequences, float(value))
    return Values(kl=array, nll=-array, seconds=value)


def sample(key: str) -> SampleKey:
    return SampleKey(key=key, subject=f"subject of {key}", statistic="hessian-trace", number=7)


def sampled(value: float) -> SampleValues:
    return SampleValues(arrays={"trace": np.array([value])}, forward_tokens=1, backward_tokens=3, seconds=value)


@dataclass(frozen=True, kw_only=True)
class Work:
    """One kind of work in a store: the methods that lease it, with keys by name and one number for a result."""

    key: Callable[[str], Any]
    result: Callable[[float], Any]
    number: Callable[[Any], float]  # what ``result`` was made of
    lease: Callable[..., dict[str, Claim[Any]]]
    keep: Callable[..., bool]
    give_up: Callable[..., bool]
    release: Callable[[Iterable[str], str], int]
    heartbeat: Callable[[Iterable[str], str, float], int]
    find: Callable[[Iterable[str]], dict[str, Any]]

    def claim_many(self, names: Iterable[str], owner: str, ttl_s: float, **limit: int) -> dict[str, Claim[Any]]:
        return self.lease([self.key(name) for name in names], owner, ttl_s, **limit)

    def claim(self, name: str, owner: str, ttl_s: float, **limit: int) -> Claim[Any]:
        """Claim one; ``limit`` is ``max_attempts`` where a test sets its own."""
        return self.claim_many([name], owner, ttl_s, **limit)[name]

    def complete(self, name: str, owner: str, attempt: int, number: float) -> bool:
        return self.keep(name, owner, attempt, self.result(number))

    def fail(self, name: str, owner: str, attempt: int, error: str, *, permanent: bool) -> bool:
        return self.give_up(name, owner, attempt, error, permanent=permanent)

    def numbers(self, names: Iterable[str]) -> dict[str, float]:
        """The results of what is done among ``names``."""
        return {name: self.number(values) for name, values in self.find(names).items()}


def evaluations_of(store: Store) -> Work:
    return Work(
        key=named,
        result=measured,
        number=lambda values: values.kl.item(),
        lease=store.claim_many,
        keep=store.complete,
        give_up=store.fail,
        release=store.release,
        heartbeat=store.heartbeat,
        find=store.find,
    )


def samples_of(store: Store) -> Work:
    return Work(
        key=sample,
        result=sampled,
        number=lambda values: values.arrays["trace"].item(),
        lease=store.claim_samples,
        keep=store.complete_sample,
        give_up=store.fail_sample,
        release=store.release_samples,
        heartbeat=store.heartbeat_samples,
        find=store.find_samples,
    )


KINDS: dict[str, Callable[[Store], Work]] = {"evaluations": evaluations_of, "samples": samples_of}
