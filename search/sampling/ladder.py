"""What a search has measured so far: asked once, remembered, and the best of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from search.strategy import Asking, Problem, measured
from spaces.configuration import Configuration
from spaces.errors import InputError
from spaces.space import Levels


def check_rungs(rungs: Sequence[int]) -> None:
    """Refuse rungs that do not ascend.

    Raises:
        InputError: there is none, or one is below 1 or not above the one before.
    """
    if not rungs or rungs[0] < 1 or list(rungs) != sorted(set(rungs)):
        raise InputError(f"rungs must be numbers of tokens in ascending order, got {list(rungs)}; say, [2048, 16384]")


def climb_tokens(count: int, rungs: Sequence[int], problem: Problem) -> int:
    """About how many tokens ``Ladder.climb`` asks to be read."""
    return sum(problem.tokens(rung) * max(1, count >> place) for place, rung in enumerate(rungs[1:]))


class Ladder:
    """Mean losses by configuration and rung. Rungs are numbers of tokens, ascending."""

    def __init__(self, problem: Problem, rungs: Sequence[int]) -> None:
        self._problem = problem
        self.rungs = sorted({problem.tokens(rung) for rung in rungs})
        self._losses: dict[int, dict[Configuration, tuple[float, Levels]]] = {rung: {} for rung in self.rungs}

    def __contains__(self, levels: Levels) -> bool:
        configuration = self._problem.space.configure(levels)
        return any(configuration in known for known in self._losses.values())

    @property
    def count(self) -> int:
        """How many measurements there are."""
        return sum(map(len, self._losses.values()))

    def measure(self, candidates: Sequence[Levels], rung: int, label: str) -> Asking[list[float]]:
        """The losses of ``candidates``; only those not known yet are asked. A broken candidate's is infinite."""
        known = self._losses[rung]
        configurations = [self._problem.space.configure(levels) for levels in candidates]
        new = {
            configuration: levels
            for configuration, levels in zip(configurations, candidates, strict=True)
            if configuration not in known
        }
        if new:
            losses = yield from measured(tuple(new.values()), rung, label, incumbent=self.best())
            for (configuration, levels), values in zip(new.items(), losses, strict=True):
                loss = float(values.mean())
                known[configuration] = (math.inf if math.isnan(loss) else loss, levels)
        return [known[configuration][0] for configuration in configurations]

    def best(self) -> Levels | None:
        """The least loss on the most tokens; None where nothing is known."""
        for rung in reversed(self.rungs):
            if self._losses[rung]:
                return self.ranked(rung)[0]
        return None

    def ranked(self, rung: int) -> list[Levels]:
        """What was measured at a rung, the best first, the earlier of two equals before the later."""
        return [levels for _, levels in sorted(self._losses[rung].values(), key=lambda pair: pair[0])]

    def pairs(self, rung: int) -> list[tuple[Levels, float]]:
        """What was measured at a rung, in the order asked."""
        return [(levels, loss) for loss, levels in self._losses[rung].values()]

    def worst(self, rung: int) -> float:
        """The largest finite loss at a rung, 0 where there is none."""
        return max((loss for loss, _ in self._losses[rung].values() if math.isfinite(loss)), default=0.0)

    def climb(self, always: Iterable[Levels], count: int, label: str) -> Asking[Levels]:
        """The answer: the best ``count`` of the first rung, and ``always``, measured on; half as many each rung after.

        ``always`` go all the way, so that the answer is no worse than any of them on the most text.
        """
        always, previous = list(always), self.rungs[0]
        for rung in self.rungs[1:]:
            yield from self.measure([*self.ranked(previous)[: max(1, count)], *always], rung, label)
            count, previous = count // 2, rung
        return self.ranked(self.rungs[-1])[0]
