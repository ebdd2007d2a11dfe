"""What a sampler may minimise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spaces.errors import InputError
from spaces.space import Measures
from spaces.tables import check_name

# name -> its value from the measured loss and the exact costs; smaller is better. What is known of a configuration
# beside them (a latency, a task's metric) becomes an objective by a line here.
OBJECTIVES: dict[str, Callable[[float, Measures], float]] = {
    "loss": lambda loss, measures: loss,
    "size": lambda loss, measures: float(measures.stored_bits),
    "flops": lambda loss, measures: float(measures.flops),
    "parameters": lambda loss, measures: float(measures.parameters),
}


def check_objectives(names: Sequence[str]) -> None:
    """Refuse objectives that cannot be minimised together.

    Raises:
        InputError: one is unknown or given twice, or the loss is not among them.
    """
    for name in names:
        check_name(name, OBJECTIVES, "objective")
    if "loss" not in names or len(set(names)) != len(names):
        raise InputError(
            f"objectives must name the loss, and each once, got {list(names)}; write, say, objectives: [loss, size]"
        )


def values_of(loss: float, measures: Measures, names: Sequence[str]) -> list[float]:
    """The objectives of one configuration, in the order of ``names``."""
    return [OBJECTIVES[name](loss, measures) for name in names]
