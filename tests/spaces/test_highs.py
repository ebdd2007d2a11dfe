"""HiGHS: what C code prints while it runs stays off stdout, and programs are solved as asked."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

from spaces.highs import REFUTED, solve, stdout_on_stderr


def test_what_c_code_prints_goes_to_stderr_and_stdout_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    libc = ctypes.CDLL(None)
    libc.puts(b"before")
    with stdout_on_stderr():
        libc.puts(b"chatter")
    print("after", flush=True)  # noqa: T201
    out, err = capfd.readouterr()
    assert out.splitlines() == ["before", "after"]
    assert err.splitlines() == ["chatter"]


def test_stdout_comes_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), stdout_on_stderr():
        1 / 0  # noqa: B018
    print("after", flush=True)  # noqa: T201
    assert capfd.readouterr().out == "after\n"


def test_the_cheapest_binaries_are_found_and_an_infinite_cost_keeps_one_at_zero() -> None:
    pick_two = LinearConstraint(np.ones((1, 4)), 2, 2)
    solution = solve(np.array([3.0, 1.0, np.inf, 2.0]), [pick_two], gap=0.0)
    assert solution.x.round().tolist() == [0, 1, 0, 1]
    both = LinearConstraint(np.array([[0.0, 0.0, 1.0, 0.0]]), 1, 1)
    assert solve(np.array([3.0, 1.0, np.inf, 2.0]), [both], gap=0.0).status == REFUTED
