"""Rules as tables, and fitting to them: against the space's own measure, over every configuration of small spaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_spaces import SPACES, limit_on, problem_of, sizes_of, space_named
from synthetic_search import all_levels, make_problem, quantize, tiny_space

from search.sampling.fitting import drawn, fitted, unseen
from search.sampling.rules import Rules
from search.strategy import Problem
from spaces.constraints import make_constraints
from spaces.spec import DropSpec

MEASURES = ("stored_bits", "nominal_bits", "parameters", "flops", "attentions", "mlps")


def middle(name: str, measure: str) -> int:
    return int(np.median(sizes_of(name, measure)))


def ruled(name: str) -> Problem:
    """A space with a limit that about half of its configurations meet, and a constraint that about half of those do."""
    space = space_named(name)
    problem = problem_of(space, limit_on("stored_bits", middle(name, "stored_bits")))
    slug = next(unit.options[0].slug for unit in space.units if len(unit.options) > 1)
    options = [space.configure(levels).options for levels in all_levels(space) if problem.holds(levels)]
    counts = [sum(option.slug == slug for _, option in each) for each in options]
    middle_count = int(np.median(counts))
    asked = {"at_least": middle_count, "option": slug} if middle_count else {"at_most": 0, "option": slug}
    return replace(problem, constraints=make_constraints([asked], space))


@pytest.mark.parametrize("name", SPACES)
def test_an_excess_is_the_measure_less_the_limit(name: str) -> None:
    limits = [limit_on(measure, middle(name, measure)) for measure in MEASURES]
    rules = Rules.of(problem_of(space_named(name), *limits))
    levels = list(all_levels(space_named(name)))
    expected = np.stack([np.array(sizes_of(name, each.measure)) - each.limit for each in limits], axis=1)
    assert np.array_equal(rules.excess(levels), expected)
    assert rules.stored_bits(levels).tolist() == list(sizes_of(name, "stored_bits"))


@pytest.mark.parametrize("name", SPACES)
def test_nothing_is_violated_where_and_only_where_the_problem_holds(name: str) -> None:
    problem = ruled(name)
    rules = Rules.of(problem)
    levels = list(all_levels(problem.space))
    holds = [problem.holds(each) for each in levels]
    assert [rules.violation(each) == 0 for each in levels] == holds
    assert [max(rules.relative(each).values()) <= 0 for each in levels] == holds
    assert any(holds)
    assert not all(holds)


@pytest.mark.parametrize("name", SPACES)
def test_what_is_fitted_holds_and_no_single_raise_does(name: str) -> None:
    problem = problem_of(space_named(name), limit_on("stored_bits", middle(name, "stored_bits")))
    rules = Rules.of(problem)
    for seed in range(20):
        found = drawn(rules, np.random.default_rng(seed))
        assert found is not None
        assert problem.holds(found)
        hidden = rules.hidden(np.array([found]))[0]
        for unit in rules.free:
            if found[unit] + 1 < rules.counts[unit] and not hidden[unit]:
                assert not problem.holds((*found[:unit], found[unit] + 1, *found[unit + 1 :]))


@pytest.mark.parametrize("name", SPACES)
def test_constraints_are_mended_or_given_up(name: str) -> None:
    problem = ruled(name)
    rules = Rules.of(problem)
    found = [drawn(rules, np.random.default_rng(seed)) for seed in range(20)]
    assert all(problem.holds(each) for each in found if each is not None)
    assert sum(each is not None for each in found) >= 10


def test_levels_that_hold_are_left_alone_unless_filled() -> None:
    problem = make_problem(tiny_space(1, quantize(2, 3, 4)), {"nominal_bits_per_weight": 3.0})
    smallest = (0,) * len(problem.space.units)
    rules, rng = Rules.of(problem), np.random.default_rng(0)
    assert fitted(smallest, rules, rng, fills=False) == smallest
    filled = fitted(smallest, rules, rng)
    assert filled is not None
    assert sum(filled) > 0


def test_a_closed_option_is_never_drawn_and_an_impossible_rule_is_given_up() -> None:
    problem = make_problem(tiny_space(1, quantize(2, 3, 4)), {"nominal_bits_per_weight": 3.0})
    rules, rng = Rules.of(problem), np.random.default_rng(0)
    closed = rules.closing([2, 5])
    found = [drawn(closed, rng) for _ in range(30)]
    assert all(each is not None and min(each[2], each[5]) >= 1 for each in found)
    everything = rules.closing(rules.free).closing(rules.free)  # nothing but 4 bits is left
    assert fitted(tuple(int(level) for level in everything.floors), everything, rng) is None


def test_something_new_is_found_near_what_was_seen_until_all_is_seen() -> None:
    problem = make_problem(tiny_space(3, DropSpec()), {"dropped_attentions": 1, "dropped_mlps": 1})
    rules, rng = Rules.of(problem), np.random.default_rng(0)
    first = drawn(rules, rng)
    assert first is not None
    seen = {first}
    for _ in range(100):
        seen.add(unseen(first, seen.__contains__, rules, rng))
    assert len(seen) == 9  # any of 3 attentions, any of 3 MLPs
    assert unseen(first, seen.__contains__, rules, rng) == first
