"""The inter-layer score: its terms are those of a made-up loss, and its costs and interactions add up to them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_search import SyntheticLoss, all_levels, make_problem, quantize, tiny_space

from compressors.measure import EntryErrors
from search.scores.errors import WeightError
from search.scores.inter_layer import InterLayer
from search.scores.measured import MeasuredKL
from search.scores.score import NO_PREDICTION, Score, Scores, first_moves
from search.settings import make_score
from search.strategy import Ask, Problem
from spaces.errors import InputError, JobError
from spaces.option import DROP, KEEP, Quantize
from spaces.spec import DropSpec

BITS = quantize(2, 3, 4)
SOME = quantize(2, 4, layers=["*.q_proj", "*.k_proj", "*.down_proj"])


def problem_of(*options: Any, blocks: int = 2, bits: float = 3.0, **spec: Any) -> Problem:
    return make_problem(tiny_space(blocks, *options, **spec), {"nominal_bits_per_weight": bits})


def driven(by: Score, problem: Problem, loss: SyntheticLoss) -> tuple[Scores, list[Ask]]:
    asks: list[Ask] = []
    running = by.score(problem)
    try:
        asks.append(next(running))
        while True:
            asks.append(running.send([loss(levels, asks[-1].tokens) for levels in asks[-1].candidates]))
    except StopIteration as stop:
        return stop.value, asks


def alike(layer: str, option: Quantize) -> EntryErrors:
    """The same errors in every layer, so that a term is at most as large as the smaller of both."""
    return EntryErrors(weight=4.0**-option.bits_per_code, output=0.0)


def scaled(problem: Problem, interaction: float) -> SyntheticLoss:
    """A loss whose separable errors are the recorded weight errors, so that they are what the score spreads by."""
    loss = SyntheticLoss(space=problem.space, interaction=interaction)
    recorded, _ = driven(WeightError(), problem, loss)
    loss.separable = recorded.costs
    return loss


def factor_of(loss: SyntheticLoss, tokens: int) -> float:
    """What the synthetic text multiplies every exact loss by."""
    smallest = (0,) * len(loss.space.units)
    return float(loss(smallest, tokens).mean()) / loss.exact(smallest)


def separable(loss: SyntheticLoss, levels: tuple[int, ...]) -> float:
    return float(sum(row[level] for row, level in zip(loss.separable, levels, strict=True)))


def expected(loss: SyntheticLoss, levels: tuple[int, ...], factor: float) -> float:
    """The single errors as recorded, and the terms of neighbours as measured on the text."""
    return separable(loss, levels) + factor * (loss.exact(levels) - separable(loss, levels))


def sum_of_costs(scores: Scores, levels: tuple[int, ...]) -> float:
    return float(sum(row[level] for row, level in zip(scores.costs, levels, strict=True)))


@pytest.mark.parametrize("interaction", [0.5, -0.3, -3.0])
def test_costs_and_interactions_are_the_loss_of_every_configuration(interaction: float) -> None:
    """The made-up loss has the very form that the rule assumes: terms of neighbours that go by roots of errors."""
    problem = problem_of(SOME)
    loss = scaled(problem, interaction)
    scores, asks = driven(InterLayer(singles=WeightError(), tokens=1024), problem, loss)
    factor = factor_of(loss, 1024)
    for levels in itertools.islice(all_levels(problem.space), 0, None, 7):
        wanted = expected(loss, levels, factor)
        assert scores.predict(problem.space, levels) == pytest.approx(wanted, rel=1e-9, abs=1e-15)
    assert [ask.tokens for ask in asks] == [1024]


def test_the_term_of_two_neighbours_is_the_made_up_one() -> None:
    problem = problem_of(SOME)
    loss = scaled(problem, 0.5)
    scores, _ = driven(InterLayer(singles=WeightError()), problem, loss)
    space, factor = problem.space, factor_of(loss, 1024)
    for left, right in itertools.combinations(range(len(space.units)), 2):
        levels = [list(space.kept) for _ in range(3)]
        levels[0][left] = levels[1][right] = levels[2][left] = levels[2][right] = 0
        one, other, both = (scores.predict(space, tuple(each)) for each in levels)
        made_up = 0.5 * np.sqrt(loss.separable[left][0] * loss.separable[right][0]) if right == left + 1 else 0.0
        assert both - one - other == pytest.approx(factor * made_up, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("interaction", [0.5, -0.3])
def test_solvers_that_add_costs_up_see_all_of_it_in_uniform_choices(interaction: float) -> None:
    """Recorded errors fall alike in all units, so that units with the same option are equally coarse."""
    problem = replace(problem_of(BITS), errors=alike)
    loss = scaled(problem, interaction)
    scores, _ = driven(InterLayer(singles=WeightError()), problem, loss)
    for level in range(4):
        levels = (level,) * len(problem.space.units)
        wanted = expected(loss, levels, factor_of(loss, 1024))
        assert sum_of_costs(scores, levels) == pytest.approx(wanted, rel=1e-9, abs=1e-15)


def test_a_negative_term_makes_no_option_cheaper_than_the_dense_model() -> None:
    problem = problem_of(BITS)
    scores, _ = driven(InterLayer(singles=WeightError()), problem, scaled(problem, -3.0))
    flat = np.concatenate(scores.costs)
    assert flat.min() >= -1e-18
    assert (flat == 0).sum() > len(problem.space.units)  # and some come down to it


def test_neighbours_are_up_to_the_distance_apart() -> None:
    problem = problem_of(BITS)
    count = len(problem.space.units)
    loss = SyntheticLoss(space=problem.space)
    for distance in (1, 2, 100):
        by = InterLayer(singles=WeightError(), tokens=512, distance=distance)
        _, asks = driven(by, problem, loss)
        num_pairs = sum(min(distance, count - 1 - unit) for unit in range(count))
        assert len(asks[0].candidates) == len(set(asks[0].candidates)) == 1 + count + num_pairs
        assert by.planned_tokens(problem) == 512 * len(asks[0].candidates)


def test_pinned_units_are_stepped_over() -> None:
    pinned = problem_of(BITS, blocks=1, bits=8.0, pin={"*.k_proj": KEEP, "*.v_proj": KEEP})
    names = pinned.space.names
    by = InterLayer(singles=WeightError())
    _, asks = driven(by, pinned, SyntheticLoss(space=pinned.space))
    changed = [
        {names[unit] for unit, level in enumerate(levels) if level != pinned.space.kept[unit]}
        for levels in asks[0].candidates
    ]
    open_names = [name for name in names if not name.endswith(("k_proj", "v_proj"))]
    singles = [{name} for name in open_names]
    assert changed == [set(), *singles, *({one, other} for one, other in itertools.pairwise(open_names))]


def test_a_part_and_what_lies_inside_it_are_no_pair() -> None:
    problem = problem_of(quantize(2, 4, layers=["*.q_proj"]), DropSpec(parts=("attention",)))
    loss = SyntheticLoss(space=problem.space, interaction=0.3)
    _, asks = driven(InterLayer(singles=MeasuredKL(), distance=9), problem, loss)
    for levels in asks[-1].candidates:
        configuration = problem.space.configure(levels)
        changed = [n for n, level in enumerate(levels) if level != problem.space.kept[n]]
        layers = [problem.space.layers[problem.space.units[n].layers[0]] for n in changed]
        assert not any(one.name in other.inside for one, other in itertools.permutations(layers, 2))
        assert sum(option == DROP for _, option in configuration.options) <= 2 * len(changed)
    num_open = sum(len(unit.options) > 1 for unit in problem.space.units)
    assert len(asks[-1].candidates) == 1 + num_open + num_open * (num_open - 1) // 2 - 2


def test_standard_errors_of_singles_and_of_pairs_add_in_squares() -> None:
    problem = problem_of(quantize(2, 4, layers=["*.q_proj"]))
    loss = SyntheticLoss(space=problem.space, interaction=0.4, noise=0.1)
    alone, _ = driven(MeasuredKL(tokens=2048), problem, loss)
    scores, asks = driven(InterLayer(singles=MeasuredKL(tokens=2048), tokens=2048), problem, loss)
    dense, left, right, both = (loss(levels, 2048) for levels in asks[1].candidates)
    terms = both - left - right + dense
    error = terms.std(ddof=1) / np.sqrt(len(terms))
    assert scores.errors is not None
    assert alone.errors is not None
    for unit, kept in enumerate(problem.space.kept):
        rises = alone.costs[unit] - alone.costs[unit][kept]
        for level, (before, after) in enumerate(zip(alone.errors[unit], scores.errors[unit], strict=True)):
            added = error / 2 * max(0.0, rises[level]) / rises[0]
            assert after == pytest.approx(np.hypot(before, added), rel=1e-9, abs=1e-18)
    without, _ = driven(InterLayer(singles=WeightError()), problem, loss)
    assert without.errors is None


@pytest.mark.parametrize("broken", [1, 3])  # a single change, the pair
def test_a_pair_that_cannot_be_measured_ends_the_job(broken: int) -> None:
    problem = problem_of(quantize(2, 4, layers=["*.q_proj"]))
    running = InterLayer(singles=WeightError()).score(problem)
    ask = next(running)
    assert isinstance(ask, Ask)
    told = [np.ones(4) for _ in ask.candidates]
    told[broken][2] = np.inf
    with pytest.raises(JobError, match=r"layers\.0\.self_attn\.q_proj and model\.layers\.1\..*loss is infinite; leave"):
        running.send(told)


def test_an_option_without_a_single_cost_stays_closed() -> None:
    problem = problem_of(quantize(2, 4, layers=["*.q_proj"]))
    made_up = {("model.layers.0.self_attn.q_proj", 4): np.inf, ("model.layers.1.self_attn.q_proj", 2): np.inf}

    def errors(layer: str, option: Quantize) -> EntryErrors:
        return EntryErrors(weight=made_up.get((layer, option.bits_per_code), 0.5), output=0.0)

    loss = SyntheticLoss(space=problem.space, interaction=0.4)
    scores, _ = driven(InterLayer(singles=WeightError()), replace(problem, errors=errors), loss)
    assert [np.isinf(row).tolist() for row in scores.costs] == [[False, True, False], [True, False, False]]
    assert scores.interactions is not None
    assert np.isfinite(scores.interactions.matrix).all()
    starts = first_moves(problem.space)
    matrix = scores.interactions.matrix
    assert (matrix == matrix.T).all()
    assert not matrix[starts[0] : starts[0] + 3, starts[0] : starts[0] + 3].any()


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"distance must be at least 1, .* got 0"):
        InterLayer(singles=WeightError(), distance=0)
    with pytest.raises(InputError, match=r"singles inter-layer has interactions of its own.*write singles"):
        InterLayer(singles=InterLayer(singles=WeightError()))


def test_what_the_singles_refuse_is_refused() -> None:
    problem = problem_of(BITS, DropSpec())
    with pytest.raises(InputError, match=r"dropping model\.layers\.0\.self_attn"):
        InterLayer(singles=WeightError()).check(problem)
    InterLayer(singles=MeasuredKL()).check(problem)


def test_singles_on_a_scale_of_their_own_are_refused_before_anything_is_measured() -> None:
    problem = problem_of(BITS)
    for name in NO_PREDICTION:
        if name != "cosine-similarity":  # refused for what it is asked about
            scale = rf"singles {name} is on a scale of its own.*that predicts the loss: measured-kl"
            with pytest.raises(InputError, match=scale):
                make_score({"name": "inter-layer", "singles": name}).check(problem)
