"""AMQ-like: NSGA-II on a predictor of the loss, refitted as measurements arrive (after AMQ's released code).

What follows AMQ: an archive of random configurations, a radial-basis predictor, NSGA-II on (predicted loss, size), the
best new proposals measured in every round, and options closed on units far more sensitive than the median. What
differs: one budget rather than a whole front; the predictor reads the errors that the bank recorded, and its radial
basis corrects a linear one; sensitivities are probes around a plain choice, made only if asked for, and close the one
option that they probed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.baselines import best_uniform
from search.sampling.fitting import drawn, fitted, unseen
from search.sampling.genetic import evolve
from search.sampling.ladder import Ladder, check_rungs, climb_tokens
from search.sampling.predictor import KINDS, Features, Kind, fit
from search.sampling.rules import Rules
from search.sampling.starts import plain_starts
from search.strategy import Asking, Problem, Search, check_budget_alone
from spaces.errors import InputError
from spaces.space import Levels
from spaces.tables import check_name


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """``archive`` random configurations, then ``rounds`` of ``proposals`` by NSGA-II on a predictor of what is known.

    ``close_above`` closes the smallest option of every unit whose sensitivity exceeds so many times the median, as far
    as the budget allows; None leaves all open and saves the probes. All that is measured reads the first of ``rungs``;
    the ``finalists`` best of all climb the others at the end, half as many at each.
    """

    archive: int = 64
    rounds: int = 12
    proposals: int = 24
    predictor: Kind = "rbf"
    close_above: float | None = None
    population: int = 96  # of NSGA-II, and its generations in each round
    generations: int = 40
    rungs: tuple[int, ...] = (2048, 16_384)
    finalists: int = 8

    def __post_init__(self) -> None:
        check_name(self.predictor, KINDS, "predictor")
        check_rungs(self.rungs)
        for name in ("archive", "rounds", "proposals", "generations", "finalists"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.population < 2:
            raise InputError(f"population must be at least 2, got {self.population}")
        if self.close_above is not None and self.close_above <= 0:
            raise InputError(f"close_above must be above 0, got {self.close_above}; leave it out to close nothing")

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "strategy surrogate", takes=("constraints",))

    def fidelity(self, problem: Problem) -> int:
        return problem.tokens(self.rungs[-1])

    def planned_tokens(self, problem: Problem) -> int:
        probes = 0 if self.close_above is None else sum(len(unit.options) > 1 for unit in problem.space.units)
        measured = probes + self.archive + self.rounds * self.proposals
        return measured * problem.tokens(self.rungs[0]) + climb_tokens(self.finalists, self.rungs, problem)

    def search(self, problem: Problem) -> Search:
        ladder, rules = Ladder(problem, self.rungs), Rules.of(problem)
        rng = np.random.default_rng([problem.seed, 0])
        starts = plain_starts(problem, rules, rng)
        first = ladder.rungs[0]
        yield from ladder.measure(starts, first, "the plain choices")
        if self.close_above is not None:
            rules = yield from self._closed(problem, rules, ladder, rng)
        yield from ladder.measure(_new_draws(self.archive, rules, ladder, rng), first, "random configurations")
        for number in range(1, self.rounds + 1):
            proposals = self._proposals(problem, rules, ladder, np.random.default_rng([problem.seed, number]))
            if not proposals:
                break  # every configuration near was measured
            yield from ladder.measure(proposals, first, f"round {number} of {self.rounds}")
        return (yield from ladder.climb(starts, self.finalists, "the best on more text"))

    def _proposals(self, problem: Problem, rules: Rules, ladder: Ladder, rng: np.random.Generator) -> list[Levels]:
        """The new configurations of least predicted loss that NSGA-II ends with, brought onto the rules."""
        if not rules.free:
            return []
        known, losses = zip(*ladder.pairs(ladder.rungs[0]), strict=True)
        predict = fit(self.predictor, Features(problem), known, losses)
        start = np.array(ladder.ranked(ladder.rungs[0])[: self.population], dtype=np.int64)
        evolved = evolve(start, predict, rules, size=self.population, generations=self.generations, rng=rng)
        best = [tuple(map(int, row)) for row in evolved[np.argsort(predict(evolved), kind="stable")]]
        chosen: dict[Levels, None] = {}
        for wanted in best:
            found = fitted(wanted, rules, rng)
            if found is None:
                continue
            levels = unseen(found, lambda each: each in chosen or each in ladder, rules, rng)
            if levels not in ladder:
                chosen[levels] = None
        if not chosen:
            return []
        new = list(chosen)
        order = np.argsort(predict(np.array(new, dtype=np.int64)), kind="stable")
        return [new[place] for place in order[: self.proposals]]

    def _closed(self, problem: Problem, rules: Rules, ladder: Ladder, rng: np.random.Generator) -> Asking[Rules]:
        """The rules without the smallest option of the most sensitive units, as far as they can be met so."""
        sensitivity = yield from _sensitivity(problem, rules, ladder)
        if not sensitivity:
            return rules
        finite = [each for each in sensitivity.values() if np.isfinite(each)]  # the others break the model
        limit = float(np.median(finite or [0.0])) * (self.close_above or 0.0)
        above = sorted((unit for unit in sensitivity if sensitivity[unit] > limit), key=lambda unit: -sensitivity[unit])
        while above:
            closed = rules.closing(above)
            if fitted(tuple(map(int, closed.floors)), closed, rng) is not None:
                return closed
            above.pop()  # the least sensitive of them opens again
        return rules


def _sensitivity(problem: Problem, rules: Rules, ladder: Ladder) -> Asking[dict[int, float]]:
    """By unit: how much the loss grows when it alone goes to its smallest option, around a plain choice.

    A unit that is there already is probed one level up. Probes that break a rule are left out.
    """
    first = ladder.rungs[0]
    base = best_uniform(problem) or ladder.ranked(first)[0]
    probes: dict[int, Levels] = {}
    for unit in rules.free:
        probe = (*base[:unit], 0 if base[unit] else 1, *base[unit + 1 :])
        if rules.violation(probe) == 0:
            probes[unit] = probe
    [around, *losses] = yield from ladder.measure([base, *probes.values()], first, "sensitivity of each layer")
    grown = {unit: loss - around if base[unit] else around - loss for unit, loss in zip(probes, losses, strict=True)}
    return {unit: each for unit, each in grown.items() if not np.isnan(each)}


def _new_draws(count: int, rules: Rules, ladder: Ladder, rng: np.random.Generator) -> list[Levels]:
    """Random configurations that hold, each new; fewer where they run out."""
    found: dict[Levels, None] = {}
    for _ in range(count):
        levels = drawn(rules, rng)
        if levels is not None:
            levels = unseen(levels, lambda each: each in found or each in ladder, rules, rng)
            if levels not in ladder:
                found[levels] = None
    return list(found)
