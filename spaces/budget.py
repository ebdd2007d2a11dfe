"""Budgets: hard limits in whole numbers, read from what people write and checked before any work."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from spaces.constraints import Constraint
from spaces.errors import BudgetError, InputError
from spaces.feasibility import Bound, conflict, extremes, least_excess, unit_costs
from spaces.quantities import parse_count, parse_flops, parse_rate, parse_size, show_exact_size, show_size
from spaces.space import Measures, Space
from spaces.tables import check_name

__all__ = [
    "BUDGETS",
    "Budget",
    "Limit",
    "Rule",
    "check_together",
    "extremes",
    "feasible_range",
    "make_budget",
    "parse_count",
    "parse_flops",
    "parse_size",
    "show_size",
    "unit_costs",
]


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One hard limit: ``measure`` of a configuration must not exceed ``limit``."""

    name: str  # as written in the job file
    measure: str  # the attribute of Measures
    limit: int
    written: str  # the value as a person wrote it

    def holds(self, measures: Measures) -> bool:
        return int(getattr(measures, self.measure)) <= self.limit


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits that hold together."""

    limits: tuple[Limit, ...]

    def holds(self, measures: Measures) -> bool:
        return all(limit.holds(measures) for limit in self.limits)

    def __str__(self) -> str:
        return ", ".join(f"{limit.name} {limit.written}" for limit in self.limits)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one kind of budget is read, and how a whole number of its measure is shown."""

    measure: str
    read: Callable[[str, Space], int]
    show: Callable[[int, Space], str]
    is_at_least: bool = False  # the written value must be reached, not kept below


def _per(attribute: str, name: str) -> Rule:
    """A rate: so many bits for each weight. Shown rounded up, so that what is shown is met when it is asked for."""

    def weights(space: Space) -> int:
        return space.anatomy.num_parameters if attribute == "stored_bits" else space.num_weights

    def read(text: str, space: Space) -> int:
        rate = parse_rate(text, name)
        if weights(space) == 0:
            raise InputError(
                f"{name} averages over the weights of the space, and this one only drops parts; "
                f"limit bits_per_weight, size or dropped parts instead of {name} {text}"
            )
        return floor(rate * weights(space))

    return Rule(
        measure=attribute,
        read=read,
        show=lambda value, space: f"{ceil(Fraction(value * 10**4, weights(space))) / 10**4:.4f}",
    )


def _dropped(part: str) -> Rule:
    """At least so many attentions or MLPs dropped, which is a limit on those kept."""
    measure = f"{part}s"

    def total(space: Space) -> int:
        return sum(layer.part == part for layer in space.anatomy.parts)

    def read(text: str, space: Space) -> int:
        if re.fullmatch(r"\d{1,9}", text, re.ASCII) is None:
            raise InputError(f"dropped_{measure} must be a whole number, got {text!r}")
        return total(space) - int(text)

    return Rule(measure=measure, read=read, show=lambda value, space: f"{total(space) - value}", is_at_least=True)


# name in a job file -> how it is read. Each is documented in docs/jobs.md.
BUDGETS: dict[str, Rule] = {
    "bits_per_weight": _per("stored_bits", "bits_per_weight"),
    "nominal_bits_per_weight": _per("nominal_bits", "nominal_bits_per_weight"),
    "size": Rule(
        measure="stored_bits",
        read=lambda text, space: parse_size(text) * 8,
        show=lambda value, space: show_exact_size(ceil(value / 8)),
    ),
    "parameters": Rule(
        measure="parameters",
        read=lambda text, space: parse_count(text),
        show=lambda value, space: f"{value:,}",
    ),
    "flops": Rule(
        measure="flops",
        read=lambda text, space: parse_flops(text),
        show=lambda value, space: f"{value:,}",
    ),
    "dropped_attentions": _dropped("attention"),
    "dropped_mlps": _dropped("mlp"),
}


def make_budget(asked: Mapping[str, object], space: Space, constraints: Sequence[Constraint] = ()) -> Budget:
    """Read the budget that a person wrote for ``space``, and check that it can be met, the ``constraints`` kept.

    Raises:
        InputError: an unknown kind of budget, a value that does not read, or no limit at all.
        BudgetError: a limit that no configuration of the space meets, with the smallest and largest feasible value,
            or limits and constraints that none meets together.
    """
    if not asked:
        raise InputError(f"budget must have at least one limit; choose from {', '.join(BUDGETS)}")
    budget = Budget(limits=tuple(_read(name, value, space) for name, value in asked.items()))
    for limit in budget.limits:
        _check_feasible(limit, space)
    check_together(budget.limits, constraints, space)
    return budget


def _read(name: str, value: object, space: Space) -> Limit:
    rule = BUDGETS[check_name(name, BUDGETS, "budget")]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{name} must be a number or a text such as 1.5GiB, got {value!r}")
    return Limit(name=name, measure=rule.measure, limit=rule.read(str(value), space), written=str(value))


def feasible_range(name: str, space: Space) -> tuple[str, str]:
    """The smallest and largest value that the budget ``name`` can take, as a job file writes them."""
    rule = BUDGETS[check_name(name, BUDGETS, "budget")]
    low, high = (rule.show(value, space) for value in extremes(space, rule.measure))
    return (high, low) if rule.is_at_least else (low, high)


def _check_feasible(limit: Limit, space: Space) -> None:
    low, _ = extremes(space, limit.measure)
    if low <= limit.limit:
        return
    rule = BUDGETS[limit.name]
    smallest, largest = feasible_range(limit.name, space)
    raise BudgetError(
        f"{limit.name} must be {'at most' if rule.is_at_least else 'at least'} {rule.show(low, space)} "
        f"for this space, got {limit.written}; feasible values go from {smallest} to {largest}: "
        f"change the budget, or the options that the space offers"
    )


def check_together(limits: Sequence[Limit], constraints: Sequence[Constraint], space: Space) -> None:
    """Refuse limits and constraints that no configuration meets together, though each limit can be met alone.

    Raises:
        BudgetError: names a set of them that clash, none of which is needless, and a value that would do.
    """
    if len(limits) < 2 and not constraints:
        return
    rules: list[Limit | Constraint] = [*limits, *constraints]
    clash = conflict(space, [_bound(rule) for rule in rules])
    if not clash:
        return
    named = [rules[number] for number in clash]
    together, relax = (
        (" together, though each alone can be met", "relax one of them") if named[1:] else ("", "relax it")
    )
    raise BudgetError(
        f"no configuration of this space meets {' and '.join(map(_shown, named))}{together}; "
        f"{relax}{_way_out(named, space)}, or offer more options"
    )


def _bound(rule: Limit | Constraint) -> Bound:
    return (rule.measure, rule.limit) if isinstance(rule, Limit) else rule


def _shown(rule: Limit | Constraint) -> str:
    return f"{rule.name} {rule.written}" if isinstance(rule, Limit) else str(rule)


def _way_out(clash: Sequence[Limit | Constraint], space: Space) -> str:
    """The value that the others allow to the last limit, or else to the last constraint that has a number."""
    last_first = clash[::-1]
    limits = [rule for rule in last_first if isinstance(rule, Limit)]
    rules: list[Limit | Constraint] = [*limits, *(rule for rule in last_first if not isinstance(rule, Limit))]
    for rule in rules:
        excess = least_excess(space, _bound(rule), [_bound(other) for other in clash if other is not rule])
        if excess is None:
            continue
        if isinstance(rule, Limit):
            return f", for example {rule.name} to {BUDGETS[rule.name].show(rule.limit + excess, space)}"
        if (weaker := rule.relaxed(excess)) is not None:
            return f", for example to {weaker}"
    return ""
