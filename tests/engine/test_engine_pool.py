"""The pool on real Ray: work goes on when workers die, errors keep their words."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

import pytest
from ray import cloudpickle

from compressors.bank import Bank
from search.engine.materials import balanced_bounds
from search.engine.pool import Finished, Pool, Task
from search.engine.worker import Worker, WorkerSetup
from spaces.errors import InputError, JobError

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


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    bank = Bank(tmp_path, weights="w" * 64, calibration="c", propagate="dense")
    setup = WorkerSetup(
        folder=tmp_path, dtype="float32", device="cpu", num_threads=1, bank=bank, propagate=None, streams={}
    )
    return Pool(setup, 2, Fragile)


def results(pool: Pool, tasks: list[Task]) -> dict[int, Finished]:
    try:
        return {finished.index: finished for finished in pool.run(tasks) if finished is not None}
    finally:
        pool.close()


def test_every_task_is_answered_once_under_its_index(pool: Pool) -> None:
    found = results(pool, [Task(method="echo", arguments=(number,)) for number in range(20)])
    assert {index: finished.value for index, finished in found.items()} == {number: number for number in range(20)}


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
