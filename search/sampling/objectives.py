"""What a sampler may minimise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from spaces.errors import InputError
from spaces.tables import check_name
from store.records import TASK_PREFIX, WEIGHED, Weighed

if TYPE_CHECKING:
    from spaces.space import Measures

# name -> its value from the measured loss and the exact costs; smaller is better. What is known of a configuration
# beside them (a latency) becomes an objective by a line here, and another in ``WEIGHED``.
OBJECTIVES: dict[str, Callable[[float, Measures], float]] = {
    "loss": lambda loss, measures: loss,
    "size": lambda loss, measures: float(measures.stored_bits),
    "flops": lambda loss, measures: float(measures.flops),
    "parameters": lambda loss, measures: float(measures.parameters),
}


def objectives_asked(strategy: object) -> tuple[str, ...]:
    """What a strategy minimises, as a job asks for it: a sampler's own list, and otherwise the loss alone."""
    names = strategy.get("objectives") if isinstance(strategy, Mapping) else None
    return tuple(map(str, names)) if isinstance(names, list | tuple) and names else ("loss",)


def objectives_within(strategy: object) -> Iterator[str]:
    """Those of a strategy and of every one inside it, as one that another starts from."""
    if isinstance(strategy, Mapping):
        yield from objectives_asked(strategy)
        for part in strategy.values():
            yield from objectives_within(part)


def weighed_beside(names: Collection[str]) -> tuple[Weighed, ...]:
    """What a front of these objectives weighs beside loss and size, which every front weighs."""
    return (*(name for name in WEIGHED if name in names), *(name for name in names if name.startswith(TASK_PREFIX)))


def tasks_among(names: Collection[str]) -> tuple[str, ...]:
    """The job's tasks whose errors are among these objectives, by their names."""
    return tuple(name.removeprefix(TASK_PREFIX) for name in names if name.startswith(TASK_PREFIX))


def check_objectives(names: Sequence[str]) -> None:
    """Refuse objectives that cannot be minimised together.

    Raises:
        InputError: one is unknown or given twice, or the loss is not among them.
    """
    for name in names:
        if not name.startswith(TASK_PREFIX):
            check_name(name, [*OBJECTIVES, f"{TASK_PREFIX}<name of a task>"], "objective")
    if "loss" not in names or len(set(names)) != len(names):
        raise InputError(
            f"objectives must name the loss, and each once, got {list(names)}; write, say, objectives: [loss, size]"
        )


def check_tasks(names: Sequence[str], tasks: Collection[str]) -> None:
    """Refuse objectives that are errors on tasks that the job does not have.

    Raises:
        InputError: names the tasks that it has.
    """
    for task in tasks_among(names):
        if task not in tasks:
            raise InputError(
                f"objective {TASK_PREFIX}{task} is the error on a task that the job does not have; "
                + (f"it has {', '.join(tasks)}" if tasks else f"add tasks: [{{name: {task}, source: ...}}]")
            )


def values_of(loss: float, measures: Measures, errors: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """The objectives of one configuration, in the order of ``names``; ``errors`` are those on tasks, by their names."""
    known = {f"{TASK_PREFIX}{task}": error for task, error in errors.items()}
    return [known[name] if name in known else OBJECTIVES[name](loss, measures) for name in names]
