"""Evolution: its published sizes, its starts, and that it beats random search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from synthetic_search import SyntheticLoss, drive, limit, make_problem, quantize, tiny_space

from search.settings import make_strategy
from search.strategies.evolution import Evolution, RandomStart, UniformStart
from search.strategy import Problem
from spaces.errors import InputError
from spaces.option import DROP
from spaces.space import Levels
from spaces.spec import DropSpec

# EvoPress' released scripts: tokens of one generation, in which the parent joins the last stage
PUBLISHED_TOKENS = {
    "evopress-quantization": 1_179_648,
    "evopress-sparsity": 458_752,
    "evopress-drop": 163_840,
    "evopress-super-fast": 25_088,
}
PUBLISHED_DROP_EVALUATIONS = {4: 2654, 8: 4544, 12: 5664, 16: 6014}  # of 32


def evolution(**settings: Any) -> Evolution:
    made = make_strategy({"name": "evolution", **settings})
    assert isinstance(made, Evolution)
    return made


def with_budget(budget: dict[str, object], *options: Any, num_blocks: int = 4) -> Problem:
    return make_problem(tiny_space(num_blocks, *options), budget, max_tokens=10**6)


@pytest.mark.parametrize("preset", PUBLISHED_TOKENS)
def test_a_generation_of_a_preset_reads_the_published_tokens(preset: str) -> None:
    problem = with_budget({"nominal_bits_per_weight": 4.0}, quantize(2, 3, 4, 5, 6))
    none, one = (evolution(preset=preset, generations=count).planned_tokens(problem) for count in (0, 1))
    assert one - none == PUBLISHED_TOKENS[preset]


@pytest.mark.parametrize(("dropped", "evaluations"), PUBLISHED_DROP_EVALUATIONS.items())
def test_the_drop_preset_evaluates_as_often_as_published(dropped: int, evaluations: int) -> None:
    budget: dict[str, object] = {"dropped_attentions": dropped, "dropped_mlps": dropped}
    generations = evolution(preset="evopress-drop").num_generations(with_budget(budget, DropSpec(), num_blocks=32))
    assert 64 + generations * (32 + 2 + 1) == evaluations


def test_the_generations_for_one_kind_count_parts_of_that_kind_alone() -> None:
    problem = with_budget({"dropped_attentions": 2}, DropSpec(), num_blocks=8)
    assert evolution(preset="evopress-drop").num_generations(problem) == int(2 * 6 / 1.5)
    blocks = with_budget({"dropped_mlps": 3}, DropSpec(parts=("block",)), num_blocks=8)
    assert evolution(preset="evopress-drop").num_generations(blocks) == int(3 * 5 / 1.5)


def test_open_generations_need_a_number_of_drops() -> None:
    problem = with_budget({"nominal_bits_per_weight": 4.0}, quantize(2, 3, 4))
    with pytest.raises(InputError, match=r"nominal_bits_per_weight 4\.0; give strategy\.generations"):
        evolution(generations=None).check(problem)


def test_an_integer_target_starts_at_the_uniform_choice() -> None:
    problem = with_budget({"nominal_bits_per_weight": 3.0}, quantize(2, 3, 4))
    [start] = UniformStart().candidates(problem, np.random.default_rng(0))
    assert {option.slug for _, option in problem.space.configure(start).options} == {"rtn-int3-g32-asym"}


def test_a_fractional_target_starts_from_lowered_ceilings_and_the_floor() -> None:
    problem = with_budget({"nominal_bits_per_weight": 2.6}, quantize(2, 3, 4))
    floor, *lowered = UniformStart(samples=20).candidates(problem, np.random.default_rng(0))
    assert set(floor) == {0}
    assert len(lowered) == 20
    for levels in lowered:
        assert set(levels) == {0, 1}  # 2 and 3 bits: the ceiling is 3
        assert problem.holds(levels)
        # one lowering less would have been too many bits: the slack is under the largest unit's step of one bit
        slack = problem.budget.limits[0].limit - problem.space.measure(levels).nominal_bits
        assert 0 <= slack < max(layer.num_weights for layer in problem.space.layers)


def num_dropped(problem: Problem, levels: Levels) -> tuple[int, int]:
    kinds = [problem.space.layers[unit.layers[0]].part for unit in problem.space.units]
    gone = [unit.options[level] == DROP for unit, level in zip(problem.space.units, levels, strict=True)]
    attentions, mlps = (sum(g for g, k in zip(gone, kinds, strict=True) if k == kind) for kind in ("attention", "mlp"))
    return attentions, mlps


def test_a_random_start_drops_exactly_as_many_as_the_budget_asks_each_part_as_often() -> None:
    problem = with_budget({"dropped_attentions": 2, "dropped_mlps": 1}, DropSpec(), num_blocks=6)
    drawn = RandomStart(samples=1200).candidates(problem, np.random.default_rng(0))
    assert {num_dropped(problem, levels) for levels in drawn} == {(2, 1)}
    attentions = [n for n, unit in enumerate(problem.space.units) if problem.space.layers[unit.layers[0]].part != "mlp"]
    counts = np.array([[levels[n] == 0 for n in attentions] for levels in drawn]).sum(axis=0)
    # binomial, 1200 draws at 1/3: 5 standard deviations fail 6 parts about 3 times in a million seeds
    assert np.abs(counts - 400).max() < 5 * np.sqrt(1200 / 3 * 2 / 3)


def test_a_search_for_drops_keeps_their_number() -> None:
    problem = with_budget({"dropped_attentions": 2, "dropped_mlps": 1}, DropSpec(), num_blocks=6)
    loss = SyntheticLoss(space=problem.space, interaction=0.3, noise=0.1)
    found = drive(evolution(preset="evopress-drop", stages=[{"tokens": 512, "survivors": 1}]), problem, loss)
    asked = {levels for ask in found.asks for levels in ask.candidates}
    assert {num_dropped(problem, levels) for levels in asked} == {(2, 1)}
    assert len(asked) > 50


def test_a_mixed_start_drops_no_more_than_the_budget_asks() -> None:
    problem = with_budget({"dropped_attentions": 2, "nominal_bits_per_weight": 3.0}, quantize(2, 3, 4), DropSpec())
    drawn = UniformStart().candidates(problem, np.random.default_rng(0))
    assert all(problem.holds(levels) for levels in drawn)
    assert num_dropped(problem, drawn[0]) == (2, 0)


@pytest.mark.parametrize("seed", range(3))
def test_it_beats_random_search_at_equal_tokens(seed: int) -> None:
    space = tiny_space(5, quantize(2, 3, 4, 5, 6))
    problem = make_problem(space, {"nominal_bits_per_weight": 3.0}, seed=seed)
    loss = SyntheticLoss(space=space, interaction=0.2, noise=0.1, seed=seed)
    stages = [{"tokens": 512, "survivors": 4}, {"tokens": 2048, "survivors": 1}]
    evolved = drive(evolution(generations=10, offspring=10, stages=stages, groups="global"), problem, loss)
    samples = 4 + (evolved.num_tokens - 4 * 2048) // 512
    drawn = drive(make_strategy({"name": "random", "samples": samples, "stages": stages}), problem, loss)
    assert drawn.num_tokens >= evolved.num_tokens - 512
    assert loss.exact(evolved.answer) < 0.9 * loss.exact(drawn.answer)


def test_it_starts_from_another_strategy() -> None:
    problem = with_budget({"nominal_bits_per_weight": 3.0}, quantize(2, 3, 4))
    loss = SyntheticLoss(space=problem.space)
    start = {"name": "allocate", "score": "output-error"}
    alone = drive(make_strategy(start), problem, loss)
    started = drive(evolution(start=start, generations=1, offspring=4), problem, loss)
    assert alone.asks == []
    assert alone.answer in started.asks[-1].candidates  # the parent joins the last stage


def test_it_never_ends_worse_than_it_started() -> None:
    problem = with_budget({"nominal_bits_per_weight": 3.0}, quantize(2, 3, 4))
    loss = SyntheticLoss(space=problem.space, interaction=0.3)
    uniform = UniformStart().candidates(problem, np.random.default_rng(0))[0]
    last = loss.exact(uniform)
    for generations in (1, 2, 4, 8):
        found = drive(evolution(preset="quick", generations=generations), problem, loss)
        assert loss.exact(found.answer) <= last
        last = loss.exact(found.answer)
    assert last < loss.exact(uniform)


def test_an_exhausted_neighbourhood_ends_the_search() -> None:
    space = tiny_space(1, quantize(2, layers=["*.q_proj", "*.o_proj"]))
    nominal = space.measure((0, 1)).nominal_bits
    problem = make_problem(space, limit("nominal_bits", nominal))
    loss = SyntheticLoss(space=space)
    found = drive(evolution(generations=3, offspring=8, stages=[{"tokens": 512, "survivors": 1}]), problem, loss)
    reached = {levels for ask in found.asks for levels in ask.candidates}
    assert {(0, 1), (1, 0)} <= reached
    assert found.answer == min(reached, key=loss.exact)


def test_a_space_with_nothing_to_switch_ends_at_its_start() -> None:
    space = tiny_space(1, quantize(2, layers=["*.down_proj"]))
    problem = make_problem(space, limit("nominal_bits", space.measure((0,)).nominal_bits))
    found = drive(evolution(preset="quick"), problem, SyntheticLoss(space=space))
    assert found.answer == (0,)
    assert len(found.asks) == 1


FRESH: dict[str, Any] = {
    "generations": 4,
    "offspring": 8,
    "stages": [{"tokens": 512, "survivors": 3}, {"tokens": 2048, "survivors": 1}],
    "groups": "global",
    "text": "fresh",
}


def fresh_problem(seed: int = 0) -> Problem:
    return make_problem(tiny_space(4, quantize(2, 3, 4)), {"nominal_bits_per_weight": 3.0}, seed=seed, max_tokens=65536)


def test_fresh_text_is_a_window_of_its_own_for_every_stage() -> None:
    problem = fresh_problem()
    finished = drive(evolution(**FRESH), problem, SyntheticLoss(space=problem.space, interaction=0.3, noise=0.1))
    firsts = [ask.first for ask in finished.asks]
    assert all(0 <= ask.first <= 65536 // 512 - ask.tokens // 512 for ask in finished.asks)
    assert len(set(firsts)) > len(firsts) / 2
    nested = drive(evolution(**{**FRESH, "text": "nested"}), problem, SyntheticLoss(space=problem.space))
    assert {ask.first for ask in nested.asks} == {0}


def test_fresh_text_measures_the_parent_again_in_every_generation() -> None:
    problem = fresh_problem()
    finished = drive(evolution(**FRESH), problem, SyntheticLoss(space=problem.space, interaction=0.3, noise=0.1))
    last_stages = [ask for ask in finished.asks if ask.tokens == 2048]
    assert len(last_stages) == 4
    assert all(ask.incumbent == ask.candidates[0] for ask in last_stages)


@pytest.mark.parametrize("answered", [0, 1, 4, 7])
def test_fresh_text_is_the_same_after_a_restart_and_another_with_another_seed(answered: int) -> None:
    problem = fresh_problem()
    loss = SyntheticLoss(space=problem.space, interaction=0.3, noise=0.1)
    first = drive(evolution(**FRESH), problem, loss)
    again = drive(evolution(**FRESH), problem, loss, first.told[:answered])
    assert again.asks == first.asks
    assert again.answer == first.answer
    other = drive(evolution(**FRESH), fresh_problem(seed=1), loss)
    assert [ask.first for ask in other.asks] != [ask.first for ask in first.asks]


def test_fresh_text_and_its_children_are_drawn_apart() -> None:
    problem = fresh_problem()
    loss = SyntheticLoss(space=problem.space)
    fresh, nested = (drive(evolution(**{**FRESH, "text": text}), problem, loss) for text in ("fresh", "nested"))
    first, same = fresh.asks[1], nested.asks[1]  # of generation 1: the start and its parent are the same
    assert first.label == same.label
    assert first.candidates == same.candidates


def test_a_stage_as_long_as_the_stream_reads_all_of_it() -> None:
    problem = fresh_problem()
    whole = [{"tokens": 10**6, "survivors": 1}]
    finished = drive(evolution(**{**FRESH, "stages": whole}), problem, SyntheticLoss(space=problem.space))
    assert {(ask.first, ask.tokens) for ask in finished.asks} == {(0, 65536)}


def test_fitness_in_float16_keeps_a_parent_that_is_no_worse_to_three_digits() -> None:
    """Losses so near to each other that they are one number in float16: nobody ever replaces the start."""
    problem = fresh_problem()

    class Flat(SyntheticLoss):
        def __call__(self, levels: Levels, num_tokens: int) -> np.ndarray:
            return 1.0 + 1e-5 * super().__call__(levels, num_tokens)

    flat = Flat(space=problem.space)
    nested = {**FRESH, "text": "nested"}
    exact = drive(evolution(**nested), problem, flat)
    rounded = drive(evolution(**nested, fitness="float16"), problem, flat)
    assert exact.answer != exact.asks[0].candidates[0]
    assert rounded.answer == rounded.asks[0].candidates[0]


@pytest.mark.parametrize(("setting", "value"), [("text", "stale"), ("fitness", "float8")])
def test_unknown_text_and_fitness_are_refused(setting: str, value: str) -> None:
    with pytest.raises(InputError, match=value):
        evolution(**{setting: value})
