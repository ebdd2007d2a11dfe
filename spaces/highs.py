"""HiGHS through scipy, for programs of binaries: the same answer on every machine, and nothing on stdout."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp

MAX_NODES = 100_000  # of a search tree: a limit on time would make the answer depend on the machine
REFUTED, STOPPED = 2, 1  # scipy's status of a program without a solution, and of one not decided within MAX_NODES

_stdout = threading.Lock()  # the file descriptor belongs to the whole process


def solve(
    costs: NDArray[np.float64],  # (binaries,), infinity keeps one at 0
    constraints: Sequence[LinearConstraint],
    *,
    gap: float,
) -> OptimizeResult:
    """The least total cost, up to the relative ``gap`` and to HiGHS' own tolerances of 1e-6."""
    is_open = np.isfinite(costs)
    with stdout_on_stderr():
        return milp(
            np.where(is_open, costs, 0.0),
            integrality=np.ones(len(costs)),
            bounds=Bounds(0, is_open.astype(float)),
            constraints=constraints,
            options={"node_limit": MAX_NODES, "mip_rel_gap": gap},
        )


@contextmanager
def stdout_on_stderr() -> Iterator[None]:
    """HiGHS now and then prints a line for its own developers, whatever its options say, which would spoil JSON.

    C buffers what it prints: its buffers are emptied before stdout leads elsewhere, and before it leads back.
    """
    flush = ctypes.CDLL(None).fflush
    with _stdout:
        sys.stdout.flush()
        flush(None)
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            yield
        finally:
            flush(None)
            os.dup2(kept, 1)
            os.close(kept)
