"""Strategies from what people write: published presets, overrides, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from search.scores.errors import OutputError, WeightError
from search.scores.measured import MeasuredKL
from search.scores.score import SCORES
from search.selection import Stage
from search.settings import STARTS, make_score, make_strategy
from search.solvers.exact import Knapsack
from search.solvers.solver import SOLVERS
from search.strategies import allocate
from search.strategies.allocate import Allocate
from search.strategies.evolution import PRESETS, Evolution, RandomStart, UniformStart
from search.strategies.random import Random
from search.strategies.uniform import Uniform
from search.strategy import STRATEGIES
from spaces.errors import InputError


def stages(*pairs: tuple[int, int]) -> tuple[Stage, ...]:
    return tuple(Stage(tokens=tokens, survivors=survivors) for tokens, survivors in pairs)


PUBLISHED = {
    "evopress-quantization": Evolution(
        generations=150,
        offspring=128,
        stages=stages((2048, 16), (16384, 4), (131072, 1)),
        groups="equal-size",
        start=UniformStart(samples=32),
    ),
    "evopress-sparsity": Evolution(
        generations=400, offspring=64, stages=stages((2048, 8), (16384, 2), (65536, 1)), start=UniformStart()
    ),
    "evopress-drop": Evolution(
        generations=None, offspring=32, stages=stages((2048, 2), (32768, 1)), start=RandomStart(samples=64)
    ),
    "evopress-super-fast": Evolution(
        generations=400, offspring=16, stages=stages((512, 1), (8192, 1)), start=UniformStart()
    ),
}


@pytest.mark.parametrize("preset", PUBLISHED)
def test_presets_are_the_published_settings(preset: str) -> None:
    assert make_strategy({"name": "evolution", "preset": preset}) == PUBLISHED[preset]


def test_every_preset_and_every_name_makes_a_strategy() -> None:
    for preset in PRESETS:
        assert isinstance(make_strategy({"name": "evolution", "preset": preset}), Evolution)
    kinds = [type(make_strategy(name)) for name in STRATEGIES]
    assert kinds[:4] == [Uniform, Random, Evolution, Allocate]
    for name in [*STARTS, *STRATEGIES]:
        assert make_strategy({"name": "evolution", "start": name}) is not None
    for name in SCORES:
        assert make_strategy({"name": "allocate", "score": name}) is not None
    for name in SOLVERS:
        assert make_strategy({"name": "allocate", "solver": name}) is not None
    for preset, settings in allocate.PRESETS.items():
        assert make_strategy(preset) == make_strategy({"name": "allocate", **settings})
        if isinstance(settings["solver"], str):
            assert make_strategy(preset) == make_strategy(f"{settings['score']}:{settings['solver']}")


def test_the_issues_strategy_is_read_with_its_nested_start() -> None:
    start = {"name": "allocate", "score": "measured-kl", "solver": "knapsack"}
    made = make_strategy({"name": "evolution", "preset": "quick", "start": start})
    assert isinstance(made, Evolution)
    assert made.start == Allocate(score=MeasuredKL(), solver=Knapsack(groups="global"))
    quick = PRESETS["quick"]
    assert (made.generations, made.offspring, made.groups) == (quick["generations"], quick["offspring"], "global")


def test_a_list_of_numbers_is_read_as_the_setting_holds_it() -> None:
    made = make_score({"name": "linearity", "noise_levels": [0.1, 0.3]})
    assert made == make_score({"name": "linearity", "noise_levels": (0.1, 0.3)})
    with pytest.raises(InputError, match=r"score\.noise_levels: .*'a'"):
        make_score({"name": "linearity", "noise_levels": ["a"]})


def test_keys_beside_a_preset_override_it_alone() -> None:
    made = make_strategy({"name": "evolution", "preset": "evopress-drop", "generations": 7, "start": "uniform"})
    assert made == Evolution(
        generations=7, offspring=32, stages=stages((2048, 2), (32768, 1)), start=UniformStart(samples=32)
    )
    again = make_strategy({"name": "evolution", "preset": "evopress-drop"})
    assert again == PUBLISHED["evopress-drop"]


def test_settings_of_starts_scores_and_stages_are_read() -> None:
    made = make_strategy(
        {
            "name": "evolution",
            "stages": [{"tokens": 10, "survivors": 2}, {"tokens": 20, "survivors": 1}],
            "start": {"name": "random", "samples": 5},
        }
    )
    assert isinstance(made, Evolution)
    assert made.stages == stages((10, 2), (20, 1))
    assert made.start == RandomStart(samples=5)
    for score, expected in (
        ("weight-error", WeightError()),
        ({"name": "output-error"}, OutputError()),
        ({"name": "measured-kl", "tokens": 64}, MeasuredKL(tokens=64)),
    ):
        assert make_strategy({"name": "allocate", "score": score}) == Allocate(score=expected)


def evolution(**settings: Any) -> dict[str, Any]:
    return {"name": "evolution", **settings}


REFUSED: list[tuple[object, str]] = [
    ("evoluton", "unknown strategy 'evoluton'; did you mean 'evolution'"),
    (5, r"strategy needs a name, got 5"),
    ({}, r"strategy needs a name, got \{\}"),
    ({"name": 3}, r"strategy needs a name, got \{'name': 3\}"),
    (evolution(preset="quik"), "unknown preset 'quik'; did you mean 'quick'"),
    (evolution(preset=["quick"]), r"unknown preset \['quick'\]"),
    ({"name": "random", "preset": "quick"}, "preset 'quick': only evolution and allocate have presets"),
    (evolution(generation=3), "unknown setting of strategy 'generation'; did you mean 'generations'"),
    (evolution(generations="many"), "strategy.generations: .*integer, got 'many'"),
    (evolution(generations=2.5), "strategy.generations: .*integer, got 2.5"),
    (evolution(generations=True), "strategy.generations: .*integer, got True"),
    (evolution(generations=-1), "generations must be at least 0, got -1"),
    (evolution(offspring=0), "offspring must be at least 1, got 0"),
    (evolution(groups="equal_size"), "unknown strategy.groups 'equal_size'; did you mean 'equal-size'"),
    (evolution(groups=7), "strategy.groups: .*got 7"),
    (evolution(stages=5), r"strategy.stages must be a list .*got 5"),
    (evolution(stages=[5]), r"strategy.stages\[0\] must be a mapping .*got 5"),
    (evolution(stages=[]), "stages must end with one survivor, got 0"),
    (evolution(stages=[{"tokens": 5}]), r"strategy.stages\[0\] needs survivors, got \{'tokens': 5\}"),
    (evolution(stages=[{"tokens": 5, "survivor": 1}]), r"'survivor'; did you mean 'survivors'"),
    (evolution(stages=[{"tokens": "5", "survivors": 1}]), r"strategy.stages\[0\].tokens: .*got '5'"),
    (evolution(stages=[{"tokens": 0, "survivors": 1}]), r"strategy.stages\[0\]: .*at least 1, got 0 and 1"),
    (evolution(stages=[{"tokens": 5, "survivors": 2}]), "stages must end with one survivor, got 2"),
    (
        evolution(stages=[{"tokens": 9, "survivors": 2}, {"tokens": 5, "survivors": 1}]),
        "strategy: stages must read more .*got 9 tokens -> 2 before 5 -> 1",
    ),
    (
        evolution(stages=[{"tokens": 5, "survivors": 1}, {"tokens": 9, "survivors": 2}, {"tokens": 9, "survivors": 1}]),
        "keep fewer .*got 5 tokens -> 1 before 9 -> 2",
    ),
    (evolution(start=5), "strategy.start needs a name, got 5"),
    (evolution(start="unifrom"), "unknown start 'unifrom'; did you mean 'uniform'"),
    (evolution(start={"name": "random", "sample": 3}), "unknown setting of strategy.start 'sample'; did you mean"),
    (evolution(start={"name": "random", "samples": 0}), "strategy.start: samples must be at least 1, got 0"),
    (evolution(start={"name": "uniform", "samples": 0}), "strategy.start: samples must be at least 1, got 0"),
    (evolution(start={"name": "allocate", "scor": "x"}), "unknown setting of strategy.start 'scor'; did you mean"),
    ({"name": "random", "samples": 0}, "samples must be at least 1, got 0"),
    ({"name": "uniform", "samples": 3}, "unknown setting of strategy 'samples'"),
    ({"name": "allocate", "score": "measured-lk"}, "unknown score 'measured-lk'; did you mean 'measured-kl'"),
    ({"name": "allocate", "score": 3}, "strategy.score needs a name, got 3"),
    ({"name": "allocate", "score": {"name": "measured-kl", "tokens": 0}}, "score tokens must be at least 1, got 0"),
    ({"name": "allocate", "solver": "knapsak"}, "unknown solver 'knapsak'; did you mean 'knapsack'"),
]


@pytest.mark.parametrize(("asked", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_does_not_read_is_refused_by_name_and_value(asked: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_strategy(asked)
