"""Evaluations per second that the store takes in from one process: claimed by the round, completed by the task."""

from __future__ import annotations

import time
from contextlib import ExitStack
from itertools import islice

import numpy as np

from benchmarks.databases import Databases
from benchmarks.document import table
from benchmarks.timing import Spread
from search.engine.leases import LEASE_S
from store.holders import name_owner
from store.records import EvaluationKey, Leased, Values
from store.store import Store

NUM_SEQUENCES = 32
TASKS = (1, 8, 16)  # evaluations that are completed at once


def measure_rates(databases: Databases, *, num_keys: int, rounds: int) -> str:
    """A table: claims alone, and whole evaluations by the size of a task."""
    with ExitStack() as stack:
        stores = {
            name: stack.enter_context(Store.open(stack.enter_context(databases.empty(name))))
            for name in databases.names
        }
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in stores}
        for number in range(-1, rounds):  # the first is a warm-up
            for name, store in stores.items():
                measured[name].append(_rates(store, number, num_keys))
    rows = [
        (what, *(Spread.of([each[what] for each in measured[name][1:]]).show(",.0f") for name in measured))
        for what in measured[databases.names[0]][0]
    ]
    head = (f"in rounds of {num_keys}, per second", *databases.names)
    return f"What the store sustains for one process, medians of {rounds} rounds by turns:\n\n{table(head, rows)}"


def _rates(store: Store, number: int, num_keys: int) -> dict[str, float]:
    claims, whole = 0.0, {}
    for size in TASKS:
        claim_s, complete_s = _seconds(store, f"{number}, {size}", num_keys, size)
        claims += num_keys / claim_s / len(TASKS)
        whole[f"evaluations, claimed and completed {size} at a time"] = num_keys / (claim_s + complete_s)
    return {"claims": claims, **whole}


def _seconds(store: Store, label: str, num_keys: int, size: int) -> tuple[float, float]:
    """To claim, and to complete."""
    owner, values = name_owner(), Values(kl=np.ones(NUM_SEQUENCES), nll=np.ones(NUM_SEQUENCES), seconds=1.0)
    names = [f"{label}, {number}" for number in range(num_keys)]
    keys = [EvaluationKey(key=name, subject=name, stream="text", num_sequences=NUM_SEQUENCES) for name in names]
    begun = time.perf_counter()
    claims = store.claim_many(keys, owner, LEASE_S)
    claimed = time.perf_counter()
    held = iter([(key, claim.attempt) for key, claim in claims.items() if isinstance(claim, Leased)])
    while some := list(islice(held, size)):
        store.complete_many(owner, dict.fromkeys(some, values))
    return claimed - begun, time.perf_counter() - claimed
