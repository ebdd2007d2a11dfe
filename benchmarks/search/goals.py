"""What was hoped for, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.search.methods import TRUST_GLOBAL, TRUST_SAME
from benchmarks.search.standing import Arrival, Standing, Summary, span

TIMES_FEWER = {"3.0-bits": 20.0, "2.5-bits": 10.0, "2.25-bits": 10.0, "drop-2": 8.0, "drop-4": 8.0, "drop-6": 8.0}
LESS_SAME_SPACE, LESS_GLOBAL = 0.05, 0.15


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One number for one method at one task: times fewer tokens to EvoPress' KL, or less KL at EvoPress' tokens.

    Fewer tokens than EvoPress reads in all, and as much fewer than it reads until it is first where it ends.
    """

    task: str
    method: str
    kind: Literal["times fewer tokens", "less KL"]
    least: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a goal."""

    wanted: str
    got: str
    is_met: bool | None  # None: what was measured does not tell


def goals(task: str) -> list[Goal]:
    """Those of one task. Tokens are counted in both spaces; dropping knows one alone."""
    budget = task.partition("-")[2]
    is_drop = budget.startswith("drop")
    methods = (TRUST_SAME,) if is_drop else (TRUST_SAME, TRUST_GLOBAL)
    fewer = [
        Goal(task=task, method=method, kind="times fewer tokens", least=TIMES_FEWER[budget])
        for method in methods
        if budget in TIMES_FEWER
    ]
    shares = dict(zip((TRUST_SAME, TRUST_GLOBAL), (LESS_SAME_SPACE, LESS_GLOBAL), strict=True))
    return fewer + [Goal(task=task, method=method, kind="less KL", least=shares[method]) for method in methods]


def judge(goal: Goal, standings: Mapping[str, Standing]) -> Verdict:
    """Held against what was measured."""
    wanted = f"{goal.least:g} x fewer" if goal.kind == "times fewer tokens" else f"{goal.least:.0%} less KL"
    standing = standings.get(goal.task)
    method = None if standing is None else standing.find(goal.method)
    if standing is None or method is None or not standing.published:
        return Verdict(wanted=wanted, got="not run", is_met=None)
    summary = standing.summarize(method)
    judged = (
        _tokens(goal, summary, standing.published_reach) if goal.kind == "times fewer tokens" else _loss(goal, summary)
    )
    return Verdict(wanted=wanted, got=judged[0], is_met=judged[1])


def _tokens(goal: Goal, summary: Summary, own: Arrival | None) -> tuple[str, bool | None]:
    read, computed = summary.read_to_reach, summary.computed_to_reach
    assert read is not None  # EvoPress was run
    assert computed is not None
    assert own is not None
    seeds = f"{read.num_reaching} of {read.num_seeds} seeds"
    if read.times_fewer is None or computed.times_fewer is None:
        return f"EvoPress' KL reached by {seeds}", False
    least = read.times_fewer[0]
    shown = f"{least:.1f} x fewer read, {computed.times_fewer[0]:.1f} x computed ({seeds}); "
    if own.times_fewer is None:
        return f"{shown}EvoPress itself is there on {own.num_reaching} of {own.num_seeds}", least >= goal.least
    until = [least / each for each in reversed(own.times_fewer)]
    shown += f"{span(until, '.1f')} x fewer read than until EvoPress first is there"
    return shown, None if until[0] < goal.least <= until[1] else until[0] >= goal.least


def _loss(goal: Goal, summary: Summary) -> tuple[str, bool]:
    change = summary.at_equal_tokens
    if change is None:
        return "no answer by then", False
    count = len(summary.seeds)
    word = "less" if change.mean <= 0 else "more"
    shown = str(replace(change, mean=abs(change.mean))).lstrip("+")
    return f"{shown} {word} ({count} seed{'s' * (count > 1)})", -change.mean >= goal.least
