"""What is to be run, the most telling first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.search.methods import Method
from benchmarks.search.tasks import Task

SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One method at one task with one seed."""

    task: Task
    method: Method
    seed: int

    def __str__(self) -> str:
        return f"{self.task.name}, {self.method.name}, seed {self.seed}"


def queue(tasks: Sequence[Task], methods: Sequence[Method], seeds: Iterable[int]) -> list[Trial]:
    """One seed of all important methods at all tasks first: a method of rank r waits for r seeds of those of rank 0.

    A method without a seed has one trial, with the first.
    """
    ordered = sorted(set(seeds))
    trials = [
        Trial(task=task, method=method, seed=seed)
        for task in tasks
        for method in methods
        if method.takes_part(task)
        for seed in (ordered if method.has_seed else ordered[:1])
    ]
    places = {task.name: place for place, task in enumerate(tasks)}
    return sorted(trials, key=lambda each: (ordered.index(each.seed) + each.method.rank, places[each.task.name]))
