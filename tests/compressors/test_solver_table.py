"""The names of solvers: spaces offers them, compressors implements them, and neither may know one more."""

from __future__ import annotations

import pytest

from compressors.solvers import SOLVERS, solver_version
from spaces import option
from spaces.tables import load


def test_every_solver_that_an_option_may_name_is_implemented_and_no_other() -> None:
    assert set(SOLVERS) == {*option.SOLVERS, "ggml"}  # which no quantize option names


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_loads_and_has_a_version_for_the_banks_keys(name: str) -> None:
    assert callable(load(SOLVERS, name, "solver"))
    assert solver_version(name)
