"""The sharing out of workers: what must hold for any jobs on any cluster, and the sentences that people read."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.runner.shares import AGING_S, Claimant, Need, Room, share_out

GPUS = st.sampled_from([0.0, 0.1, 0.25, 0.3333, 0.4, 0.5, 0.6, 1.0, 2.0, 4.0])
CPUS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0])
ROOMS = st.builds(
    Room.of,
    st.lists(st.tuples(st.integers(0, 16), st.integers(0, 8)), max_size=3),
    workers=st.none() | st.integers(0, 12),
    jobs=st.none() | st.integers(0, 6),
)


def claimant(name: str, **changes: float) -> Claimant:
    plain = Claimant(id=name, priority=0, since_s=0.0, wanted=1, cpus=1.0, gpus=0.0)
    return replace(plain, **changes)  # type: ignore[arg-type]


@st.composite
def queues(draw: st.DrawFn) -> list[Claimant]:
    return [
        Claimant(
            id=str(number),
            priority=draw(st.integers(-3, 3)),
            since_s=draw(st.floats(0, 4 * AGING_S)),
            wanted=draw(st.integers(1, 9)),
            cpus=draw(CPUS),
            gpus=draw(GPUS),
        )
        for number in range(draw(st.integers(0, 8)))
    ]


def taken(queue: list[Claimant], granted: dict[str, int]) -> tuple[Fraction, Fraction]:
    needs = [(Need.of(each), granted[each.id]) for each in queue]
    zero = Fraction(0)
    return sum((need.cpus * n for need, n in needs), zero), sum((need.gpus * n for need, n in needs), zero)


@given(queue=queues(), room=ROOMS)
def test_no_more_is_given_than_there_is_or_is_wanted(queue: list[Claimant], room: Room) -> None:
    granted = dict(share_out(queue, room).granted)
    cpus, gpus = taken(queue, granted)
    assert cpus <= room.cpus
    assert gpus <= room.gpus
    assert room.workers is None or sum(granted.values()) <= room.workers
    assert room.jobs is None or sum(map(bool, granted.values())) <= room.jobs
    assert all(0 <= granted[each.id] <= each.wanted for each in queue)


@given(queue=queues(), room=ROOMS)
def test_nothing_lies_idle_that_somebody_could_use(queue: list[Claimant], room: Room) -> None:
    granted = dict(share_out(queue, room).granted)
    cpus, gpus = taken(queue, granted)
    workers_left = room.workers is None or sum(granted.values()) < room.workers
    jobs_left = room.jobs is None or sum(map(bool, granted.values())) < room.jobs
    for each in queue:
        need = Need.of(each)
        is_placed = need.cpus <= room.node_cpus and need.gpus <= room.node_gpus
        fits = cpus + need.cpus <= room.cpus and gpus + need.gpus <= room.gpus and is_placed and workers_left
        assert not (fits and granted[each.id] < each.wanted and (granted[each.id] > 0 or jobs_left))


@given(queue=queues(), room=ROOMS)
def test_nobody_has_two_while_another_who_fits_beside_one_each_has_none(queue: list[Claimant], room: Room) -> None:
    alone = share_out([replace(each, wanted=1) for each in queue], room).granted
    assert {name for name, n in share_out(queue, room).granted.items() if n} == {name for name, n in alone.items() if n}


@given(queue=queues(), room=ROOMS, data=st.data())
def test_a_higher_priority_never_costs_a_worker(queue: list[Claimant], room: Room, data: st.DataObject) -> None:
    if not queue:
        return
    chosen = data.draw(st.sampled_from(queue))
    raised = replace(chosen, priority=chosen.priority + data.draw(st.integers(1, 4)))
    after = share_out([raised if each is chosen else each for each in queue], room)
    assert after.granted[chosen.id] >= share_out(queue, room).granted[chosen.id]


@given(queue=queues(), room=ROOMS)
def test_exactly_those_without_a_worker_are_told_why(queue: list[Claimant], room: Room) -> None:
    shares = share_out(queue, room)
    assert set(shares.waiting) == {name for name, n in shares.granted.items() if n == 0}
    assert all(shares.waiting.values())


@pytest.mark.parametrize(
    ("gpus", "fit"), [(1.0, 2), (0.6, 2), (0.5, 4), (0.4, 4), (0.3333, 6), (0.25, 8), (0.1, 20), (2.0, 1)]
)
def test_parts_of_a_gpu_are_counted_as_they_fit_on_whole_ones(gpus: float, fit: int) -> None:
    asked = claimant("a", wanted=99, cpus=0.0, gpus=gpus)
    assert share_out([asked], Room.of([(0, 2)])).granted == {"a": fit}


def test_priority_comes_before_age_until_the_other_has_waited_for_it() -> None:
    old = claimant("old", since_s=0.0)
    for waited_s, first in [(AGING_S - 1, "urgent"), (AGING_S + 1, "old")]:
        urgent = claimant("urgent", since_s=waited_s, priority=1)
        granted = share_out([old, urgent], Room.of([(1, 0)])).granted
        assert max(granted, key=granted.__getitem__) == first


@pytest.mark.parametrize(
    ("queue", "room", "message"),
    [
        (
            [claimant("a", gpus=1.0), claimant("b", since_s=1.0, gpus=2.0)],
            Room.of([(8, 2)]),
            "waiting for 2 GPUs; 1 free",
        ),
        ([claimant("a"), claimant("b", since_s=1.0)], Room.of([(1, 0)]), "waiting for 1 CPU; 0 free"),
        ([claimant("a", cpus=0.5), claimant("b", since_s=1.0)], Room.of([(1, 0)]), "waiting for 1 CPU; 0.5 free"),
        (
            [claimant("a"), claimant("b", since_s=1.0)],
            Room.of([(8, 0)], workers=1),
            "waiting for a worker; 0 of 1 free",
        ),
        (
            [claimant("a"), claimant("b", since_s=1.0)],
            Room.of([(8, 0)], jobs=1),
            "waiting for its turn; 1 job may be at work at once",
        ),
        (
            [claimant("b", gpus=2.0)],
            Room.of([(8, 1), (8, 1)]),
            "one worker needs 2 GPUs and no node has more than 1; add a node, or cancel the job and ask for less",
        ),
    ],
)
def test_what_a_waiting_job_is_told(queue: list[Claimant], room: Room, message: str) -> None:
    assert share_out(queue, room).waiting == {"b": message}
