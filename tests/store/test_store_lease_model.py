"""Any sequence of moves of two owners on two keys goes as in a plain model of a lease."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leased_work import KINDS, Work

from store.records import Busy, Done, Failed, Leased
from store.store import Store

MAX_ATTEMPTS = 2
KEYS = ("a", "b")
OWNERS = ("one", "two")


@dataclass
class Lease:
    """What the model knows of one key."""

    state: str = "new"
    owner: str = ""
    is_over: bool = False  # its time to live has passed
    attempt: int = 0
    counted: int = 0
    is_permanent: bool = False

    def claim(self, owner: str, is_over: bool) -> Leased | type[Busy | Done[Any] | Failed]:
        is_free = {
            "new": True,
            "released": True,
            "failed": not self.is_permanent,
            "in_flight": self.is_over,
            "done": False,
        }[self.state]
        if is_free and self.counted < MAX_ATTEMPTS:
            self.state, self.owner, self.is_over = "in_flight", owner, is_over
            self.attempt += 1
            self.counted += 1
            return Leased(attempt=self.attempt)
        if self.state == "in_flight" and self.is_over:
            self.state = "failed"
        return {"in_flight": Busy, "done": Done, "failed": Failed}[self.state]

    def end(self, owner: str, attempt: int, state: str) -> bool:
        is_held = (self.state, self.owner, self.attempt) == ("in_flight", owner, attempt)
        self.state = state if is_held else self.state
        return is_held


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path: Path = tmp_path_factory.mktemp("model") / "store.db"
    with Store.open(str(path)) as store:
        yield store


NUMBERS = count()
MOVES = st.tuples(
    st.sampled_from(["claim", "complete", "fail", "break", "release", "renew", "lapse"]),
    st.sampled_from(KEYS),
    st.sampled_from(OWNERS),
    st.integers(1, 3),
    st.booleans(),
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(moves=st.lists(MOVES, max_size=20))
def test_leases_follow_the_model(shared: Store, kind: str, moves: list[tuple[str, str, str, int, bool]]) -> None:
    work, example = KINDS[kind](shared), next(NUMBERS)
    leases = {key: Lease() for key in KEYS}
    for move, name, owner, attempt, is_over in moves:
        play(work, leases[name], f"{example} {name}", move, owner, attempt, is_over)


def play(work: Work, lease: Lease, key: str, move: str, owner: str, attempt: int, is_over: bool) -> None:
    """Make one move on the store and on the model, and compare what they answer."""
    holds = lease.state == "in_flight" and lease.owner == owner
    if move == "claim":
        answer = work.claim(key, owner, 0.0 if is_over else 3600.0)
        expected = lease.claim(owner, is_over)
        assert expected in (answer, type(answer))
    elif move == "complete":
        assert work.complete(key, owner, attempt, 1.0) == lease.end(owner, attempt, "done")
    elif move in ("fail", "break"):
        is_lost = not work.fail(key, owner, attempt, "why", permanent=move == "break")
        assert is_lost != lease.end(owner, attempt, "failed")
        lease.is_permanent |= not is_lost and move == "break"
    elif move == "release":
        assert work.release([key], owner) == holds
        lease.state = "released" if holds else lease.state
        lease.counted -= holds
    else:
        assert work.heartbeat([key], owner, 0.0 if move == "lapse" else 3600.0) == holds
        lease.is_over = move == "lapse" if holds else lease.is_over
