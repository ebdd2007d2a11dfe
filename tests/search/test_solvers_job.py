"""Constraints in a job file: they reach the problem, and bad ones are refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.engine.plan import Plan, make_plan
from search.spec import read_spec
from spaces.constraints import Count, NotBelow
from spaces.errors import InputError

EXAMPLES = Path(__file__).parents[2] / "examples"
Q, K = "model.layers.3.self_attn.q_proj", "model.layers.3.self_attn.k_proj"


def plan(home: Path, *constraints: object, text: str = "calibration.txt", **changes: object) -> Plan:
    raw = {
        "model": str(EXAMPLES / "reference-model"),
        "calibration": {"source": str(EXAMPLES / "text" / text), "tokens": 1024, "sequence_length": 128},
        "validation": {"source": str(EXAMPLES / "text" / "validation.txt"), "tokens": 1024},
        "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4]}, {"kind": "drop", "parts": "mlp"}]},
        "budget": {"nominal_bits_per_weight": 3.0, "flops": "18.5M"},
        "constraints": list(constraints),
        "strategy": {"name": "allocate", "solver": "integer-program"},
    }
    return make_plan(read_spec(raw | changes), home)


def test_they_reach_the_problem_and_take_part_in_it(tmp_path: Path) -> None:
    problem = plan(
        tmp_path, {"at_most": 3, "option": "*-int2-*", "layers": "*.down_proj"}, {"layer": Q, "not_below": K}
    ).problem
    assert problem.constraints == (
        Count(bound="at_most", number=3, option=("*-int2-*",), layers=("*.down_proj",)),
        NotBelow(layer=Q, floor=K),
    )
    smallest = (0,) * len(problem.space.units)  # all MLPs dropped, and with them every down_proj
    assert problem.holds(smallest)
    names = [problem.space.layers[unit.layers[0]].name for unit in problem.space.units]
    above = [int(name == K) for name in names]
    assert not problem.holds(tuple(above))


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ([{"at_most": 3, "option": "*-int5-*"}], r"constraints\[0\]\.option: '\*-int5-\*' matches no option"),
        (
            [{"layer": Q, "not_below": "model.layers.3.self_attn.kproj"}],
            r"did you mean 'model\.layers\.3\.self_attn\.k",
        ),
        (
            [{"at_most": 8, "option": "drop", "layers": "*.mlp"}, {"at_least": 9, "option": "drop", "layers": "*.mlp"}],
            r"meets \{at_most: 8, .*\} and \{at_least: 9, .*\} together",
        ),
        (["at most 3"], r"constraints\.0: Input should be a valid dictionary, got 'at most 3'"),
    ],
)
def test_bad_ones_are_refused_before_anything_is_read(tmp_path: Path, constraints: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(tmp_path, *constraints, text="no such text.txt")


def test_a_strategy_that_does_not_hold_them_is_refused_with_the_solver_that_does(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not by .*evolution, got 1; write strategy: .*integer-program"):
        plan(tmp_path, {"at_most": 3, "option": "*-int2-*"}, strategy="evolution")
