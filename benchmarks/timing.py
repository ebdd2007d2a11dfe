"""Timing of several ways to do the same work, side by side, so that a busy moment of the machine hits them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Work = Callable[[], object]
Arm = Callable[[], Work]  # prepares, untimed, and returns the work to be timed


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median of some measurements, between the smallest and the largest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(middle=median(values), low=min(values), high=max(values))

    def show(self, form: str) -> str:
        """``0.95 (0.93 to 0.96)``, each number written as the format says."""
        return f"{self.middle:{form}} ({self.low:{form}} to {self.high:{form}})"


def interleave(
    arms: Mapping[str, Arm],
    *,
    rounds: int,
    warm_ups: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:  # for each arm, the seconds of each round
    """Time every arm once in each round, A B A B; ``warm_ups`` rounds go first and do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(warm_ups + rounds):
        for name, prepare in arms.items():
            work = prepare()
            begun = clock()
            work()
            seconds[name].append(clock() - begun)
    return {name: taken[warm_ups:] for name, taken in seconds.items()}


def ratio(upper: Sequence[float], lower: Sequence[float]) -> Spread:
    """``upper / lower`` round by round: what slowed both in one round cancels."""
    return Spread.of([one / other for one, other in zip(upper, lower, strict=True)])
