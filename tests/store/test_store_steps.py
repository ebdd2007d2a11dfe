"""How much of an SQLite store a question reads: what it asks for, however much else there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from leased_work import KINDS, measured, named
from sqlalchemy import Connection, Engine, event

from store.store import Store

FEW, MANY = 50, 2000
LONG_S = 3600.0


def filled(path: Path, number: int) -> Store:
    """A store with the evaluations a, b, c and so many others done, and a tenth of these samples."""
    store = Store.open(f"sqlite:///{path}")
    names = ["a", "b", "c", *(f"other {each:05d}" for each in range(number))]
    with store:
        store.claim_many([named(name) for name in names], "one", LONG_S)
        store.complete_many("one", {(name, 1): measured(1.0) for name in names})
        samples = KINDS["samples"](store)
        samples.claim_many(names, "one", LONG_S)
        for name in names[: number // 10]:  # one transaction each
            assert samples.complete(name, "one", 1, 1.0)
        samples.release(names, "one")
    return Store.open(f"sqlite:///{path}")


@contextmanager
def steps() -> Iterator[Callable[[], int]]:
    """How many instructions SQLite ran since."""
    ticks = count()
    begun = next(ticks)

    def tick() -> int:
        next(ticks)
        return 0

    def watch(connection: Connection, *_: object) -> None:
        connection.connection.driver_connection.set_progress_handler(tick, 1)  # type: ignore[union-attr]

    event.listen(Engine, "before_cursor_execute", watch)
    try:
        yield lambda: next(ticks) - begun - 1
    finally:
        event.remove(Engine, "before_cursor_execute", watch)


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "evaluations": lambda store: store.find(["a", "b", "c", "unknown"]),
    "samples": lambda store: KINDS["samples"](store).find(["a", "b", "c", "unknown"]),
    "shorter ones": lambda store: store.prefixes([f"subject of {name}" for name in ("a", "b", "c", "unknown")]),
    "claims": lambda store: store.claim_many([named(name) for name in ("a", "b", "c", "new")], "two", LONG_S),
    "given back": lambda store: (
        store.claim_many([named("held"), named("held too")], "two", LONG_S)
        and store.heartbeat(["held", "held too"], "two", LONG_S) == 2
        and store.release(["held", "held too"], "two") == 2
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_of_a_search_walks_through_all_that_is_done(tmp_path: Path, question: str) -> None:
    taken = []
    for number in (FEW, MANY):
        with filled(tmp_path / f"{number}.db", number) as store, steps() as so_far:
            assert QUESTIONS[question](store)
            taken.append(so_far())
    assert taken[0] > 0
    assert taken[1] < 1.5 * taken[0] + 50
