"""A belief about what each move adds to the loss: additive, Gaussian, and corrected by everything that is measured.

A move is a (unit, level), counted unit after unit. Axes: ``M`` moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.scores.score import Scores, Table, first_moves, hidden_units
from spaces.errors import InputError, JobError
from spaces.space import Levels, Space

MOST_MOVES = 20_000  # whose belief takes 3 GB, and as much again while it learns
UNDERFLOW = 1e-300  # a variance; below it nothing is left to learn


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """How far a score may be wrong, each as a share of the costs that it gives (one standard deviation).

    ``scale`` is shared by all moves, ``unit`` by the options of one unit, ``option`` by nothing. ``together`` is what
    several units changed at once may cost beyond their sum, as a share of the root of the summed squares of what each
    costs.
    """

    scale: float = 0.2
    unit: float = 0.2
    option: float = 0.1
    together: float = 0.1

    def __post_init__(self) -> None:
        for name in ("scale", "unit", "option", "together"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InputError(f"doubt {name} must be a finite share of at least 0, got {getattr(self, name)}")


class LocalModel:
    """Costs of all moves as one Gaussian, from which the loss of a configuration less its parent's follows.

    The prior is a score's costs under its own standard errors and ``Doubt``. A measured difference of two
    configurations is an observation of a sum of moves; the posterior is that of Bayesian linear regression (Bishop,
    *Pattern Recognition and Machine Learning*, 3.3), updated one observation at a time (the Kalman filter without
    dynamics). So a move that was never made alone is known from the candidates that made it with others, noisy
    measurements correct little, and what a score gets wrong of a unit is corrected for all its options. The covariance
    is kept as a ``root`` of it (Potter's form of the filter), from which draws cost no factorisation.

    Where the score knows interactions (``gram``), they are added, shrunk by their own noise: the Gaussian learns the
    rest.
    """

    def __init__(self, space: Space, scores: Scores, doubt: Doubt) -> None:
        self.space = space
        self.doubt = doubt
        costs = np.concatenate(scores.costs)
        self.is_closed = ~np.isfinite(costs)
        self.mean = np.where(self.is_closed, 0.0, costs)  # (M,)
        errors = np.zeros_like(costs) if scores.errors is None else np.concatenate(scores.errors)
        errors = np.where(np.isfinite(errors), errors, np.abs(self.mean))  # of one sequence nobody knows its error
        self.interactions = None if scores.interactions is None else scores.interactions.shrunk()
        self._starts = first_moves(space)
        self.root = self._prior(errors)  # (M, K), root @ root.T the covariance

    def table(self, values: np.ndarray, sound: Levels | None = None) -> Table:  # (M,) -> an array (options,) a unit
        """``values`` of moves as solvers take them; closed options cost infinity, but for those that ``sound`` has.

        What broke the model beside one configuration may hold beside another: with the moves of one that holds, there
        is always something to solve.
        """
        is_closed = self.is_closed.copy()
        if sound is not None:
            is_closed[self._starts + np.array(sound)] = False
        return np.split(np.where(is_closed, np.inf, values), self._starts[1:])

    def direction(self, parent: Levels, levels: Levels) -> np.ndarray:  # (M,), +1 for moves made, -1 for those undone
        """What changes from one configuration to another; what lies in a dropped part is no move."""
        change = np.zeros(len(self.mean))
        change[self._moves(levels)] += 1.0
        change[self._moves(parent)] -= 1.0
        return change

    def predict(self, parent: Levels, levels: Levels) -> tuple[float, float]:
        """The expected loss of ``levels`` less that of ``parent``, and its variance, ``Doubt.together`` included."""
        change = self.direction(parent, levels)
        share = change @ self.root
        mean = float(change @ self.mean) + self._interplay(parent, levels)
        return mean, float(share @ share) + self._together(parent, levels) ** 2

    def slopes(self, parent: Levels) -> np.ndarray:  # (M,)
        """What each move costs beyond its own cost beside the moves that ``parent`` makes in other units."""
        if self.interactions is None:
            return np.zeros(len(self.mean))
        moves, own = self._moves(parent), self.own(parent)
        others: np.ndarray = self.interactions.matrix[:, moves].sum(axis=1)
        return others - np.where(np.isin(own, moves), self.interactions.matrix[np.arange(len(own)), own], 0.0)

    def spread(self, parent: Levels) -> np.ndarray:  # (M,)
        """The standard deviation of each move's cost less that of its unit's level in ``parent``."""
        spread: np.ndarray = np.linalg.norm(self.root - self.root[self.own(parent)], axis=1)
        return spread

    def own(self, levels: Levels) -> np.ndarray:  # int64 (M,)
        """For each move that of its unit in ``levels``."""
        return np.repeat(self._starts + np.array(levels), self._sizes())

    def unit_and_level(self, move: int) -> tuple[int, int]:
        """Which option of which unit a move is."""
        unit = int(self._unit_of(np.array(move)))
        return unit, move - int(self._starts[unit])

    def draw(self, rng: np.random.Generator) -> np.ndarray:  # (M,)
        """Costs as they might be (Thompson sampling)."""
        drawn: np.ndarray = self.mean + self.root @ rng.standard_normal(self.root.shape[1])
        return drawn

    def observe(self, parent: Levels, levels: Levels, difference: np.ndarray) -> None:
        """Learn from the losses of ``levels`` less those of ``parent`` on the same sequences (sequences,).

        A candidate that broke the model closes its move, if it made only one, and says nothing otherwise; nor does one
        that is held against a parent that broke.
        """
        change = self.direction(parent, levels)
        if not change.any():
            return
        if not np.isfinite(difference).all():
            if (difference == np.inf).any() and (change > 0).sum() == 1:
                self.is_closed |= change > 0
            return
        noise = squared_error(difference, self.predict(parent, levels)[0]) + self._together(parent, levels) ** 2
        self._update(change, float(difference.mean()) - self._interplay(parent, levels), noise)

    def _interplay(self, parent: Levels, levels: Levels) -> float:
        """The difference of what the score's interactions say."""
        if self.interactions is None:
            return 0.0
        return self.interactions.of(self._moves(levels)) - self.interactions.of(self._moves(parent))

    def _update(self, change: np.ndarray, value: float, noise: float) -> None:
        share = change @ self.root  # (K,)
        variance = float(share @ share) + noise
        if variance < UNDERFLOW:
            return
        gain = self.root @ share / variance  # (M,)
        self.mean = self.mean + gain * (value - float(change @ self.mean))
        self.root -= np.outer(gain, share / (1 + np.sqrt(noise / variance)))

    def _together(self, parent: Levels, levels: Levels) -> float:
        """What several changes may cost beyond their sum; a single one costs what it costs."""
        if changed_units(parent, levels) <= 1:
            return 0.0
        before, after = self._moves(parent), self._moves(levels)
        changed = np.setxor1d(before, after)
        units = self._unit_of(changed)
        signs = np.where(np.isin(changed, after), 1.0, -1.0)
        steps = np.bincount(units, weights=signs * self.mean[changed], minlength=len(self._starts))
        return self.doubt.together * float(np.sqrt((steps**2).sum()))

    def _unit_of(self, moves: np.ndarray) -> np.ndarray:
        units: np.ndarray = np.searchsorted(self._starts, moves, side="right") - 1
        return units

    def _moves(self, levels: Levels) -> np.ndarray:
        """The moves that show: one of each unit that lies in no dropped part."""
        hidden = hidden_units(self.space, levels)
        shown = [unit for unit in range(len(levels)) if unit not in hidden]
        return self._starts[shown] + np.array(levels, dtype=np.int64)[shown]

    def _sizes(self) -> list[int]:
        return [len(unit.options) for unit in self.space.units]

    def _prior(self, errors: np.ndarray) -> np.ndarray:  # (M,) -> (M, K)
        """A column for what all moves share, one for each unit, and one for each move alone."""
        moves, num_units = np.arange(len(self.mean)), len(self._starts)
        root = np.zeros((len(moves), 1 + num_units + len(moves)))
        root[:, 0] = self.doubt.scale * self.mean
        root[moves, 1 + self._unit_of(moves)] = self.doubt.unit * self.mean
        root[moves, 1 + num_units + moves] = np.hypot(self.doubt.option * self.mean, errors)
        return root


def squared_error(
    difference: np.ndarray,  # (sequences,)
    expected: float,
    *,
    prior_sequences: float = 4.0,
) -> float:
    """The squared standard error of a mean over few sequences, with a prior for their spread.

    The spread of a paired difference over sequences is about as large as the difference: as many sequences' worth of
    that prior as ``prior_sequences`` are mixed in, so that two sequences that agree by chance do not count as certain.
    A spread that shows larger than that is taken as it shows.
    """
    count = len(difference)
    size = max(abs(expected), abs(float(difference.mean())))
    squares = float(((difference - difference.mean()) ** 2).sum())
    mixed = (prior_sequences * size**2 + squares) / (prior_sequences + max(0, count - 1))
    return max(mixed, squares / max(1, count - 1)) / count


def model_of(space: Space, scores: Scores, doubt: Doubt) -> LocalModel:
    """The belief that a score begins with.

    Raises:
        JobError: the score leaves a unit no option.
    """
    for unit, costs in zip(space.units, scores.costs, strict=True):
        if not np.isfinite(costs).any():
            name = space.layers[unit.layers[0]].name
            raise JobError(f"the score leaves {name} no option: all cost infinity; start from another score")
    return LocalModel(space, scores, doubt)


def check_moves(space: Space) -> None:
    """Refuse a space whose moves are too many for a belief about all of them.

    Raises:
        InputError: names their number and the way out.
    """
    count = sum(len(unit.options) for unit in space.units)
    if count > MOST_MOVES:
        raise InputError(
            f"strategy trust-region takes spaces of at most {MOST_MOVES:,} options in all, got {count:,}; tie layers "
            f"(ties: vllm), offer fewer options, or use strategy allocate with score fisher"
        )


def changed_units(parent: Levels, levels: Levels) -> int:
    """How many units differ."""
    return sum(a != b for a, b in zip(parent, levels, strict=True))


def single_changes(parent: Levels, moves: Sequence[tuple[int, int]]) -> list[Levels]:
    """``parent`` with one unit at another level, for each (unit, level)."""
    return [(*parent[:unit], level, *parent[unit + 1 :]) for unit, level in moves]
