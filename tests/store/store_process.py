"""One real process beside the tests: says ``ready``, waits for a line, then does what its arguments ask."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable

from leased_work import KINDS

from store.records import Leased
from store.store import Store


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def open_store(url: str) -> object:
    with Store.open(url) as store:
        return store.schema_revision()


def work_off(url: str, kind: str, owner: str, num_keys: int) -> object:
    """Claim every key in an order of this owner's own; the keys whose work it was given."""
    keys = [f"{number:04d}" for number in range(num_keys)]
    random.Random(owner).shuffle(keys)
    done: list[str] = []
    with Store.open(url) as store:
        work = KINDS[kind](store)
        for start in range(0, num_keys, 7):  # in bulk, so that transactions overlap on several rows
            for key, claim in work.claim_many(keys[start : start + 7], owner, 60.0).items():
                if isinstance(claim, Leased) and work.complete(key, owner, claim.attempt, int(key)):
                    done.append(key)
            work.heartbeat(keys, owner, 60.0)
    return done


def hold(url: str, kind: str, key: str, ttl_s: float) -> object:
    """Take a lease and say so, then wait for ever."""
    with Store.open(url) as store:
        KINDS[kind](store).claim(key, "holder", ttl_s)
        say("holding")
        return sys.stdin.read()


def add_events(url: str, job_id: str, num_events: int) -> object:
    with Store.open(url) as store:
        return [store.add_event(job_id, "round", {"number": number}) for number in range(num_events)]


ACTIONS: dict[str, Callable[..., object]] = {
    "open_store": open_store,
    "work_off": work_off,
    "hold": hold,
    "add_events": add_events,
}

if __name__ == "__main__":
    action, *arguments = json.loads(sys.argv[1])
    say("ready")
    sys.stdin.readline()
    say(json.dumps(ACTIONS[action](*arguments)))
