"""Min-max against every configuration: the least largest score, then the least sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import (
    SPACES,
    answer_of,
    cost_of,
    cost_tables,
    limit_on,
    limits,
    open_levels,
    problem_of,
    shown_costs,
    space_named,
)

from search.solvers.min_max import MinMax, least_largest
from spaces.errors import JobError


@pytest.mark.parametrize("measure", ["stored_bits", "nominal_bits", "flops"])
@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_the_largest_score_is_least_and_then_the_sum(name: str, measure: str, data: st.DataObject) -> None:
    space = space_named(name)
    problem = problem_of(space, data.draw(limits(space, measure)))
    costs = data.draw(cost_tables(space, closed=data.draw(st.booleans())))
    ranked = [
        (max(shown_costs(space, costs, levels)), cost_of(space, costs, levels))
        for levels in open_levels(problem, costs)
    ]
    if not ranked:
        with pytest.raises(JobError, match=r"no option: all cost infinity|for the options that the scores leave open"):
            answer_of(MinMax(), problem, costs)
        return
    answer = answer_of(MinMax(), problem, costs)
    assert problem.holds(answer)
    assert (max(shown_costs(space, costs, answer)), cost_of(space, costs, answer)) == min(ranked)
    assert least_largest(problem, costs) == min(ranked)[0]


def test_it_gives_up_sum_for_the_largest() -> None:
    """Two bits everywhere but in one unit would add up to less; the worst unit sets the price."""
    space = space_named("weights")
    problem = problem_of(space, limit_on("nominal_bits", 3 * space.num_weights))
    costs = [np.array([4.0, 3.0, 1.0, 0.0])] + [np.array([3.5, 3.2, 3.1, 0.0])] * 3
    answer = answer_of(MinMax(), problem, costs)
    assert max(shown_costs(space, costs, answer)) == 3.2
    assert answer[1:] == (1, 1, 1)
