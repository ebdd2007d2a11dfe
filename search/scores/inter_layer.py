"""A score with what neighbours cost together added: measured, and spread over their other options by a rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from search.report import standard_error
from search.scores.entries import check_tokens
from search.scores.score import NO_PREDICTION, SCORES, Interactions, Score, Scores, first_moves, name_of_score
from search.strategy import Asking, Problem, measured
from spaces.errors import InputError, JobError
from spaces.space import Levels, Space
from spaces.tables import load

WITH_PAIRS = ("gram", "inter-layer")  # scores that have interactions of their own

Pair = tuple[int, int]  # unit numbers, the smaller first


def _hessian_trace() -> Score:
    score: Score = load(SCORES, "hessian-trace", "score")()
    return score


@dataclass(frozen=True, kw_only=True)
class InterLayer:
    """singles + L(i,j) - L(i) - L(j) + L(0), for units i and j up to ``distance`` apart; nats per token.

    After the augmented Hessians of Schaefer et al. 2023 (arXiv 2306.04879), whose abstract we read and not the body:
    the formula, which pairs are measured, and all below are our reading of it. ``singles`` is any score of single
    changes that predicts the loss, and hessian-trace unless said otherwise.

    The losses are measured with each unit at its smallest option and all else dense: that is where the Hessian was
    taken, and where KL is a quadratic form, of which this is the cross term. So it goes over to other options as
    m s_i(a) s_j(b), where m is the measured term and s^2 the rise of ``singles`` over the dense model's, relative to
    its rise at the measured option. Units next to each other are so in the space's order, pinned ones left out; a part
    and what lies inside it are no pair.

    Solvers that add costs up must see the pairs too. Of m s_i(a) s_j(b), the costs get m/2 s_i(a)^2 and m/2 s_j(b)^2:
    the whole of it where both are equally coarse, as in every uniform choice. The interactions get what is missing,
    -m/2 (s_i(a) - s_j(b))^2, so that both together are exact. A negative m lowers no cost below the dense model's: the
    costs get less of it then, and the interactions more.

    Cost: that of ``singles``, and a forward pass over ``tokens`` for each unit and each pair.
    """

    singles: Score = field(default_factory=_hessian_trace)
    tokens: int = 1024
    distance: int = 1

    def __post_init__(self) -> None:
        check_tokens(self.tokens)
        if self.distance < 1:
            raise InputError(f"distance must be at least 1, which is the next unit, got {self.distance}")
        if name_of_score(self.singles) in WITH_PAIRS:
            raise InputError(
                f"singles {name_of_score(self.singles)} has interactions of its own, which inter-layer would count "
                f"twice; use it as the score itself, or write singles: hessian-trace"
            )

    def check(self, problem: Problem) -> None:
        self.singles.check(problem)
        if name_of_score(self.singles) in NO_PREDICTION:
            raise InputError(
                f"singles {name_of_score(self.singles)} is on a scale of its own, to which a loss of pairs cannot be "
                f"added; write one that predicts the loss: {', '.join(_fitting())}"
            )

    def planned_tokens(self, problem: Problem) -> int:
        probes = _probes(problem.space)
        count = 1 + len(probes) + len(_pairs(problem.space, probes, self.distance))
        return self.singles.planned_tokens(problem) + count * problem.tokens(self.tokens)

    def score(self, problem: Problem) -> Asking[Scores]:
        singles = yield from self.singles.score(problem)
        space = problem.space
        probes = _probes(space)
        pairs = _pairs(space, probes, self.distance)
        changes = [(), *((unit,) for unit in probes), *pairs]
        candidates = tuple(_coarsened(space, probes, units) for units in changes)
        label = f"{len(pairs)} pairs of neighbours"
        losses = dict(zip(changes, (yield from measured(candidates, problem.tokens(self.tokens), label)), strict=True))
        terms = {pair: _term(space, losses, pair) for pair in pairs}
        return _augmented(space, singles, probes, terms)


def _fitting() -> list[str]:
    return [name for name in SCORES if name not in (*NO_PREDICTION, *WITH_PAIRS)]


@dataclass(frozen=True, kw_only=True)
class _Term:
    """What two changes cost together beyond the sum of both."""

    mean: float
    error: float  # standard error


def _probes(space: Space) -> dict[int, int]:
    """The smallest option of every unit that has a choice, by unit."""
    return {unit: 0 for unit, kept in enumerate(space.kept) if kept != 0}


def _pairs(space: Space, units: Iterable[int], distance: int) -> list[Pair]:
    ordered = sorted(units)
    return [
        (left, right)
        for place, left in enumerate(ordered)
        for right in ordered[place + 1 : place + 1 + distance]
        if not _is_nested(space, left, right)
    ]


def _is_nested(space: Space, left: int, right: int) -> bool:
    one, other = (space.layers[space.units[unit].layers[0]] for unit in (left, right))
    return one.name in other.inside or other.name in one.inside


def _coarsened(space: Space, probes: Mapping[int, int], units: tuple[int, ...]) -> Levels:
    """The dense model with ``units`` at their probed options."""
    return tuple(probes[unit] if unit in units else kept for unit, kept in enumerate(space.kept))


def _term(space: Space, losses: Mapping[tuple[int, ...], np.ndarray], pair: Pair) -> _Term:
    left, right = pair
    with np.errstate(invalid="ignore"):
        values = losses[pair] - losses[left,] - losses[right,] + losses[()]  # (sequences,)
    if not np.isfinite(values).all():
        names = " and ".join(space.layers[space.units[unit].layers[0]].name for unit in pair)
        raise JobError(
            f"score inter-layer cannot measure {names} at their smallest options, since a loss is infinite; "
            f"leave those options out of the space, or use score measured-kl"
        )
    return _Term(mean=float(values.mean()), error=standard_error(values))


def _augmented(space: Space, singles: Scores, probes: Mapping[int, int], terms: Mapping[Pair, _Term]) -> Scores:
    """See ``InterLayer``. What no term touches stays as it is in ``singles``."""
    rises = [costs - costs[kept] for costs, kept in zip(singles.costs, space.kept, strict=True)]
    spreads = [_spread(rise, probes.get(unit)) for unit, rise in enumerate(rises)]
    num_terms = Counter(unit for pair in terms for unit in pair)
    lowest = {unit: -max(0.0, rises[unit][probes[unit]]) / count for unit, count in num_terms.items()}
    costs = [row.copy() for row in singles.costs]
    variances = [np.zeros(len(row)) for row in costs]
    matrix = np.zeros((sum(map(len, costs)),) * 2)
    for pair, term in terms.items():
        shares = [max(term.mean / 2, lowest[unit]) * spreads[unit] ** 2 for unit in pair]
        for unit, share in zip(pair, shares, strict=True):
            costs[unit] += share
            variances[unit] += (term.error / 2 * spreads[unit] ** 2) ** 2
        left, right = (spreads[unit] for unit in pair)
        _fill(matrix, space, pair, term.mean * np.outer(left, right) - shares[0][:, None] - shares[1])
    errors = None
    if singles.errors is not None:
        errors = [np.hypot(own, np.sqrt(added)) for own, added in zip(singles.errors, variances, strict=True)]
    return Scores(costs=costs, errors=errors, interactions=Interactions(matrix=matrix))


def _fill(
    matrix: np.ndarray,  # (moves, moves), written to
    space: Space,
    pair: Pair,
    block: np.ndarray,  # (options of the one, options of the other)
) -> None:
    firsts = first_moves(space)
    rows, columns = (firsts[unit] + np.arange(len(space.units[unit].options)) for unit in pair)
    matrix[np.ix_(rows, columns)] = block
    matrix[np.ix_(columns, rows)] = block.T


def _spread(
    rise: np.ndarray,  # (options,) of one unit's cost over the dense model's
    probe: int | None,
) -> np.ndarray:  # (options,): 1 at the probed option, 0 for the dense model
    """How far each option goes compared with the probed one; a closed option, of infinite cost, goes nowhere."""
    spread = np.zeros(len(rise))
    if probe is None:
        return spread
    if np.isfinite(rise[probe]) and rise[probe] > 0:
        known = np.isfinite(rise)
        spread[known] = np.sqrt(np.maximum(0.0, rise[known]) / rise[probe])
    spread[probe] = 1.0
    return spread
