"""Loss against tokens: steps, bands, tokens to a target, and which answers are looked at."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.search.curves import Curve, Reach, band, checkpoints, in_force_near, median_reach
from benchmarks.search.paired import Change, relative_change


def curve(*points: tuple[float, float]) -> Curve:
    tokens, loss = zip(*points, strict=True)
    return Curve(tokens=np.array(tokens, dtype=float), loss=np.array(loss, dtype=float))


STEPS = curve((100, 0.5), (300, 0.4), (900, 0.45), (1000, 0.2))


@pytest.mark.parametrize(
    ("tokens", "loss"), [(100, 0.5), (299, 0.5), (300, 0.4), (999, 0.45), (1000, 0.2), (10**9, 0.2)]
)
def test_a_curve_stays_until_its_next_point(tokens: float, loss: float) -> None:
    assert STEPS.at(tokens) == loss


def test_before_its_first_point_a_curve_has_no_answer() -> None:
    assert math.isnan(STEPS.at(99))
    assert STEPS.place(99) is None


@pytest.mark.parametrize(("target", "tokens"), [(0.6, 100), (0.5, 100), (0.42, 300), (0.4, 300), (0.39, 1000)])
def test_a_target_is_reached_at_the_first_point_at_or_below_it(target: float, tokens: float) -> None:
    assert STEPS.reach(target) == Reach(after=tokens, by=tokens)


@pytest.mark.parametrize(("target", "after", "by"), [(0.6, 100, 100), (0.42, 100, 300), (0.39, 900, 1000)])
def test_where_answers_are_unknown_a_target_is_reached_between_two_points(target: float, after: int, by: int) -> None:
    assert replace(STEPS, has_gaps=True).reach(target) == Reach(after=after, by=by)


def test_a_target_below_all_points_is_never_reached() -> None:
    assert STEPS.reach(0.19) is None


def test_a_band_is_what_its_curves_say_at_each_count() -> None:
    rng = np.random.default_rng(0)
    curves = [
        curve(*((tokens, rng.uniform()) for tokens in sorted(rng.choice(50, 6, replace=False)))) for _ in range(5)
    ]
    found = band(curves)
    for tokens, low, middle, high in zip(found.tokens, found.low, found.middle, found.high, strict=True):
        losses = sorted(each.at(tokens) for each in curves)
        if any(map(math.isnan, losses)):
            assert all(map(math.isnan, (low, middle, high)))
        else:
            assert (low, middle, high) == (losses[0], losses[2], losses[4])
    assert not math.isnan(found.low[-1])


@pytest.mark.parametrize(
    ("firsts", "expected"),
    [
        ([100], 100),
        ([None], None),
        ([300, 100, 200], 200),
        ([300, None, 100], 300),
        ([100, None, None], None),
        ([100, 200], 200),
        ([100, None], None),
        ([100, 200, 300, None], 300),
    ],
)
def test_the_median_counts_those_that_never_arrive_as_last(firsts: list[int | None], expected: int | None) -> None:
    curves = [curve((50, 1.0)) if first is None else curve((50, 1.0), (first, 0.1)) for first in firsts]
    assert median_reach(curves, 0.5) == (None if expected is None else Reach(after=expected, by=expected))
    unsure = median_reach([replace(each, has_gaps=True) for each in curves], 0.5)
    assert unsure == (None if expected is None else Reach(after=50, by=expected))


def test_a_few_answers_are_all_looked_at() -> None:
    assert checkpoints([0, 10, 10], 500, 3) == [0, 1, 2]


def test_of_many_answers_those_in_force_at_even_steps_are_looked_at() -> None:
    tokens = [10**k for k in range(7)]  # 1 to 1,000,000
    assert checkpoints(tokens, 10**6, 3) == [0, 3, 6]
    # 2,000,000 is the end: the steps are sqrt(2e6) = 1,414 and 2e6, and 50,000 is asked for besides
    assert checkpoints(tokens, 2 * 10**6, 3, also=[50_000]) == [0, 3, 4, 6]


def test_the_last_answer_is_always_looked_at() -> None:
    for seed in range(20):
        tokens = sorted(np.random.default_rng(seed).integers(1, 10**6, 60).tolist())
        places = checkpoints(tokens, tokens[-1] + seed, 10, also=[5])
        assert places[-1] == 59
        assert len(places) <= 11


def test_a_constant_share_is_certain() -> None:
    other = np.random.default_rng(0).uniform(1, 2, (3, 40))
    change = relative_change(0.9 * other, other)
    assert change.mean == pytest.approx(-0.1)
    assert change.se == pytest.approx(0, abs=1e-15)


def test_the_error_of_a_share_is_what_the_jackknife_finds() -> None:
    rng = np.random.default_rng(1)
    other = rng.gamma(4, 0.01, (5, 500))
    own = 0.9 * other.mean(axis=0) + rng.normal(0, 0.004, (2, 500))
    a, b = own.mean(axis=0), other.mean(axis=0)
    left_out = (a.sum() - a) / (b.sum() - b)
    jackknife = math.sqrt(499 / 500 * ((left_out - left_out.mean()) ** 2).sum())
    change = relative_change(own, other)
    assert change.mean == pytest.approx(own.mean() / other.mean() - 1)
    assert change.se == pytest.approx(jackknife, rel=0.02)


def test_the_error_over_seeds_is_what_drawing_them_again_finds() -> None:
    rng = np.random.default_rng(2)

    def drawn() -> np.ndarray:
        """Three seeds of a mean 0.9 and five of 1, all with a spread of 0.05, on two sequences that do not matter."""
        seeds = rng.normal([0.9] * 3 + [1.0] * 5, 0.05)
        return np.stack([seeds, seeds], axis=1)

    changes = [relative_change(each[:3], each[3:]) for each in (drawn() for _ in range(4000))]
    found = [change.seed_se for change in changes if change.seed_se is not None]
    assert len(found) == 4000
    spread = np.std([change.mean for change in changes])
    assert math.sqrt(np.mean(np.square(found))) == pytest.approx(spread, rel=0.05)


def test_seeds_that_agree_and_a_method_without_one_add_no_error_over_seeds() -> None:
    two, alone = np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([[0.1, 0.1]])
    change = relative_change(alone, two)
    assert change.seed_se == pytest.approx((0.1 / 0.25) * 0.1 / 0.25)  # the means are 0.15 and 0.35
    assert relative_change(two[:1], alone).seed_se is None
    assert relative_change(two[[0, 0]], two[[0, 0, 0]]).seed_se == pytest.approx(0)


def test_a_change_shows_the_errors_that_it_has() -> None:
    assert str(Change(mean=-0.05, se=0.01, seed_se=0.02)) == "-5.0% ± 1.0% ± 2.0%"
    assert str(Change(mean=0.05, se=0.01, seed_se=None)) == "+5.0% ± 1.0%"


@pytest.mark.parametrize(
    ("count", "places"), [(5, []), (10, [0]), (95, [0, 1]), (120, [1, 2]), (150, [2]), (1000, [2]), (11, [0])]
)
def test_answers_in_force_near_a_count_by_hand(count: float, places: list[int]) -> None:
    assert list(in_force_near([10, 100, 130], count, 0.1)) == places
