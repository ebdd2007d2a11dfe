"""Single decisions changed, and pairs of them: the neighbourhood in which a quadratic form is searched.

Axes: ``N`` steps, ``M`` moves, ``L`` limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from search.solvers.quadratic_form import QuadraticForm

CHUNK_ELEMENTS = 1 << 20  # pairs looked at together: some 10 MB of tables


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """Every change of one decision from a configuration: a unit to another level, a part dropped or restored.

    A part is restored with the levels that its units had, or with all of them at their first, second, ... option.
    """

    form: QuadraticForm
    levels: np.ndarray  # int64 (units,): before
    after: np.ndarray  # int64 (N, units)
    shifts: csr_array  # float64 (N, M): moves shown after, minus those shown before
    gains: np.ndarray  # float64 (N,): what the form's value changes by
    sizes: np.ndarray  # int64 (N, L): what the sizes change by
    slopes: np.ndarray  # float64 (M,): the form's before; 0 for closed moves, which no step shows
    slack: np.ndarray  # int64 (L,): what the limits still allow
    touched: csr_array  # (N, units): not 0 for the units that a step shows otherwise than before

    def fitting(self) -> np.ndarray:  # int64: numbers of the steps that the limits allow alone
        return np.flatnonzero((self.sizes <= self.slack).all(axis=1))

    def partners(self, step: int) -> np.ndarray:  # int64: numbers of the steps that the limits allow together with it
        fits = (self.sizes + self.sizes[step] <= self.slack).all(axis=1)
        fits[(self.touched @ self.touched[[step]].T).nonzero()[0]] = False
        return np.flatnonzero(fits)

    def shift(self, steps: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:  # int64 (moves,), float64 (moves,)
        """The moves that steps of different units show (1) or hide (-1)."""
        found = self.shifts[list(steps)]
        return found.indices.astype(np.int64), found.data

    def made(
        self,
        levels: np.ndarray,  # int64 (units,), as before the steps where they change something
        steps: Sequence[int],
    ) -> np.ndarray:  # int64 (units,)
        """``levels`` after steps of different units."""
        made = levels.copy()
        for step in steps:
            is_changed = self.after[step] != self.levels
            made[is_changed] = self.after[step][is_changed]
        return made

    def best_partners(self) -> tuple[np.ndarray, np.ndarray]:  # int64 (N,), float64 (N,)
        """For each step the one with which it gains most within the limits, and what both gain; inf: none fits.

        Looks at each pair from one side, that of the earlier step, or from both where their chunk is the same.
        """
        partners, gains = np.zeros(len(self.gains), dtype=np.int64), np.full(len(self.gains), np.inf)
        for steps in self._chunks():
            later = slice(steps.start, None)
            pairs = self._pair_gains(later, steps)
            for sizes, slack in zip(self.sizes.T, self.slack, strict=True):
                np.putmask(pairs, sizes[later, None] + sizes[None, steps] > slack, np.inf)
            pairs[(self.touched[later] @ self.touched[steps].T).nonzero()] = np.inf
            partners[steps] = steps.start + pairs.argmin(axis=0)
            gains[steps] = pairs.min(axis=0)
        return partners, gains

    def _pair_gains(self, rows: slice, columns: slice) -> np.ndarray:  # float64 (rows, columns)
        """What two steps gain, and d^T G d' between their shifts."""
        pairs: np.ndarray = self.shifts[rows] @ np.ascontiguousarray((self.shifts[columns] @ self.form.matrix).T)
        pairs += self.gains[rows, None]
        pairs += self.gains[None, columns]
        return pairs

    def _chunks(self) -> Iterator[slice]:
        count = len(self.gains)
        size = max(1, CHUNK_ELEMENTS // max(1, count))
        yield from (slice(start, min(start + size, count)) for start in range(0, count, size))


def steps_from(form: QuadraticForm, levels: np.ndarray) -> Steps:
    """The steps to open moves, whatever the limits say of each."""
    slopes = form.slopes(levels)
    slopes[np.isinf(slopes)] = 0.0
    units, moves = _relevelled(form, levels)
    toggled = _toggled(form, levels)
    relevelled = np.repeat(levels[None], len(units), axis=0)
    relevelled[np.arange(len(units)), units] = moves - form.starts[units]
    switched = _marks(form, toggled) - _marks(form, levels[None])
    swaps = _swaps(moves, (form.starts[:-1] + levels)[units], len(slopes))
    shifts = csr_array(vstack([swaps, csr_array(switched)]))
    bends = ((switched @ form.matrix) * switched).sum(axis=1) / 2  # moves of one unit have none
    return Steps(
        form=form,
        levels=levels,
        after=np.vstack([relevelled, toggled]),
        shifts=shifts,
        gains=shifts @ slopes + np.append(np.zeros(len(units)), bends),
        sizes=shifts.astype(np.int64) @ form.sizes.T,
        slopes=slopes,
        slack=form.slack(levels),
        touched=_units_of(form, shifts),
    )


def _relevelled(
    form: QuadraticForm, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:  # int64, twice the same shape
    """The unit and the move of every other open level of the units that are shown and no droppable part."""
    is_free = form.is_shown(levels) & (form.drops < 0)
    is_step = is_free[form.unit_of] & np.isfinite(form.costs)
    is_step[form.starts[:-1] + levels] = False
    moves = np.flatnonzero(is_step)
    return form.unit_of[moves], moves


def _toggled(form: QuadraticForm, levels: np.ndarray) -> np.ndarray:  # int64 (toggles, units)
    """The levels after a part is dropped, or restored in one of several ways."""
    is_choice = (form.drops >= 0) & (np.diff(form.starts) > 1) & form.is_shown(levels)
    found = [after for part in np.flatnonzero(is_choice) for after in _switched(form, levels, int(part))]
    are_open = [after for after in found if np.isfinite(form.costs[form.moves(after)]).all()]
    return np.array(are_open, dtype=np.int64).reshape(-1, form.num_units)


def _switched(form: QuadraticForm, levels: np.ndarray, part: int) -> Iterator[np.ndarray]:
    largest = np.diff(form.starts) - 1
    after = levels.copy()
    if levels[part] != form.drops[part]:
        after[part] = form.drops[part]
        yield after
        return
    after[part] = largest[part]  # keep: a drop is the smallest option
    yield after.copy()
    inside = form.holds_unit[part]
    weights = inside & (form.drops < 0)
    for level in range(1 + int(largest[weights].max(initial=-1))):
        after[inside] = largest[inside]
        after[weights] = np.minimum(level, largest[weights])
        yield after.copy()


def _marks(form: QuadraticForm, levels: np.ndarray) -> np.ndarray:  # int64 (rows, units) -> float64 (rows, M)
    """1 for each move that is shown."""
    marks = np.zeros((len(levels), int(form.starts[-1])))
    for row, each in zip(marks, levels, strict=True):
        row[form.moves(each)] = 1.0
    return marks


def _swaps(new: np.ndarray, old: np.ndarray, num_moves: int) -> csr_array:  # float64 (steps, M)
    """One move of a unit for another."""
    data, columns = np.tile([1.0, -1.0], len(new)), np.stack([new, old], axis=1).reshape(-1)
    return csr_array((data, columns, 2 * np.arange(len(new) + 1)), shape=(len(new), num_moves))


def _units_of(form: QuadraticForm, shifts: csr_array) -> csr_array:  # int64 (N, units)
    """How many of each unit's moves a step shows or hides."""
    ones = np.ones(len(form.unit_of), dtype=np.int64)
    units = csr_array((ones, form.unit_of, np.arange(len(ones) + 1)), shape=(len(ones), form.num_units))
    counts: csr_array = abs(shifts).astype(np.int64) @ units
    return counts
