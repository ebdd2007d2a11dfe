"""How much faster the exact knapsack is than HiGHS and than a plain dynamic program, side by side in one run."""

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

SHAPES = ((224, 5), (224, 16), (1_000, 16), (10_000, 16))  # items, options; 224: an 8-billion-parameter Llama's
SMALL_SHAPES = ((24, 5),)
HALF_BITS = 2  # options are half a bit apart, so that sizes share a large divisor: the plain program's best case
NUM_WEIGHTS = np.array([4096, 1024, 1024, 4096, 14336, 14336, 14336]) * 4096  # q, k, v, o, gate, up, down
TIME_LIMIT_S = 60.0
MAX_TABLE_BYTES = 4 << 30  # of the plain program's choices, one byte for each item and size
REPEATS = 5
HEADER = (
    "items x options",
    "knapsack, ms",
    "plain program, ms",
    "ratio",
    "its answer, in whole bits",
    "HiGHS, ms",
    "ratio",
    "its answer, in whole bits",
)

Answer = TypeVar("Answer")


def llama_like(num_items: int, num_options: int, seed: int) -> tuple[list[Item], int]:
    """Items whose cost falls fourfold per bit, up to noise, and a limit at 35 % of the way from least to most."""
    rng = np.random.default_rng(seed)
    bits = 2 + np.arange(num_options) / HALF_BITS
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


def solve_plain(items: list[Item], limit: int) -> list[int] | None:
    """The textbook program: for each size the least cost of the items so far; None where its table is too large."""
    unit = int(np.gcd.reduce(np.concatenate([item.sizes for item in items])))
    room = limit // unit
    if len(items) * (room + 1) > MAX_TABLE_BYTES:
        return None
    best = np.zeros(room + 1)  # by size in units, at most
    choices = np.zeros((len(items), room + 1), dtype=np.uint8)
    for item, chosen in zip(items, choices, strict=True):
        reached = np.full(room + 1, np.inf)
        for option, (size, cost) in enumerate(zip((item.sizes // unit).tolist(), item.costs.tolist(), strict=True)):
            if size <= room:
                candidate = best[: room + 1 - size] + cost
                better = candidate < reached[size:]
                reached[size:][better] = candidate[better]
                chosen[size:][better] = option
        best = reached
    picks: list[int] = []
    for item, chosen in zip(reversed(items), reversed(choices), strict=True):
        picks.append(int(chosen[room]))
        room -= int(item.sizes[picks[-1]]) // unit
    return picks[::-1]


def _chosen(x: NDArray[np.float64], owner: NDArray[np.int64]) -> list[int]:
    columns = np.flatnonzero(x > 0.5)
    return [int(column - np.searchsorted(owner, owner[column])) for column in columns]


def _timed(solve: Callable[[list[Item], int], Answer], items: list[Item], limit: int) -> tuple[Answer, float]:
    start = time.perf_counter()
    answer = solve(items, limit)
    return answer, time.perf_counter() - start


def measure_knapsack(bench: Bench) -> str:
    """A table with one row for each shape: the best of a few runs of ours, one run of each of the others."""
    rows = []
    for num_items, num_options in SMALL_SHAPES if bench.is_small else SHAPES:
        bench.say(f"knapsack: {num_items} x {num_options} against HiGHS and a plain dynamic program")
        items, limit = llama_like(num_items, num_options, seed=0)
        ours, ours_s = min((_timed(knapsack, items, limit) for _ in range(REPEATS)), key=lambda timed: timed[1])
        plain, plain_s = _timed(solve_plain, items, limit)
        theirs, theirs_s = _timed(solve_highs, items, limit)
        rows.append(
            (
                f"{num_items:,} x {num_options}",
                f"{1e3 * ours_s:.1f}",
                *(("table too large", "") if plain is None else _against(plain_s, ours_s)),
                "" if plain is None else _compare(items, limit, ours, plain),
                *_against(theirs_s, ours_s),
                f"unproven after {TIME_LIMIT_S:g} s" if theirs is None else _compare(items, limit, ours, theirs),
            )
        )
    return table(HEADER, rows)


def _against(theirs_s: float, ours_s: float) -> tuple[str, str]:
    return f"{1e3 * theirs_s:,.0f}", f"{theirs_s / ours_s:,.0f}"


def _compare(items: list[Item], limit: int, ours: list[int], theirs: list[int]) -> str:
    size, cost = _totals(items, theirs)
    if size > limit:
        return f"{size - limit} bits over the limit"
    return f"within the limit, cost {cost / _totals(items, ours)[1] - 1:+.1e} relative to ours"


def _totals(items: list[Item], options: list[int]) -> tuple[int, float]:
    pairs = list(zip(items, options, strict=True))
    return sum(int(item.sizes[j]) for item, j in pairs), float(sum(item.costs[j] for item, j in pairs))
