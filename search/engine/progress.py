"""What a person watching a job is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["prepare", "bank", "dense", "baselines", "search", "validation"]
PHASES: tuple[Phase, ...] = ("prepare", "bank", "dense", "baselines", "search", "validation")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One moment of a job. ``done`` of ``total`` counts the phase's work in ``unit``; total 0 is unknown."""

    phase: Phase
    label: str
    done: int = 0
    total: int = 0
    unit: str = ""
    best: float | None = None  # the least loss among candidates on the job's full text so far
    uniform: float | None = None  # the best plain choice's
    computed: int = 0
    cached: int = 0
    tokens: int = 0  # read by computed evaluations
    tokens_computed: int = 0  # for them: blocks that several share count once


Watch = Callable[[Progress], None]
