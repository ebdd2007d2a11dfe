"""What was hoped for, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.search.methods import TRUST_GLOBAL, TRUST_SAME
from benchmarks.search.standing import Standing, Summary

TIMES_FEWER = {"3.0-bits": 20.0, "2.5-bits": 10.0, "2.25-bits": 10.0, "drop-2": 8.0, "drop-4": 8.0, "drop-6": 8.0}
LESS_SAME_SPACE, LESS_GLOBAL = 0.05, 0.15


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One number for one method at one task: times fewer tokens to EvoPress' KL, or less KL at EvoPress' tokens."""

    task: str
    method: str
    kind: Literal["times fewer tokens", "less KL"]
    least: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a goal."""

    wanted: str
    got: str
    is_met: bool | None  # None: not measured


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
    judged = _tokens(goal, summary) if goal.kind == "times fewer tokens" else _loss(goal, summary)
    return Verdict(wanted=wanted, got=judged[0], is_met=judged[1])


def _tokens(goal: Goal, summary: Summary) -> tuple[str, bool]:
    reach, computed = summary.read_to_reach, summary.computed_to_reach
    assert reach is not None  # EvoPress was run
    assert computed is not None
    seeds = f"{reach.num_reaching} of {reach.num_seeds} seeds"
    if reach.times_fewer is None or computed.times_fewer is None:
        return f"EvoPress' KL reached by {seeds}", False
    shown = f"{reach.times_fewer:.1f} x fewer read, {computed.times_fewer:.1f} x computed ({seeds})"
    return shown, reach.times_fewer >= goal.least


def _loss(goal: Goal, summary: Summary) -> tuple[str, bool]:
    change = summary.at_equal_tokens
    if change is None:
        return "no answer by then", False
    count = len(summary.seeds)
    word = "less" if change.mean <= 0 else "more"
    return (
        f"{abs(change.mean):.1%} ± {change.se:.1%} {word} ({count} seed{'s' * (count > 1)})",
        -change.mean >= goal.least,
    )
