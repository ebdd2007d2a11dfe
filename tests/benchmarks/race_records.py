"""Records of a race that a person made up, with the answers that follow from them."""

from __future__ import annotations

import numpy as np

from benchmarks.search.methods import (
    PUBLISHED,
    TRUST_GLOBAL,
    Method,
)
from benchmarks.search.records import Plain, Point, Record
from benchmarks.search.standing import Standing
from benchmarks.search.tasks import TASKS

BITS, DROPS = (next(task for task in TASKS if task.kind == kind) for kind in ("bits", "drops"))
EVOPRESS, FAST, GREEDY = (
    Method(name=PUBLISHED, bits={"name": "evolution"}, scope="same space", rank=0, is_published=True),
    Method(name=TRUST_GLOBAL, bits={"name": "random"}, rank=0),
    Method(name="greedy", bits={"name": "allocate"}, has_seed=False),
)
NOISE = np.linspace(-0.001, 0.001, 8)  # of the sequences: its mean is 0


def record(*points: tuple[int, float], end: int, is_cut: bool = False) -> Record:
    """(tokens read, mean KL); half of what is read is computed."""
    return Record(
        weights="abc",
        points=tuple(
            Point(read=read, computed=read // 2, levels=(1, 2), loss=kl, kl=kl * (1 + NOISE)) for read, kl in points
        ),
        read=end,
        computed=end // 2,
        num_answers=len(points),
        is_cut=is_cut,
        date="2026-01-02",
    )


# EvoPress ends at 0.10 and 0.12 after 1,000 and 1,200 tokens: the target is 0.11, at 1,100 tokens
STANDING = Standing(
    task=BITS,
    plain=[Plain(weights="abc", name="uniform", kl=0.2 * (1 + NOISE), holds=True)],
    runs={
        EVOPRESS: {0: record((100, 0.3), (900, 0.10), end=1000), 1: record((100, 0.3), (900, 0.12), end=1200)},
        FAST: {
            0: record((10, 0.15), (50, 0.105), (1100, 0.08), (1200, 0.01), end=2000),
            1: record((20, 0.11), (60, 0.10), end=60),
        },
        GREEDY: {0: record((0, 0.2), end=0)},
    },
)
