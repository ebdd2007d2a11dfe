"""Candidates are kept once, their front is exact at every moment, and pages miss and repeat nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_jobs import added, candidate, claimed, running

from spaces.errors import UnknownError
from store.candidates import Order
from store.records import CandidateRecord, NewCandidate, Weighed
from store.store import Store

SIZES = st.integers(1, 6)  # few, so that equal ones and dominated ones are common
LOSSES = st.sampled_from([None, math.nan, math.inf, 0.0, 0.5, 1.0, 2.0])
FOUND = st.lists(st.tuples(SIZES, LOSSES), max_size=12)
LIMITS = st.tuples(st.none() | st.integers(0, 7), st.none() | st.sampled_from([-1.0, 0.0, 0.5, 1.5, 9.0]))
FEW = st.none() | st.integers(0, 3)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

DATA = [(40, 1.0), (10, None), (30, 1.0), (20, 3.0), (20, 3.0), (50, 0.5), (25, 2.0), (60, None), (5, 9.0), (45, 0.7)]


def made(points: Sequence[tuple[int, float | None]], start: int = 0) -> list[NewCandidate]:
    return [
        candidate(number, size_bytes=size, loss=loss, loss_se=loss)
        for number, (size, loss) in enumerate(points, start=start)
    ]


def beats(one: CandidateRecord, other: CandidateRecord) -> bool:
    if one.loss is None or other.loss is None:
        return False
    no_worse = one.size_bytes <= other.size_bytes and one.loss <= other.loss
    return no_worse and (one.size_bytes, one.loss) != (other.size_bytes, other.loss)


@pytest.fixture
def filled(store: Store) -> tuple[Store, str, list[CandidateRecord]]:
    """A store with a job of candidates in a bad order, beside one with others."""
    job, other = running(store), running(store)
    store.add_candidates(other.id, 1, made([(1, 0.0)] * 3, start=50))
    store.add_candidates(job.id, 1, made(DATA))
    return store, job.id, store.candidates(job.id)


def test_a_candidate_returns_as_it_was_found(store: Store) -> None:
    job = running(store)
    found = [
        candidate(
            1, levels=tuple(range(300)), kind="plain", source="cached", size_bytes=2**40, loss=1e-300, flops=2**50
        ),
        candidate(2, levels=(), loss=None, flops=0, parameters=2**41),
        candidate(3, loss=math.inf, loss_se=math.nan),
    ]
    kept = store.add_candidates(job.id, 1, found)
    assert store.candidates(job.id) == kept
    assert [store.candidate(job.id, seq) for seq in (1, 2, 3)] == kept
    assert [(record.job_id, record.seq, record.state) for record in kept] == [
        (job.id, 1, "done"),
        (job.id, 2, "failed"),
        (job.id, 3, "failed"),
    ]
    for new, record in zip(found[:2], kept, strict=False):
        assert {name: getattr(record, name) for name in vars(new)} == vars(new)
    assert (kept[2].loss, kept[2].loss_se, kept[2].is_on_front) == (None, None, False)
    with pytest.raises(UnknownError, match=f"job {job.id} has no candidate 4; it has those up to 3"):
        store.candidate(job.id, 4)


def test_what_is_sent_again_keeps_its_number(store: Store) -> None:
    job = running(store)
    first = store.add_candidates(job.id, 1, made([(3, 1.0), (2, 2.0)]))
    twice = [*made([(3, 1.0), (2, 2.0), (1, 3.0)]), *made([(1, 3.0)], start=2), candidate(0, kind="answer")]
    new = store.add_candidates(job.id, 1, twice)
    assert [(record.seq, record.configuration_id, record.kind) for record in new] == [
        (3, "c2", "candidate"),
        (4, "c0", "answer"),
    ]
    assert store.candidates(job.id)[:2] == first
    assert store.add_candidates(job.id, 1, twice) == []
    assert store.num_candidates(job.id) == 4


def test_one_event_tells_what_is_new_and_what_it_beats(store: Store) -> None:
    job = running(store)
    store.add_candidates(job.id, 1, made([(10, 1.0), (20, 0.5), (30, 0.7)]))
    store.add_candidates(job.id, 1, made([(10, 0.5), (5, None)], start=10))
    store.add_candidates(job.id, 1, made([(10, 0.5)], start=10))
    told = [event.payload for event in store.events(job.id, kinds=["candidates"])]
    assert told == [
        {"seqs": [1, 2, 3], "entered": [1, 2], "left": []},
        {"seqs": [4, 5], "entered": [4], "left": [1, 2]},
    ]


@MANY
@given(rounds=st.lists(FOUND, max_size=4), limits=LIMITS)
def test_the_front_is_that_of_a_comparison_of_all_pairs(
    store: Store, rounds: list[list[tuple[int, float | None]]], limits: tuple[int | None, float | None]
) -> None:
    job = store.job(added(store, origin="local").id)
    number = 0
    for points in rounds:
        store.add_candidates(job.id, 1, made(points, start=number))
        number += len(points)
        kept = store.candidates(job.id)
        best = {one.seq for one in kept if one.loss is not None and not any(beats(other, one) for other in kept)}
        assert {record.seq for record in kept if record.is_on_front} == best
        front = store.front(job.id)
        assert {record.seq for record in front} == best
        assert all((a.size_bytes, a.seq) < (b.size_bytes, b.seq) for a, b in pairwise(front))
    max_size, max_loss = limits
    within = [
        record
        for record in store.candidates(job.id)
        if record.loss is not None
        and (max_size is None or record.size_bytes <= max_size)
        and (max_loss is None or record.loss <= max_loss)
    ]
    by_loss: Callable[[CandidateRecord], Any] = lambda record: (record.loss, record.size_bytes, record.seq)  # noqa: E731
    by_size: Callable[[CandidateRecord], Any] = lambda record: (record.size_bytes, record.loss, record.seq)  # noqa: E731
    key = by_size if max_size is None and max_loss is not None else by_loss
    expected = min(within, key=key, default=None)
    assert store.best_candidate(job.id, max_size_bytes=max_size, max_loss=max_loss) == expected


@MANY
@given(
    rounds=st.lists(st.lists(st.tuples(SIZES, LOSSES, FEW, FEW), max_size=10), max_size=3),
    weighed=st.sampled_from([("flops",), ("parameters",), ("flops", "parameters"), ("flops", "task:next")]),
)
def test_a_front_of_three_or_four_is_that_of_all_pairs(
    store: Store,
    rounds: list[list[tuple[int, float | None, int | None, int | None]]],
    weighed: tuple[Weighed, ...],
) -> None:
    def values(each: CandidateRecord) -> list[float]:
        known = {"flops": each.flops, "parameters": each.parameters, "task:next": each.task_errors.get("next")}
        others = [known[name] for name in weighed]
        return [each.size_bytes, each.loss or 0.0, *(math.inf if value is None else value for value in others)]

    job = store.job(added(store, origin="local").id)
    entered: set[int] = set()
    for found in rounds:
        start = store.num_candidates(job.id)
        new = [
            candidate(
                number,
                size_bytes=size,
                loss=loss,
                flops=flops,
                parameters=parameters,
                task_errors={} if parameters is None else {"next": parameters / 4},
            )
            for number, (size, loss, flops, parameters) in enumerate(found, start=start)
        ]
        store.add_candidates(job.id, 1, new, weighed)
        measured = [each for each in store.candidates(job.id) if each.loss is not None]
        best = {
            one.seq
            for one in measured
            if not any(
                values(other) != values(one) and all(a <= b for a, b in zip(values(other), values(one), strict=True))
                for other in measured
            )
        }
        assert {each.seq for each in store.front(job.id)} == best
    for event in store.events(job.id, kinds=["candidates"]):
        entered = (entered | set(event.payload["entered"])) - set(event.payload["left"])  # type: ignore[call-overload]
    assert entered == {each.seq for each in store.front(job.id)}


def value_of(record: CandidateRecord, order: Order) -> float:
    value = getattr(record, order)
    return math.inf if value is None else float(value)


@pytest.mark.parametrize("order", ["seq", "size_bytes", "loss"])
@pytest.mark.parametrize("limit", [1, 3, 4, 100])
@pytest.mark.parametrize(
    "filters", [{}, {"front": True}, {"max_size_bytes": 30}, {"max_loss": 1.0}, {"max_size_bytes": 45, "max_loss": 2.0}]
)
def test_pages_together_are_all_that_was_asked_for(
    filled: tuple[Store, str, list[CandidateRecord]], order: Order, limit: int, filters: dict[str, Any]
) -> None:
    store, job_id, records = filled
    wanted = [
        record
        for record in records
        if (record.is_on_front or not filters.get("front"))
        and record.size_bytes <= filters.get("max_size_bytes", math.inf)
        and ("max_loss" not in filters or (record.loss is not None and record.loss <= filters["max_loss"]))
    ]
    read: list[CandidateRecord] = []
    cursor = None
    while page := store.candidates(job_id, limit=limit, order=order, cursor=cursor, **filters):
        assert len(page) <= limit
        read += page
        cursor = (value_of(page[-1], order), page[-1].seq)
    assert read == sorted(wanted, key=lambda record: (value_of(record, order), record.seq))


def test_what_came_after_a_number(filled: tuple[Store, str, list[CandidateRecord]]) -> None:
    store, job_id, records = filled
    assert store.candidates(job_id, after_seq=3, limit=2) == records[3:5]
    assert store.candidates(job_id, after_seq=len(records)) == []


def test_another_attempt_goes_on_with_the_numbers(store: Store) -> None:
    job = running(store)
    store.add_candidates(job.id, 1, made([(1, 1.0)]))
    store.release_job(job.id, 1, "process_died", "killed")
    assert claimed(store).attempt == 2
    assert [record.seq for record in store.add_candidates(job.id, 2, made([(1, 1.0), (2, 0.5)]))] == [2]
