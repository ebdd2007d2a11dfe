"""The pool on real Ray: work goes on when workers die, errors keep their words."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from ray import cloudpickle

from compressors.bank import Bank
from search.engine.materials import balanced_bounds
from search.engine.pool import Finished, Pool, Task
from search.engine.steering import Halted, Steering, WorkerState
from search.engine.worker import Worker, WorkerSetup
from spaces.errors import InputError, JobError
from store.records import Wish

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a worker cannot import a test file

pytestmark = pytest.mark.usefixtures("running_ray")


class Fragile(Worker):
    """A real actor with no model, whose tasks can kill it."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup

    def echo(self, value: int) -> int:
        return value

    def die(self, marker: Path, times: int) -> str:
        """Die as a killed process does, ``times`` times in all."""
        with marker.open("a") as file:
            file.write("x")
        if marker.stat().st_size <= times:
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"

    def refuse(self) -> None:
        raise InputError("the rule, got 7; the way out")

    def wait_for(self, marker: Path) -> str:
        """Busy until the file is there."""
        while not marker.exists():
            Event().wait(0.01)
        return "waited"


class Helm:
    """What a test wishes, and what it hears."""

    def __init__(self, num_workers: int = 2) -> None:
        self.wish: Wish = "run"
        self.num_workers = num_workers
        self.seen: list[list[WorkerState]] = []

    def steering(self) -> Steering:
        return Steering(wish=lambda: self.wish, num_workers=lambda: self.num_workers, workers=self.hear)

    def hear(self, states: Sequence[WorkerState]) -> None:
        self.seen.append(list(states))


@pytest.fixture
def setup(tmp_path: Path) -> WorkerSetup:
    bank = Bank(tmp_path / "bank", model="w" * 64, calibration="c", propagate="dense")
    return WorkerSetup(
        folder=tmp_path,
        dtype="float32",
        device="cpu",
        num_threads=1,
        bank=bank,
        propagate=None,
        streams={},
        dense=tmp_path / "dense",
    )


@pytest.fixture
def pool(setup: WorkerSetup) -> Pool:
    return Pool(setup, 2, Fragile)


def results(pool: Pool, tasks: list[Task]) -> dict[int, Finished]:
    try:
        return {finished.index: finished for finished in pool.run(tasks) if finished is not None}
    finally:
        pool.close()


def test_every_task_is_answered_once_under_its_index(pool: Pool) -> None:
    found = results(pool, [Task(method="echo", arguments=(number,)) for number in range(20)])
    assert {index: finished.value for index, finished in found.items()} == {number: number for number in range(20)}


def test_the_garbage_collector_leaves_alone_what_was_there_before_the_first_worker(pool: Pool) -> None:
    task = Task(method="echo", arguments=(1,))
    assert [(found is not None, gc.get_freeze_count() > 0) for found in pool.run([task])][-1] == (True, True)
    pool.close()
    assert gc.get_freeze_count() == 0


def test_a_task_whose_worker_dies_is_given_to_another(pool: Pool, tmp_path: Path) -> None:
    tasks = [
        Task(method="die", arguments=(tmp_path / "once", 1)),
        *[Task(method="echo", arguments=(n,)) for n in range(5)],
    ]
    found = results(pool, tasks)
    assert found[0].value == "survived"
    assert [found[index].value for index in range(1, 6)] == [0, 1, 2, 3, 4]


def test_a_task_that_kills_two_workers_is_given_up_and_the_rest_goes_on(pool: Pool, tmp_path: Path) -> None:
    tasks = [
        Task(method="die", arguments=(tmp_path / "always", 99)),
        *[Task(method="echo", arguments=(n,)) for n in range(5)],
    ]
    found = results(pool, tasks)
    assert found[0].error is not None
    assert found[0].error.startswith("2 workers died on it")
    assert len(found) == 6
    assert (tmp_path / "always").stat().st_size == 2


def test_workers_that_never_finish_anything_end_the_job(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="workers die before they finish anything"):
        results(pool, [Task(method="die", arguments=(tmp_path / "always", 99))])


def test_a_task_with_parts_to_try_is_not_tried_again_whole(pool: Pool, tmp_path: Path) -> None:
    """Nothing was finished before, but its parts may be: that its worker died ends no job."""
    found = results(pool, [Task(method="die", arguments=(tmp_path / "always", 99), is_divisible=True)])
    assert found[0].error is not None
    assert found[0].error.startswith("a worker died on it: ")
    assert (tmp_path / "always").stat().st_size == 1


def test_an_error_of_ours_arrives_in_its_own_words(pool: Pool) -> None:
    with pytest.raises(InputError, match="the rule, got 7; the way out"):
        results(pool, [Task(method="refuse", arguments=())])


@pytest.mark.slow
def test_the_pool_grows_shrinks_and_rests_as_it_may(setup: WorkerSetup) -> None:
    helm = Helm(1)
    pool = Pool(setup, 5, Fragile, helm.steering())
    results, most, rests = [], [0], 0
    try:
        for finished in pool.run([Task(method="echo", arguments=(number,)) for number in range(2000)]):
            if finished is not None:
                results.append(finished.value)
                if len(results) == 500:
                    helm.num_workers = 2
                if len(results) == 1500:
                    helm.num_workers = 0
            elif helm.num_workers == 0 and not helm.seen[-1]:
                rests += 1
                assert len(results) >= 1500
                helm.num_workers = 1 if rests == 3 else 0
            most.append(len(helm.seen[-1]))
    finally:
        pool.close()
    assert sorted(results) == list(range(2000))
    assert max(most) == 2
    assert rests == 3
    assert {state.state for states in helm.seen for state in states} >= {"starting", "busy"}
    assert helm.seen[-1] == []


def wish_when_busy(pool: Pool, helm: Helm, wish: Wish, tasks: list[Task], marker: Path, results: list[object]) -> None:
    """Run tasks; wish something, and leave the marker, as soon as a worker is seen at one."""
    for finished in pool.run(tasks):
        if finished is not None:
            results.append(finished.value)
        elif any(state.state == "busy" for state in helm.seen[-1]):
            helm.wish = wish
            marker.touch()


def test_a_pause_lets_what_is_in_flight_finish(setup: WorkerSetup, tmp_path: Path) -> None:
    helm, marker, results = Helm(1), tmp_path / "go", list[object]()
    pool = Pool(setup, 1, Fragile, helm.steering())
    tasks = [Task(method="wait_for", arguments=(marker,)), Task(method="echo", arguments=(1,))]
    try:
        with pytest.raises(Halted, match="pause"):
            wish_when_busy(pool, helm, "pause", tasks, marker, results)
    finally:
        pool.close()
    assert results == ["waited"]


def test_to_cancel_waits_for_nobody(setup: WorkerSetup, tmp_path: Path) -> None:
    helm, results = Helm(1), list[object]()
    pool = Pool(setup, 1, Fragile, helm.steering())
    tasks = [Task(method="wait_for", arguments=(tmp_path / "never",))]
    try:
        with pytest.raises(Halted, match="cancel"):
            wish_when_busy(pool, helm, "cancel", tasks, tmp_path / "unheeded", results)
    finally:
        pool.close()
    assert results == []


def test_a_stop_ends_nothing_but_the_search(setup: WorkerSetup) -> None:
    helm = Helm(1)
    helm.wish = "stop"
    pool = Pool(setup, 1, Fragile, helm.steering())
    assert [finished.value for finished in pool.run([Task(method="echo", arguments=(7,))]) if finished] == [7]
    pool.is_stoppable = True
    try:
        with pytest.raises(Halted, match="stop"):
            list(pool.run([Task(method="echo", arguments=(8,))]))
    finally:
        pool.close()


def test_leased_work_is_handed_back_where_nobody_may_work(setup: WorkerSetup) -> None:
    pool = Pool(setup, 1, Fragile, Helm(0).steering())
    assert list(pool.run([Task(method="echo", arguments=(7,))], waits=False)) == []


def test_what_no_node_can_hold_is_refused_with_what_there_is(setup: WorkerSetup) -> None:
    pool = Pool(replace(setup, gpus=9.0, cpus=0.5), 1, Fragile)
    with pytest.raises(JobError, match=r"0\.5 CPUs and 9 GPUs on one node, and the cluster has .* CPUs, \d+ GPUs; ask"):
        list(pool.run([Task(method="echo", arguments=(7,))]))


@pytest.mark.slow
def test_a_busy_cluster_is_waited_for(setup: WorkerSetup, tmp_path: Path) -> None:
    all_cores = replace(setup, cpus=float(max(2, os.cpu_count() or 1)))
    first, helm = Pool(all_cores, 1, Fragile), Helm(1)
    second = Pool(all_cores, 1, Fragile, helm.steering())
    try:
        assert [finished.value for finished in first.run([Task(method="echo", arguments=(1,))]) if finished] == [1]
        results = []
        for finished in second.run([Task(method="echo", arguments=(2,))]):
            if finished is not None:
                results.append(finished.value)
            elif len(helm.seen) == 3:
                assert [state.state for states in helm.seen for state in states] == ["starting"] * 3
                assert helm.seen[-1][0].node == ""
                first.close()
        assert results == [2]
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize(("blocks", "workers"), [(12, 2), (32, 3), (3, 8), (1, 1), (80, 7)])
def test_bounds_cover_all_blocks_and_balance_the_slowest_worker(blocks: int, workers: int) -> None:
    bounds = balanced_bounds(blocks, workers)
    assert bounds[0] == 0
    assert bounds[-1] == blocks
    assert bounds == sorted(set(bounds))
    assert len(bounds) - 1 <= workers
    slowest = max(last + (last - first) for first, last in itertools.pairwise(bounds))
    even = [round(number * blocks / workers) for number in range(workers + 1)]
    assert slowest <= max(last + (last - first) for first, last in itertools.pairwise(even))
