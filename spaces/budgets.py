"""Several budgets that differ in one limit: its values as a list, or as points spread between two ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from spaces.budget import BUDGETS, Budget, Limit, feasible_range, make_budget
from spaces.constraints import Constraint
from spaces.errors import InputError
from spaces.feasibility import Bound, reach
from spaces.space import Space
from spaces.tables import check_name

POINT_KEYS = ("points", "from", "to")
FEWEST_POINTS, MOST_POINTS = 2, 256
EXAMPLE = "{nominal_bits_per_weight: [2.5, 3.0, 3.5]}"


def varied_limit(asked: Mapping[str, object]) -> str | None:
    """The limit that is written with several values; None where the budget is one.

    Raises:
        InputError: two limits are.
    """
    several = [name for name, value in asked.items() if isinstance(value, list | tuple | Mapping)]
    if len(several) > 1:
        raise InputError(
            f"only one limit of a budget may have several values, got {' and '.join(map(str, several))}; "
            f"give one of them a single value"
        )
    return several[0] if several else None


def make_budgets(
    asked: Mapping[str, object], space: Space, constraints: Sequence[Constraint] = ()
) -> tuple[Budget, ...]:
    """Each budget that a person wrote as one, the tightest first; the other limits stay as they are.

    Raises:
        InputError, BudgetError: as ``make_budget``, for any of the values; none, or two that are the same limit.
    """
    name = varied_limit(asked)
    if name is None:
        return (make_budget(asked, space, constraints),)
    check_name(name, BUDGETS, "budget")
    value = asked[name]
    if isinstance(value, Mapping):
        return _spread(name, value, asked, space, constraints)
    if not isinstance(value, list | tuple) or not value:
        raise InputError(f"{name} must list at least one value, got {value!r}; write, say, {EXAMPLE}")
    budgets = [make_budget({**asked, name: each}, space, constraints) for each in value]
    budgets.sort(key=lambda budget: limit_named(name, budget).limit)
    for left, right in pairwise(limit_named(name, budget) for budget in budgets):
        if left.limit == right.limit:
            raise InputError(f"{name} lists {left.written} and {right.written}, which are one limit; leave one out")
    return tuple(budgets)


def limit_named(name: str, budget: Budget) -> Limit:
    """The limit of a budget with that name."""
    return next(limit for limit in budget.limits if limit.name == name)


def show_budgets(name: str, budgets: Sequence[Budget]) -> str:
    """``nominal_bits_per_weight 2.25 to 4.0 (8 budgets), size 8MB``: the varied limit first."""
    values = [limit_named(name, budget).written for budget in budgets]
    fixed = [f"{limit.name} {limit.written}" for limit in budgets[0].limits if limit.name != name]
    varied = (
        f"{name} {values[0]}" if len(values) == 1 else f"{name} {values[0]} to {values[-1]} ({len(values)} budgets)"
    )
    return ", ".join([varied, *fixed])


def nearest_budget(wanted: Budget, budgets: Sequence[Budget]) -> int:
    """The number of the budget nearest to ``wanted`` in a measure that both limit; the last where they share none."""
    limits = {limit.measure: limit.limit for limit in wanted.limits}

    def distance(number: int) -> int:
        return sum(abs(limits[each.measure] - each.limit) for each in budgets[number].limits if each.measure in limits)

    shared = any(limit.measure in limits for limit in budgets[0].limits)
    return min(range(len(budgets)), key=distance) if shared else len(budgets) - 1


def _spread(
    name: str,
    points: Mapping[object, object],
    asked: Mapping[str, object],
    space: Space,
    constraints: Sequence[Constraint],
) -> tuple[Budget, ...]:
    """``{points: 9, from: 2.25, to: 4}``: evenly spread; an end left out is the smallest or largest feasible value."""
    count = _num_points(name, points)
    fixed = {other: value for other, value in asked.items() if other != name}
    ends = _ends(name, points, fixed, space, constraints)
    low, high = (limit_named(name, make_budget({**asked, name: end}, space, constraints)) for end in ends)
    if low.limit >= high.limit:
        smaller, larger = _in_order(name, low, high)
        raise InputError(f"{name}: from must be below to, got {smaller.written} and {larger.written}; exchange them")
    inner = [low.limit + (high.limit - low.limit) * number // (count - 1) for number in range(1, count - 1)]
    written = [low.written, *(_plain(BUDGETS[name].show(value, space)) for value in inner), high.written]
    budgets = [make_budget({**asked, name: value}, space, constraints) for value in written]
    limits = {limit_named(name, budget).limit for budget in budgets}
    if len(limits) < count:
        raise InputError(
            f"{name} has {len(limits)} values at most between {low.written} and {high.written}, got points: {count}; "
            f"ask for fewer"
        )
    return tuple(budgets)


def _num_points(name: str, points: Mapping[object, object]) -> int:
    for key in points:
        check_name(str(key), POINT_KEYS, f"key of budget.{name}")
    count = points.get("points")
    if isinstance(count, bool) or not isinstance(count, int) or not FEWEST_POINTS <= count <= MOST_POINTS:
        raise InputError(
            f"budget.{name}.points must be a whole number from {FEWEST_POINTS} to {MOST_POINTS}, got {count!r}; "
            f"write, say, {{points: 9}}, or a single value for one budget"
        )
    return count


def _ends(
    name: str,
    points: Mapping[object, object],
    fixed: Mapping[str, object],
    space: Space,
    constraints: Sequence[Constraint],
) -> tuple[object, object]:
    """The values of the tightest and the loosest budget, as written or as feasible under all else that must hold."""
    rule = BUDGETS[name]
    tight, loose = ("to", "from") if rule.is_at_least else ("from", "to")
    if tight in points and loose in points:
        return points[tight], points[loose]
    if fixed or constraints:
        others = make_budget(fixed, space, constraints).limits if fixed else ()
        bounds: list[Bound] = [*((limit.measure, limit.limit) for limit in others), *constraints]
        low, high = (_plain(rule.show(value, space)) for value in reach(space, rule.measure, bounds))
    else:
        smallest, largest = map(_plain, feasible_range(name, space))
        low, high = (largest, smallest) if rule.is_at_least else (smallest, largest)
    return points.get(tight, low), points.get(loose, high)


def _in_order(name: str, low: Limit, high: Limit) -> tuple[Limit, Limit]:
    """As a person reads ``from`` and ``to``: of what must be reached, more is the tighter budget."""
    return (high, low) if BUDGETS[name].is_at_least else (low, high)


def _plain(shown: str) -> str:
    """``2.5`` for ``2.5000``."""
    return shown.rstrip("0").rstrip(".") if shown.replace(".", "", 1).isdigit() and "." in shown else shown


def at_budgets(asked: Mapping[str, object], budgets: Sequence[Budget]) -> list[dict[str, object]]:
    """Each budget as a job file for it alone would write it."""
    name = varied_limit(asked)
    if name is None:
        return [dict(asked)]
    return [{**asked, name: limit_named(name, budget).written} for budget in budgets]
