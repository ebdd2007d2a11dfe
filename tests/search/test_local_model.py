"""The local model against dense closed forms: its prior, its posterior, its draws, and what a drop hides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from small_spaces import space_named
from synthetic_search import hidden_units

from search.region.local_model import (
    Doubt,
    LocalModel,
    changed_units,
    check_moves,
    model_of,
    single_changes,
    squared_error,
)
from search.scores.score import Interactions, Scores
from spaces.errors import InputError, JobError
from spaces.option import DROP
from spaces.space import Levels, Space

DOUBT = Doubt(scale=0.3, unit=0.2, option=0.15, together=0.1)


def random_scores(space: Space, seed: int = 0, *, errors: bool = True) -> Scores:
    rng = np.random.default_rng(seed)
    costs = [rng.uniform(0.1, 2.0, len(unit.options)) for unit in space.units]
    spread = [rng.uniform(0.0, 0.2, len(unit.options)) for unit in space.units]
    return Scores(costs=costs, errors=spread if errors else None)


def make_model(name: str = "weights", doubt: Doubt = DOUBT, seed: int = 0) -> LocalModel:
    return model_of(space_named(name), random_scores(space_named(name), seed), doubt)


def covariance(model: LocalModel) -> np.ndarray:
    return model.root @ model.root.T


def moves_of(space: Space) -> list[tuple[int, int]]:
    return [(number, level) for number, unit in enumerate(space.units) for level in range(len(unit.options))]


def indicator(space: Space, levels: Levels) -> np.ndarray:
    """1 for each move that shows, by the definition."""
    hidden = hidden_units(space, levels)
    return np.array([float(levels[unit] == level and unit not in hidden) for unit, level in moves_of(space)])


def dense_prior(space: Space, scores: Scores, doubt: Doubt) -> np.ndarray:
    """Entry by entry: cost_i cost_j (scale^2 + unit^2 [same unit] + option^2 [same move]) + error^2 [same move]."""
    assert scores.errors is not None
    moves = moves_of(space)
    matrix = np.zeros((len(moves), len(moves)))
    for i, (unit, level) in enumerate(moves):
        for j, (other, other_level) in enumerate(moves):
            shared = doubt.scale**2 + doubt.unit**2 * (unit == other) + doubt.option**2 * (i == j)
            matrix[i, j] = scores.costs[unit][level] * scores.costs[other][other_level] * shared
        matrix[i, i] += scores.errors[unit][level] ** 2
    return matrix


def dense_together(space: Space, mean: np.ndarray, parent: Levels, levels: Levels, doubt: Doubt) -> float:
    """The variance that several changed units add: the share squared times the sum of squared steps."""
    if sum(a != b for a, b in zip(parent, levels, strict=True)) < 2:
        return 0.0
    change = indicator(space, levels) - indicator(space, parent)
    units = np.array([unit for unit, _ in moves_of(space)])
    steps = [change[units == unit] @ mean[units == unit] for unit in range(len(space.units))]
    return doubt.together**2 * float(np.square(steps).sum())


def random_levels(space: Space, rng: np.random.Generator) -> Levels:
    return tuple(int(rng.integers(len(unit.options))) for unit in space.units)


@pytest.mark.parametrize("name", ["weights", "ties", "nested"])
def test_the_prior_is_that_of_the_stated_doubt(name: str) -> None:
    space = space_named(name)
    np.testing.assert_allclose(
        covariance(make_model(name)), dense_prior(space, random_scores(space), DOUBT), rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("name", ["weights", "ties", "nested"])
@pytest.mark.parametrize("seed", range(3))
def test_the_posterior_is_that_of_batch_linear_regression(name: str, seed: int) -> None:
    space, rng = space_named(name), np.random.default_rng(seed)
    scores = random_scores(space, seed)
    model = model_of(space, scores, DOUBT)
    rows, values, noises = [], [], []
    for _ in range(20):
        parent, levels = random_levels(space, rng), random_levels(space, rng)
        difference = rng.normal(0.3, 1.0, size=int(rng.integers(1, 9)))
        change = indicator(space, levels) - indicator(space, parent)
        if not change.any():
            continue
        noise = squared_error(difference, float(change @ model.mean))
        noises.append(noise + dense_together(space, model.mean, parent, levels, DOUBT))
        rows.append(change)
        values.append(difference.mean())
        model.observe(parent, levels, difference)
    prior, mean = dense_prior(space, scores, DOUBT), np.concatenate(scores.costs)
    design = np.array(rows)
    gain = prior @ design.T @ np.linalg.inv(design @ prior @ design.T + np.diag(noises))
    assert len(rows) > 8
    np.testing.assert_allclose(model.mean, mean + gain @ (np.array(values) - design @ mean), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(covariance(model), prior - gain @ design @ prior, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["weights", "nested"])
def test_a_prediction_has_the_mean_and_variance_of_the_sum_of_its_moves(name: str) -> None:
    space, rng, model = space_named(name), np.random.default_rng(1), make_model(name)
    for _ in range(20):
        parent, levels = random_levels(space, rng), random_levels(space, rng)
        change = indicator(space, levels) - indicator(space, parent)
        mean, variance = model.predict(parent, levels)
        assert mean == pytest.approx(change @ model.mean, abs=1e-12)
        expected = change @ covariance(model) @ change + dense_together(space, model.mean, parent, levels, DOUBT)
        assert variance == pytest.approx(expected, rel=1e-10, abs=1e-12)
    assert model.predict(parent, parent) == (0.0, 0.0)


def test_the_spread_of_a_move_is_that_of_its_difference_to_the_parents_level() -> None:
    space, model = space_named("weights"), make_model()
    parent = (1, 0, 3, 2)
    matrix = covariance(model)
    for place, (unit, level) in enumerate(moves_of(space)):
        change = np.zeros(len(matrix))
        change[place] += 1
        change[moves_of(space).index((unit, parent[unit]))] -= 1
        assert model.spread(parent)[place] == pytest.approx(np.sqrt(change @ matrix @ change), abs=1e-9)
        assert (model.spread(parent)[place] == 0) == (level == parent[unit])


def dropped_and_kept(space: Space) -> tuple[Levels, Levels, int]:
    """The dense model, the same without its attention, and a unit inside."""
    part = next(n for n, unit in enumerate(space.units) if space.layers[unit.layers[0]].part == "attention")
    drop = space.units[part].options.index(DROP)
    dropped = tuple(drop if number == part else level for number, level in enumerate(space.kept))
    inside = next(n for n in sorted(hidden_units(space, dropped)) if len(space.units[n].options) > 1)
    return space.kept, dropped, inside


def test_a_drop_hides_what_lies_inside_it() -> None:
    space, model = space_named("nested"), make_model("nested")
    kept, dropped, inside = dropped_and_kept(space)
    [changed] = single_changes(dropped, [(inside, 0 if dropped[inside] else 1)])
    assert changed_units(dropped, changed) == 1
    assert not model.direction(dropped, changed).any()
    before = model.mean.copy(), model.root.copy()
    model.observe(dropped, changed, np.array([5.0, 6.0]))
    np.testing.assert_array_equal(model.mean, before[0])
    np.testing.assert_array_equal(model.root, before[1])
    # dropping undoes the moves of everything inside, and is one change for all that
    change = model.direction(kept, dropped)
    np.testing.assert_array_equal(change, indicator(space, dropped) - indicator(space, kept))
    assert (change < 0).sum() == 1 + len(hidden_units(space, dropped)) > 2
    assert model.predict(kept, dropped)[1] == pytest.approx(change @ covariance(model) @ change, rel=1e-12)


def test_an_option_without_a_cost_is_closed() -> None:
    space = space_named("weights")
    scores = random_scores(space)
    scores.costs[1][2] = np.inf
    model = model_of(space, scores, DOUBT)
    assert np.isfinite(model.mean).all()
    assert np.isfinite(model.root).all()
    for values in (model.mean, model.draw(np.random.default_rng(0))):
        table = model.table(values)
        assert [len(row) for row in table] == [len(unit.options) for unit in space.units]
        assert [(n, level) for n, row in enumerate(table) for level in np.flatnonzero(np.isinf(row))] == [(1, 2)]
    np.testing.assert_array_equal(model.table(model.mean)[0], scores.costs[0])


def test_a_single_change_that_breaks_the_model_is_closed_and_several_say_nothing() -> None:
    model = make_model()
    parent = (3, 3, 3, 3)
    before = model.mean.copy()
    model.observe(parent, (0, 1, 3, 3), np.array([0.1, np.inf]))
    assert not model.is_closed.any()
    for of_the_parent in ([-np.inf, 0.1], [np.nan, 0.1]):
        model.observe(parent, (3, 3, 0, 3), np.array(of_the_parent))
        assert not model.is_closed.any()
    model.observe(parent, (3, 3, 0, 3), np.array([np.inf, 0.1]))
    assert np.flatnonzero(model.is_closed).tolist() == [moves_of(model.space).index((2, 0))]
    np.testing.assert_array_equal(model.mean, before)


def test_a_score_that_closes_all_of_a_unit_is_refused() -> None:
    space = space_named("weights")
    scores = random_scores(space)
    scores.costs[0][:] = np.inf
    with pytest.raises(JobError, match=r"leaves model\.layers\.0\.self_attn\.q_proj no option"):
        model_of(space, scores, DOUBT)


def test_draws_have_the_models_mean_and_covariance() -> None:
    model, rng = make_model(), np.random.default_rng(2)
    model.observe((3, 3, 3, 3), (0, 3, 3, 1), np.array([0.4, 0.5, 0.1]))
    count, matrix = 20_000, covariance(model)
    draws = np.array([model.draw(rng) for _ in range(count)])
    own = matrix.diagonal()
    # 16 means and 136 covariances of Gaussian draws, 6 standard errors: fails once in a million seeds
    assert (np.abs(draws.mean(axis=0) - model.mean) <= 6 * np.sqrt(own / count)).all()
    errors = np.sqrt((np.outer(own, own) + matrix**2) / count)
    assert (np.abs(np.cov(draws, rowvar=False) - matrix) <= 6 * errors + 1e-12).all()


def test_nothing_is_doubted_where_doubt_is_nought() -> None:
    space = space_named("weights")
    none = Doubt(scale=0, unit=0, option=0, together=0)
    model = model_of(space, random_scores(space, errors=False), none)
    before = model.mean.copy()
    model.observe((3, 3, 3, 3), (0, 3, 3, 3), np.array([9.0, 9.0]))
    np.testing.assert_array_equal(model.mean, before)
    np.testing.assert_array_equal(model.draw(np.random.default_rng(0)), before)


def loop_squared_error(values: Sequence[float], expected: float) -> float:
    count, mean = len(values), sum(values) / len(values)
    size = max(abs(expected), abs(mean))
    squares = sum((value - mean) ** 2 for value in values)
    sample = squares / (count - 1) if count > 1 else 0.0
    return max((4 * size**2 + squares) / (4 + count - 1), sample) / count


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30])
@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [0.5, -2.0, 3.0], [-1.0] * 50])
@pytest.mark.parametrize("expected", [0.0, -2.0])
def test_the_squared_error_mixes_four_sequences_of_prior(values: list[float], expected: float, scale: float) -> None:
    scaled = np.array(values) * scale
    found = squared_error(scaled, expected * scale)
    assert found == pytest.approx(loop_squared_error([float(value) for value in scaled], expected * scale), rel=1e-12)


def test_two_sequences_that_agree_by_chance_are_not_certain() -> None:
    assert squared_error(np.array([0.5, 0.5]), 0.5) == pytest.approx(0.8 * 0.25 / 2)


def test_many_sequences_forget_the_prior() -> None:
    values = np.random.default_rng(0).normal(0.1, 1.0, 20_000)
    # the prior is 4 of 20,000 sequences
    assert squared_error(values, 0.1) == pytest.approx(values.var(ddof=1) / len(values), rel=3e-4)


@pytest.mark.parametrize("name", ["scale", "unit", "option", "together"])
@pytest.mark.parametrize("value", [-0.1, np.inf, np.nan])
def test_a_doubt_is_a_share(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"doubt {name} must be a finite share of at least 0, got {value}"):
        Doubt(**{name: value})


def test_single_changes_change_one_unit_each() -> None:
    assert single_changes((1, 2, 3), [(0, 0), (2, 5)]) == [(0, 2, 3), (1, 2, 5)]
    assert changed_units((1, 2, 3), (1, 0, 5)) == 2


def entangled_scores(space: Space, seed: int = 0) -> Scores:
    """Random costs and a random symmetric matrix of interactions."""
    matrix = np.random.default_rng([seed, 1]).normal(size=(len(moves_of(space)),) * 2)
    interactions = Interactions(matrix=matrix + matrix.T)
    return replace(random_scores(space, seed), interactions=interactions)


@pytest.mark.parametrize("name", ["weights", "ties", "nested"])
def test_with_interactions_it_predicts_what_the_score_does(name: str) -> None:
    space, rng = space_named(name), np.random.default_rng(3)
    scores = entangled_scores(space)
    model = model_of(space, scores, DOUBT)
    for _ in range(20):
        parent, levels = random_levels(space, rng), random_levels(space, rng)
        expected = scores.predict(space, levels) - scores.predict(space, parent)
        assert model.predict(parent, levels)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["weights", "ties"])
def test_slopes_are_exact_for_a_single_change(name: str) -> None:
    space, rng = space_named(name), np.random.default_rng(4)
    model = model_of(space, entangled_scores(space), DOUBT)
    parent = random_levels(space, rng)
    costs = model.mean + model.slopes(parent)
    for (unit, level), single in zip(moves_of(space), single_changes(parent, moves_of(space)), strict=True):
        step = costs[moves_of(space).index((unit, level))] - costs[moves_of(space).index((unit, parent[unit]))]
        assert model.predict(parent, single)[0] == pytest.approx(step, rel=1e-9, abs=1e-9)


def test_an_observation_that_the_interactions_foretold_teaches_nothing() -> None:
    space, rng = space_named("weights"), np.random.default_rng(5)
    model = model_of(space, entangled_scores(space), DOUBT)
    parent, levels = random_levels(space, rng), random_levels(space, rng)
    before = model.mean.copy()
    model.observe(parent, levels, np.full(8, model.predict(parent, levels)[0]))
    np.testing.assert_allclose(model.mean, before, rtol=1e-9)


def test_too_many_moves_are_refused() -> None:
    space = space_named("weights")
    unit = space.units[0]
    crowded = replace(space, units=(unit,) * (20_001 // len(unit.options) + 1))
    with pytest.raises(InputError, match=r"at most 20,000 options in all, got 2\d,\d+"):
        check_moves(crowded)
    check_moves(space)
