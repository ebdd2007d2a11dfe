"""One process of a race for keys, ``python -m benchmarks.racer``: claims, evaluates, completes, and may die over it.

It reads a ``Course`` as one line of JSON, says ``ready``, waits for a line, and runs. What it does goes into a journal,
line by line, so that a killed racer leaves all but its last moment.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np

from store.records import Done, EvaluationKey, Leased, Values
from store.store import Store

MAX_ATTEMPTS = 99  # a key whose holders are killed at random is none that kills them
POLL_S = 0.02  # before busy keys are claimed again


@dataclass(frozen=True, kw_only=True)
class Course:
    """What one racer is to do."""

    url: str
    owner: str
    num_keys: int
    ttl_s: float
    work_s: float  # that an evaluation takes
    killed_share: float  # of its leases, over which it dies
    journal: str  # a file


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that a racer did, in seconds of the clock that all processes of a machine share."""

    kind: Literal["claim", "evaluated", "complete"]
    key: str
    began_s: float
    ended_s: float
    attempt: int = 0  # 0: a claim that was not granted
    is_first: bool = False  # time that this racer claims this key
    is_kept: bool = False  # by the store, of a complete


Note = Callable[[Entry], None]


class Racer:
    """Claims every key, in an order of its own, until somebody has evaluated each."""

    def __init__(self, store: Store, course: Course, note: Note) -> None:
        self._store = store
        self._course = course
        self._note = note
        self._rng = Random(course.owner)

    def run(self) -> None:
        waiting, is_first = keys_of(self._course.num_keys), True
        self._rng.shuffle(waiting)
        while waiting:
            waiting = [key for key in waiting if not self._settle(key, is_first)]
            is_first = False
            if waiting:
                time.sleep(POLL_S * self._rng.uniform(0.5, 1.5))

    def _settle(self, key: EvaluationKey, is_first: bool) -> bool:
        """Whether the key has a result now, as far as this racer knows."""
        course, began_s = self._course, time.monotonic()
        claim = self._store.claim(key, owner=course.owner, ttl_s=course.ttl_s, max_attempts=MAX_ATTEMPTS)
        attempt, ended_s = claim.attempt if isinstance(claim, Leased) else 0, time.monotonic()
        self._note(
            Entry(kind="claim", key=key.key, attempt=attempt, is_first=is_first, began_s=began_s, ended_s=ended_s)
        )
        return self._evaluate(key.key, attempt) if attempt else isinstance(claim, Done)

    def _evaluate(self, key: str, attempt: int) -> bool:
        course, began_s = self._course, time.monotonic()
        if self._rng.random() < course.killed_share:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(course.work_s)
        done_s = time.monotonic()
        self._note(Entry(kind="evaluated", key=key, attempt=attempt, began_s=began_s, ended_s=done_s))
        values = Values(kl=np.array([0.5]), nll=np.array([1.5]), seconds=course.work_s)
        is_kept = self._store.complete(key, course.owner, attempt, values)
        ended_s = time.monotonic()
        self._note(Entry(kind="complete", key=key, attempt=attempt, is_kept=is_kept, began_s=done_s, ended_s=ended_s))
        return is_kept


def keys_of(num_keys: int) -> list[EvaluationKey]:
    """The same for every racer."""
    names = [f"{number:04d}" for number in range(num_keys)]
    return [EvaluationKey(key=name, subject=f"subject {name}", stream="text", num_sequences=1) for name in names]


def read_journal(path: Path) -> list[Entry]:
    """What a racer wrote; the last line of a killed one may be cut off."""
    lines = path.read_text("utf-8").split("\n") if path.exists() else [""]
    return [Entry(**json.loads(line)) for line in lines[:-1]]


def main() -> None:
    """One racer, from its line of JSON on."""
    course = Course(**json.loads(sys.stdin.readline()))
    with Store.open(course.url, upgrade=False) as store, Path(course.journal).open("a", encoding="utf-8") as journal:

        def note(entry: Entry) -> None:
            journal.write(json.dumps(asdict(entry)) + "\n")
            journal.flush()

        store.evaluation_stats()  # connected before the start
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        Racer(store, course, note).run()


if __name__ == "__main__":
    main()
