"""The plain choices: which fit, what they are called, and which parts they drop."""

from __future__ import annotations

from typing import Any

import pytest
from synthetic_search import make_problem, quantize, tiny_space

from search.baselines import baselines, best_uniform, uniform_above, uniform_below, uniform_near
from search.strategy import Problem
from spaces.option import DROP, parse_option
from spaces.space import Levels
from spaces.spec import DropSpec


def with_budget(budget: dict[str, object], *options: Any, num_blocks: int = 4, **spec: Any) -> Problem:
    return make_problem(tiny_space(num_blocks, *options, **spec), budget)


def slugs(problem: Problem, levels: Levels | None) -> set[str]:
    assert levels is not None
    return {option.slug for _, option in problem.space.configure(levels).options}


def dropped(problem: Problem, levels: Levels) -> list[str]:
    configuration = problem.space.configure(levels)
    return [
        layer.name.removeprefix("model.layers.") for layer in problem.space.layers if configuration[layer.name] == DROP
    ]


def test_every_option_that_fits_is_offered_smallest_first() -> None:
    problem = with_budget({"nominal_bits_per_weight": 4.0}, quantize(2, 3, 4, 6))
    found = baselines(problem)
    assert [each.name for each in found] == [f"uniform rtn-int{bits}-g32-asym" for bits in (2, 3, 4)]
    for each in found:
        assert slugs(problem, each.levels) == {each.name.removeprefix("uniform ")}


def test_a_budget_above_the_dense_model_has_keep_as_a_choice() -> None:
    problem = with_budget({"size": "1GB"}, quantize(2, 3))
    assert [each.name for each in baselines(problem)][-1] == "keep everywhere"
    assert slugs(problem, best_uniform(problem)) == {"keep"}


def test_a_unit_without_the_option_stays_as_in_the_dense_model() -> None:
    some = quantize(3, layers=["*.mlp.*"])
    problem = with_budget({"size": "1GB"}, quantize(2, 4), some, pin={"*.0.*.v_proj": parse_option("keep")})
    by_name = {each.name: problem.space.configure(each.levels) for each in baselines(problem)}
    three = by_name["uniform rtn-int3-g32-asym"]
    assert three["model.layers.1.mlp.up_proj"].slug == "rtn-int3-g32-asym"
    assert three["model.layers.1.self_attn.q_proj"].slug == "keep"
    assert by_name["uniform rtn-int2-g32-asym"]["model.layers.0.self_attn.v_proj"].slug == "keep"


def test_a_pinned_option_alone_is_no_uniform_choice() -> None:
    pin = {"*.0.*.v_proj": parse_option("rtn-int8-g32-asym")}
    problem = with_budget({"nominal_bits_per_weight": 5.0}, quantize(2), pin=pin)
    assert [each.name for each in baselines(problem)] == ["uniform rtn-int2-g32-asym"]


def test_nothing_fits_under_the_smallest_option() -> None:
    problem = with_budget({"nominal_bits_per_weight": 2.5}, quantize(3, layers=["*.mlp.*"]), quantize(2, 3))
    assert [each.name for each in baselines(problem)] == ["uniform rtn-int2-g32-asym"]
    problem = with_budget(
        {"nominal_bits_per_weight": 2.7}, quantize(3, layers=["*.mlp.*"]), quantize(2, layers=["*attn*"])
    )
    assert baselines(problem) == []
    assert best_uniform(problem) is None


@pytest.mark.parametrize(
    ("count", "evenly", "deepest"),
    [
        (1, [3], [4]),
        (2, [1, 4], [3, 4]),
        (3, [1, 3, 5], [2, 3, 4]),
        (5, [0, 1, 3, 4, 5], [0, 1, 2, 3, 4]),
        (6, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
    ],
)
def test_drops_are_spread_evenly_or_the_deepest_but_the_last(count: int, evenly: list[int], deepest: list[int]) -> None:
    problem = with_budget({"dropped_attentions": count}, DropSpec(parts=("attention",)), num_blocks=6)
    names = {each.name: [int(name[0]) for name in dropped(problem, each.levels)] for each in baselines(problem)}
    expected = {f"{count} attention dropped evenly": evenly, f"{count} attention dropped deepest": deepest}
    assert names == (expected if count < 6 else {"6 attention dropped evenly": evenly})


def test_each_kind_is_dropped_as_often_as_the_budget_asks() -> None:
    problem = with_budget({"dropped_attentions": 3, "dropped_mlps": 1}, DropSpec(), num_blocks=6)
    by_name = {each.name: dropped(problem, each.levels) for each in baselines(problem)}
    assert by_name == {
        "3 attention, 1 mlp dropped evenly": ["1.self_attn", "3.self_attn", "3.mlp", "5.self_attn"],
        "3 attention, 1 mlp dropped deepest": ["2.self_attn", "3.self_attn", "4.self_attn", "4.mlp"],
    }


def test_only_the_kind_that_the_budget_counts_is_dropped() -> None:
    problem = with_budget({"dropped_mlps": 2}, DropSpec(), num_blocks=4)
    for each in baselines(problem):
        assert all(name.endswith(".mlp") for name in dropped(problem, each.levels))


def test_whole_blocks_go_where_nothing_finer_is_offered() -> None:
    problem = with_budget({"dropped_attentions": 1}, DropSpec(parts=("block",)), num_blocks=5)
    assert {each.name for each in baselines(problem)} == {"1 block dropped evenly", "1 block dropped deepest"}


def test_under_a_size_as_few_parts_are_dropped_as_needed() -> None:
    problem = with_budget({"parameters": "80K"}, DropSpec(), num_blocks=4)
    for each in baselines(problem):
        measures = problem.space.measure(each.levels)
        assert measures.parameters <= 80_000
        gone = dropped(problem, each.levels)
        assert len(gone) == 4  # two attentions and two MLPs: of 4 x 30 K weights, 3 x 30 K would be too many
        assert problem.space.measure(problem.space.kept).parameters - measures.parameters < 2 * 31_000


def test_mixed_choices_drop_nothing_where_the_bits_alone_fit() -> None:
    problem = with_budget({"nominal_bits_per_weight": 3.0}, quantize(2, 3, 4), DropSpec())
    names = [each.name for each in baselines(problem)]
    assert {"uniform rtn-int2-g32-asym", "uniform rtn-int3-g32-asym"} <= set(names)
    assert "uniform rtn-int4-g32-asym + 1 attention, 1 mlp dropped evenly" in names
    assert not any(name.startswith("uniform rtn-int3") and "dropped" in name for name in names)
    assert slugs(problem, best_uniform(problem)) - {"keep"} == {"rtn-int3-g32-asym"}  # not 4 bits with drops


def test_each_configuration_is_offered_once() -> None:
    problem = with_budget({"dropped_attentions": 4, "dropped_mlps": 4}, quantize(2, 3), DropSpec())
    found = baselines(problem)
    assert len(found) == 1  # with everything dropped, every uniform choice is the same
    for budget in ({"nominal_bits_per_weight": 3.0}, {"size": "90kB"}):
        mixed = with_budget(dict(budget), quantize(2, 3, 4), DropSpec())
        configurations = [mixed.space.configure(each.levels) for each in baselines(mixed)]
        assert len(set(configurations)) == len(configurations) > 0
        assert all(mixed.holds(each.levels) for each in baselines(mixed))


def test_above_and_below_enclose_the_budget_and_drop_nothing() -> None:
    problem = with_budget({"nominal_bits_per_weight": 2.7, "dropped_mlps": 1}, quantize(2, 3, 4), DropSpec())
    assert slugs(problem, uniform_below(problem)) - {"keep"} == {"rtn-int2-g32-asym"}
    assert slugs(problem, uniform_above(problem)) - {"keep"} == {"rtn-int3-g32-asym"}
    assert dropped(problem, uniform_below(problem)) == dropped(problem, uniform_above(problem)) == []
    drops = with_budget({"dropped_mlps": 1}, DropSpec())
    assert uniform_below(drops) == uniform_above(drops) == uniform_near(drops) == drops.space.kept


@pytest.mark.parametrize(
    ("budget", "bits"),
    [
        ({"nominal_bits_per_weight": 2.49}, 2),
        ({"nominal_bits_per_weight": 2.5}, 3),
        ({"nominal_bits_per_weight": 3.6}, 4),
        ({"nominal_bits_per_weight": 6}, 4),  # the next one above is the dense model
        ({"nominal_bits_per_weight": 2.5, "size": "1GB"}, 3),
    ],
)
def test_the_nearest_uniform_choice_may_lie_above_the_budget(budget: dict[str, object], bits: int) -> None:
    problem = make_problem(tiny_space(1, quantize(2, 3, 4)), budget)
    assert slugs(problem, uniform_near(problem)) == {f"rtn-int{bits}-g32-asym"}
