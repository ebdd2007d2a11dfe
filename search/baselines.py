"""The plain choices that every answer is held against: one option everywhere, and drops by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from search.strategy import Problem
from spaces.option import DROP, KEEP, Option
from spaces.space import Levels, Space

BIT_MEASURES = ("stored_bits", "nominal_bits")  # what choosing among quantize options changes


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A configuration that needs no search."""

    name: str
    levels: Levels


def baselines(problem: Problem) -> list[Baseline]:
    """Every plain choice that meets the budget, the smallest first; each configuration once."""
    found: dict[object, Baseline] = {}
    for option_name, uniform in _uniform(problem.space):
        for drop_name, levels in _with_drops(uniform, problem):
            name = " + ".join(part for part in (option_name, drop_name) if part) or "keep everywhere"
            found.setdefault(problem.space.configure(levels), Baseline(name=name, levels=levels))
    return sorted(found.values(), key=lambda each: (problem.space.measure(each.levels).stored_bits, each.levels))


def best_uniform(problem: Problem) -> Levels | None:
    """The plain choice that meets the budget with the fewest drops, the largest of them; None where there is none."""
    space = problem.space

    def rank(levels: Levels) -> tuple[int, int, Levels]:
        return -_num_dropped(levels, space), space.measure(levels).stored_bits, levels

    return max((each.levels for each in baselines(problem)), key=rank, default=None)


def uniform_above(problem: Problem) -> Levels:
    """The smallest uniform choice with more bits than the budget allows (EvoPress' ceiling), or the dense model."""
    above = [levels for _, levels in _uniform(problem.space) if not _bits_hold(levels, problem)]
    return min(above, key=lambda levels: problem.space.measure(levels).stored_bits, default=problem.space.kept)


def uniform_below(problem: Problem) -> Levels:
    """The largest uniform choice within the bits of the budget, or the smallest there is; nothing is dropped."""
    by_size = sorted(
        (levels for _, levels in _uniform(problem.space)),
        key=lambda levels: problem.space.measure(levels).stored_bits,
    )
    return next((levels for levels in reversed(by_size) if _bits_hold(levels, problem)), by_size[0])


def uniform_near(problem: Problem) -> Levels:
    """Of ``uniform_below`` and ``uniform_above`` the one nearer to the budget's bits, the larger of two equally near.

    The dense model is near to nothing: single changes of it tell little of a compressed one.
    """
    space, below, above = problem.space, uniform_below(problem), uniform_above(problem)
    if above == space.kept or not _bits_hold(below, problem):
        return below
    smaller, larger = space.measure(below), space.measure(above)

    def is_nearer_above(measure: str, limit: int) -> bool:
        return 2 * limit >= int(getattr(smaller, measure)) + int(getattr(larger, measure))

    bits = [limit for limit in problem.budget.limits if limit.measure in BIT_MEASURES]
    return above if all(is_nearer_above(limit.measure, limit.limit) for limit in bits) else below


def _bits_hold(levels: Levels, problem: Problem) -> bool:
    measures = problem.space.measure(levels)
    return all(limit.holds(measures) for limit in problem.budget.limits if limit.measure in BIT_MEASURES)


def _uniform(space: Space) -> list[tuple[str, Levels]]:
    """The dense model, then each quantize option on every unit that offers it, the others as in the dense model."""
    offered: list[Option] = []
    for unit in space.units:
        if len(unit.options) > 1:  # a pinned unit offers nothing
            offered += [option for option in unit.options if option not in (KEEP, DROP)]
    choices = [("", space.kept)]
    for option in dict.fromkeys(offered):
        levels = [
            unit.options.index(option) if option in unit.options else kept
            for unit, kept in zip(space.units, space.kept, strict=True)
        ]
        choices.append((f"uniform {option.slug}", tuple(levels)))
    return choices


def _with_drops(levels: Levels, problem: Problem) -> Iterator[tuple[str, Levels]]:
    """The same with as few drops as meet the budget, spread evenly and among the deepest; none where none is needed.

    The deepest but the last: Gromov et al. 2024, arXiv:2403.17887, section 4.
    """
    droppable = _droppable(problem.space)
    for rule, pick in (("evenly", _evenly), ("deepest", _deepest)):
        for counts in _counts(levels, droppable, problem):
            numbers = [number for kind, count in counts.items() for number in pick(droppable[kind], count)]
            dropped = _drop(levels, numbers, problem.space)
            if problem.holds(dropped):
                parts = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
                yield (f"{parts} dropped {rule}" if parts else ""), dropped
                break


def _counts(levels: Levels, droppable: dict[str, list[int]], problem: Problem) -> Iterator[dict[str, int]]:
    """How many of each kind to drop: what the budget counts, then one more of every kind at a time."""
    measures = problem.space.measure(levels)
    needed = {
        limit.measure.removesuffix("s"): max(0, int(getattr(measures, limit.measure)) - limit.limit)
        for limit in problem.budget.limits
        if limit.measure in ("attentions", "mlps")
    }
    needed["block"] = max(needed.values(), default=0)
    for extra in range(1 + max(map(len, droppable.values()), default=0)):
        yield {kind: min(len(numbers), needed.get(kind, 0) + extra) for kind, numbers in droppable.items()}


def _droppable(space: Space) -> dict[str, list[int]]:
    """Unit numbers of the droppable parts by kind; whole blocks only where nothing finer is offered."""
    kinds: dict[str, list[int]] = {}
    for number, unit in enumerate(space.units):
        part = space.layers[unit.layers[0]].part
        if part is not None and len(unit.options) > 1:
            kinds.setdefault(part, []).append(number)
    if len(kinds) > 1:
        kinds.pop("block", None)
    return kinds


def _evenly(numbers: list[int], count: int) -> list[int]:
    """``count`` of ``numbers``, spread evenly."""
    return [numbers[(2 * index + 1) * len(numbers) // (2 * count)] for index in range(count)]


def _deepest(numbers: list[int], count: int) -> list[int]:
    """The last ``count`` of ``numbers`` before the very last, which goes only when all do."""
    return numbers if count == len(numbers) else numbers[len(numbers) - 1 - count : -1]


def _drop(levels: Levels, numbers: list[int], space: Space) -> Levels:
    changed = list(levels)
    for number in numbers:
        changed[number] = space.units[number].options.index(DROP)
    return tuple(changed)


def _num_dropped(levels: Levels, space: Space) -> int:
    return sum(unit.options[level] == DROP for unit, level in zip(space.units, levels, strict=True))
