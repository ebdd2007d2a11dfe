"""A race for keys: what its journals tell, and that nobody evaluates a key twice in a real one."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.databases import SQLITE, Databases
from benchmarks.racer import Entry, read_journal
from benchmarks.store_race import SMALL, Race, judge, run_race

TTL_S = 1.0


def claimed(key: str, at_s: float, attempt: int, *, is_first: bool = True) -> Entry:
    return Entry(kind="claim", key=key, attempt=attempt, is_first=is_first, began_s=at_s, ended_s=at_s + 0.1)


def finished(key: str, at_s: float, attempt: int, *, is_kept: bool = True) -> list[Entry]:
    evaluated = Entry(kind="evaluated", key=key, attempt=attempt, began_s=at_s, ended_s=at_s + 0.01)
    return [evaluated, replace(evaluated, kind="complete", is_kept=is_kept)]


def test_a_key_that_each_racer_asks_for_is_evaluated_by_one() -> None:
    one = [claimed("a", 0.0, 1), *finished("a", 0.2, 1), claimed("b", 0.3, 0)]
    two = [claimed("b", 0.0, 1), *finished("b", 0.2, 1), claimed("a", 0.9, 0)]
    race = judge([one, two], [0, 0], TTL_S)
    assert race == Race(keys=2, evaluations=2, kept=2, claims_per_s=(4.0,))


def test_what_a_killed_racer_held_is_taken_over_when_its_lease_ends() -> None:
    killed = [claimed("a", 0.0, 1)]
    heir = [claimed("a", 0.5, 0), claimed("a", 1.0, 2, is_first=False), *finished("a", 1.2, 2)]
    race = judge([killed, heir], [-signal.SIGKILL, 0], TTL_S)
    assert (race.keys, race.evaluations, race.killed, race.taken_over) == (1, 1, 1, 1)
    assert (race.overlaps, race.errors) == (0, 0)


def test_work_that_begins_under_a_living_lease_is_noticed() -> None:
    slow = [claimed("a", 0.0, 1), *finished("a", 0.9, 1, is_kept=False)]
    hasty = [claimed("a", 0.5, 2), *finished("a", 0.7, 2)]
    race = judge([slow, hasty], [0, 1], TTL_S)
    assert (race.keys, race.evaluations, race.overlaps, race.kept, race.errors) == (1, 2, 1, 1, 1)


def test_a_lease_that_was_given_twice_is_noticed() -> None:
    race = judge([[claimed("a", 0.0, 1)], [claimed("a", 0.1, 1)]], [0, 0], TTL_S)
    assert race.overlaps == 1


def test_a_line_that_a_killed_racer_did_not_finish_is_left_out(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text('{"kind": "claim", "key": "a", "began_s": 0.0, "ended_s": 0.1}\n{"kind": "cl')
    assert read_journal(journal) == [Entry(kind="claim", key="a", began_s=0.0, ended_s=0.1)]
    assert read_journal(tmp_path / "none") == []


@pytest.fixture
def databases(tmp_path: Path) -> Databases:
    return Databases(tmp_path, None)


@pytest.mark.slow
@pytest.mark.parametrize("has_kills", [False, True])
def test_real_processes_evaluate_each_key_once(databases: Databases, has_kills: bool) -> None:
    race = run_race(databases, SQLITE, SMALL, has_kills=has_kills)
    assert (race.keys, race.evaluations, race.kept) == (SMALL.num_keys,) * 3
    assert (race.overlaps, race.errors) == (0, 0)
    assert race.killed == race.taken_over
    assert (race.killed > 0) == has_kills
