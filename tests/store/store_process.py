"""One real process beside the tests: says ``ready``, waits for a line, then does what its arguments ask."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable

import numpy as np

from store.records import EvaluationKey, Leased, Values
from store.store import Store


def named(key: str, *, num_sequences: int = 1) -> EvaluationKey:
    return EvaluationKey(key=key, subject=f"subject of {key}", stream="stream", num_sequences=num_sequences)


def measured(value: float, *, num_sequences: int = 1) -> Values:
    array = np.full(num_sequences, float(value))
    return Values(kl=array, nll=-array, seconds=value)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def open_store(url: str) -> object:
    with Store.open(url) as store:
        return store.schema_revision()


def evaluate(url: str, owner: str, num_keys: int) -> object:
    """Claim every key in an order of this owner's own; the keys that it was given to evaluate."""
    keys = [f"{number:04d}" for number in range(num_keys)]
    random.Random(owner).shuffle(keys)
    evaluated: list[str] = []
    with Store.open(url) as store:
        for start in range(0, num_keys, 7):  # in bulk, so that transactions overlap on several rows
            claims = store.claim_many(map(named, keys[start : start + 7]), owner, 60.0)
            for key, claim in claims.items():
                if isinstance(claim, Leased) and store.complete(key, owner, claim.attempt, measured(int(key))):
                    evaluated.append(key)
            store.heartbeat(keys, owner, 60.0)
    return evaluated


def hold(url: str, key: str, ttl_s: float) -> object:
    """Take a lease and say so, then wait for ever."""
    with Store.open(url) as store:
        store.claim(named(key), owner="holder", ttl_s=ttl_s)
        say("holding")
        return sys.stdin.read()


def add_events(url: str, job_id: str, num_events: int) -> object:
    with Store.open(url) as store:
        return [store.add_event(job_id, "round", {"number": number}) for number in range(num_events)]


ACTIONS: dict[str, Callable[..., object]] = {
    "open_store": open_store,
    "evaluate": evaluate,
    "hold": hold,
    "add_events": add_events,
}

if __name__ == "__main__":
    action, *arguments = json.loads(sys.argv[1])
    say("ready")
    sys.stdin.readline()
    say(json.dumps(ACTIONS[action](*arguments)))
