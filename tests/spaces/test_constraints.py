"""Constraints: read from what people write, kept by brute force and by rows alike, and their conflicts named."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import combinations

import numpy as np
import pytest
import yaml
from hand_made import every, quantize, small_spaces, space_of
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.budget import BUDGETS, make_budget
from spaces.constraints import Constraint, Count, NotBelow, make_constraints
from spaces.errors import BudgetError, InputError
from spaces.feasibility import Bound, conflict, least_excess
from spaces.option import KEEP
from spaces.space import Levels, Space


@st.composite
def rules(draw: st.DrawFn, space: Space) -> Constraint:
    """A count or an order on random layers of a space; a count may well be out of reach."""
    if len(space.names) > 1 and draw(st.booleans()):
        layer, floor = draw(st.lists(st.sampled_from(space.names), min_size=2, max_size=2, unique=True))
        return NotBelow(layer=layer, floor=floor)
    return Count(
        bound=draw(st.sampled_from(["at_most", "at_least"])),
        number=draw(st.integers(0, 4)),
        option=(draw(st.sampled_from(["*", "keep", "drop", "*int2*", "rtn-*"])),),
        layers=(draw(st.sampled_from(["*", "block0.*", "*.attn", "*.w*", "block1*"])),),
    )


def is_kept(rule: Constraint, space: Space, levels: Levels) -> bool:
    """Read off the configuration that a person sees."""
    shown: dict[str, str] = json.loads(space.configure(levels).dump())
    if isinstance(rule, NotBelow):
        return bits(shown[rule.layer]) >= bits(shown[rule.floor])
    assert isinstance(rule, Count)
    count = 0
    for name, slug in shown.items():
        count += fnmatchcase(name, rule.layers[0]) and fnmatchcase(slug, rule.option[0])
    return count <= rule.number if rule.bound == "at_most" else count >= rule.number


def bits(slug: str) -> int:
    found = re.search(r"int(\d)", slug)
    return int(found[1]) if found else {"keep": 16, "drop": 0}[slug]


def chosen_columns(space: Space, levels: Levels) -> np.ndarray:
    """The columns of a program that a configuration stands for: none for a unit inside a dropped part."""
    starts = np.cumsum([0, *(len(unit.options) for unit in space.units)])
    dropped = {
        space.layers[unit.layers[0]].name
        for unit, level in zip(space.units, levels, strict=True)
        if unit.options[level].slug == "drop"
    }
    shown = [n for n, unit in enumerate(space.units) if not dropped.intersection(space.layers[unit.layers[0]].inside)]
    return np.array([starts[n] + levels[n] for n in shown], dtype=np.int64)


@given(space=small_spaces(), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_rule_and_its_row_hold_for_the_configurations_that_read_so(space: Space, data: st.DataObject) -> None:
    rule = data.draw(rules(space))
    row = rule.row(space)
    for levels in every(space):
        assert rule.holds(space, levels) is is_kept(rule, space, levels)
        assert (row.excess(chosen_columns(space, levels)) <= 0) is is_kept(rule, space, levels)


@given(space=small_spaces(), data=st.data())
@settings(max_examples=30, deadline=None)
def test_contradictions_are_found_where_no_configuration_keeps_all_and_named_without_a_needless_one(
    space: Space, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(rules(space), min_size=1, max_size=4))
    measures = sorted({space.measure(levels).stored_bits for levels in every(space)})
    limit = ("stored_bits", data.draw(st.sampled_from(measures)))
    bounds: list[Bound] = [limit, *drawn]

    def met(some: Sequence[Bound]) -> bool:
        return any(
            all(
                space.measure(levels).stored_bits <= bound[1]
                if isinstance(bound, tuple)
                else is_kept(bound, space, levels)
                for bound in some
            )
            for levels in every(space)
        )

    named = [bounds[number] for number in conflict(space, bounds)]
    assert bool(named) is not met(bounds)
    assert not named or not met(named)
    assert all(met(some) for size in range(len(named)) for some in combinations(named, size))


@given(space=small_spaces(), data=st.data())
@settings(max_examples=30, deadline=None)
def test_the_least_excess_is_that_of_every_configuration(space: Space, data: st.DataObject) -> None:
    rule, other = data.draw(rules(space)), data.draw(rules(space))
    row = rule.row(space)
    excesses = [row.excess(chosen_columns(space, levels)) for levels in every(space) if other.holds(space, levels)]
    assert least_excess(space, rule, [other]) == min(excesses, default=None)


@given(space=small_spaces(), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_rule_shown_reads_as_itself(space: Space, data: st.DataObject) -> None:
    rule = data.draw(rules(space))
    try:
        assert make_constraints([yaml.safe_load(str(rule))], space) == (rule,)
    except InputError as error:  # a drawn glob may match nothing here
        assert "matches no" in str(error) or "unknown option" in str(error)  # noqa: PT017


@pytest.fixture(scope="module")
def space() -> Space:
    """Four weights of 60 in two blocks; the second attention may be dropped."""
    return space_of([([(10, 6)] * 2, [quantize(2), quantize(4), KEEP])] * 2, drops=["block1.attn"])


def test_lists_of_globs_match_any_of_them(space: Space) -> None:
    asked = {"at_most": 1, "option": ["*-int2-*", "keep"], "layers": ["block0.*.w0", "*.w1"]}
    (rule,) = make_constraints([asked], space)
    assert str(rule) == '{at_most: 1, option: ["*-int2-*", "keep"], layers: ["block0.*.w0", "*.w1"]}'
    assert rule.holds(space, (0, 1, 0, 1, 1))  # block1.attn.w0 is none of them
    assert not rule.holds(space, (0, 2, 0, 1, 1))


def test_layers_in_a_dropped_part_count_as_dropped(space: Space) -> None:
    rules = make_constraints([{"at_most": number, "option": "drop"} for number in (2, 3)], space)
    dropped = (0, 0, 0, 0, 0)  # an attention and its two weights
    assert [rule.holds(space, dropped) for rule in rules] == [False, True]


def test_without_layers_all_are_counted(space: Space) -> None:
    assert make_constraints([{"at_least": 2, "option": "keep"}], space) == (
        Count(bound="at_least", number=2, option=("keep",), layers=("*",)),
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("at most 3", r"constraints\[1\] must be a mapping such as \{at_most: 3, .* got 'at most 3'"),
        ({"at_mots": 3, "option": "*"}, r"unknown key of constraints\[1\] 'at_mots'; did you mean 'at_most'"),
        ({"at_most": 3}, r"constraints\[1\] needs option and one of at_most and at_least, got \{'at_most': 3\}"),
        ({"option": "*"}, r"needs option and one of at_most and at_least, got \{'option': '\*'\}"),
        ({"at_most": 3, "at_least": 1, "option": "*"}, r"one of at_most and at_least, got \{'at_most': 3, 'at_least'"),
        ({"at_most": -1, "option": "*"}, r"constraints\[1\]\.at_most must be a whole number of layers, .* got -1"),
        ({"at_least": 1.5, "option": "*"}, r"at_least must be a whole number of layers, 0 or more, got 1\.5"),
        ({"at_least": True, "option": "*"}, r"at_least must be a whole number of layers, 0 or more, got True"),
        ({"at_most": 1, "option": 3}, r"constraints\[1\]\.option must be a glob such as .* got 3"),
        ({"at_most": 1, "option": []}, r"option must be a glob such as .* got \[\]"),
        ({"at_most": 1, "option": "*", "layers": "*.w7"}, r"constraints\[1\]\.layers: '\*\.w7' matches no layer"),
        ({"at_most": 1, "option": "*", "layers": "block0.attn.w"}, r"did you mean 'block0\.attn\.w[01]'"),
        ({"at_most": 1, "option": "*-int3-*"}, r"option: '\*-int3-\*' matches no option; there is, say, 'rtn-int2-c"),
        ({"at_most": 1, "option": "rtn-int3-channel-sym"}, r"unknown option in .* 'rtn-int3-channel-sym'; did you"),
        ({"at_most": 1, "option": "drop", "layers": "block0.*"}, r"unknown option in constraints\[1\].option 'drop'"),
        ({"layer": "block0.attn.w0"}, r"takes layer and not_below, and no other key, got \{'layer': 'block0"),
        ({"layer": "a", "not_below": "b", "option": "*"}, r"takes layer and not_below, and no other key, got"),
        ({"layer": "block0.attn.w0", "not_below": "block9.attn.w0"}, r"not_below 'block9.attn.w0'; did you mean"),
        ({"layer": "block0.attn.w0", "not_below": "block0.attn.w0"}, r"compares block0\.attn\.w0 with itself"),
    ],
)
def test_what_does_not_read_is_refused_with_its_value(space: Space, asked: object, message: str) -> None:
    good = {"at_most": 3, "option": "*-int2-*", "layers": "block0.*"}
    with pytest.raises(InputError, match=message):
        make_constraints([good, asked], space)


@pytest.mark.parametrize(
    ("budget", "asked", "message"),
    [
        (
            {"nominal_bits_per_weight": 16},
            [{"at_least": 5, "option": "keep", "layers": "*.w*"}],
            r'meets \{at_least: 5, option: "keep", layers: "\*\.w\*"\}; relax it, '
            r'for example to \{at_least: 4, option: "keep", layers: "\*\.w\*"\}, or offer',
        ),
        (
            {"nominal_bits_per_weight": 16, "dropped_attentions": 0},
            [
                {"at_most": 0, "option": "*-int2-*"},
                {"at_least": 2, "option": "keep", "layers": "block0.*"},
                {"at_most": 1, "option": "keep"},
            ],
            r'meets \{at_least: 2, option: "keep", layers: "block0\.\*"\} and '
            r'\{at_most: 1, option: "keep", layers: "\*"\} together, though each alone can be met; relax one of them, '
            r'for example to \{at_most: 2, option: "keep"',
        ),
        (  # 2 weights of 4 kept, the others dropped: 16 bits on half of all weights
            {"nominal_bits_per_weight": 7, "dropped_attentions": 0},
            [{"at_least": 2, "option": "keep", "layers": "block0.*"}],
            r"meets nominal_bits_per_weight 7 and \{at_least: 2, .*\} together, though each alone can be met; relax "
            r"one of them, for example nominal_bits_per_weight to 8\.0000, or offer more options",
        ),
        (  # an order between two counts that pin both ends
            {"nominal_bits_per_weight": 16},
            [
                {"layer": "block0.attn.w0", "not_below": "block0.attn.w1"},
                {"at_least": 1, "option": "*-int2-*", "layers": "*0.attn.w0"},
                {"at_least": 1, "option": "keep", "layers": "*0.attn.w1"},
            ],
            r"meets \{layer: block0\.attn\.w0, not_below: block0\.attn\.w1\} and \{at_least: 1, .*int2.* and \{at_least"
            r': 1, option: "keep", .*for example to \{at_least: 0, option: "keep"',
        ),
    ],
)
def test_contradictions_are_refused_with_a_way_out(
    space: Space, budget: dict[str, object], asked: list[object], message: str
) -> None:
    with pytest.raises(BudgetError, match=message):
        make_budget(budget, space, make_constraints(asked, space))


def test_what_the_way_out_says_can_be_met(space: Space) -> None:
    constraints = make_constraints([{"at_least": 2, "option": "keep", "layers": "block0.*"}], space)
    budget = make_budget({"nominal_bits_per_weight": 8}, space, constraints)
    assert any(budget.holds(space.measure(levels)) and constraints[0].holds(space, levels) for levels in every(space))


def test_flops_are_a_budget_that_drops_alone_change(space: Space) -> None:
    assert BUDGETS["flops"].measure == "flops"
    dense, dropped = space.measure((2, 2, 2, 2, 1)), space.measure((2, 2, 2, 2, 0))
    assert (dense.flops, dropped.flops) == (2 * 4 * 60, 2 * 2 * 60)
    assert space.measure((0, 0, 0, 0, 1)).flops == dense.flops
