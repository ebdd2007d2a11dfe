"""The race as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.document import table
from benchmarks.search.goals import goals, judge
from benchmarks.search.methods import PUBLISHED, TRUST_GLOBAL, TRUST_SAME, Method, Scope
from benchmarks.search.paired import relative_change
from benchmarks.search.records import Plain
from benchmarks.search.standing import Arrival, Runs, Standing, Summary, span
from benchmarks.search.tasks import Task
from search.report import standard_error

STANDING_HEADER = (
    "",
    "seeds",
    "validation KL ± s.e.",
    "lowest to highest seed",
    "tokens read",
    "computed",
    "read to EvoPress' KL",
    "times fewer",
    "computed to EvoPress' KL",
    "times fewer",
    "KL at EvoPress' tokens, paired ± s.e. over text ± over seeds",
)
ABLATION_HEADER = (
    "",
    "seeds",
    "validation KL ± s.e.",
    "KL over the full one's, paired ± s.e. over text ± over seeds",
    "tokens read",
    "computed",
)
MARKS = {True: "met", False: "missed", None: "open"}


def show_scope(standing: Standing, scope: Scope) -> str:
    """Every method that was run in one space, the least KL first behind EvoPress as published."""
    rows = [standing.summarize(method) for method in standing.in_scope(scope)]
    rows.sort(key=lambda each: (each.method.name != PUBLISHED, each.kl))
    return table(STANDING_HEADER, [_row(each) for each in rows])


def _row(summary: Summary) -> tuple[str, ...]:
    change = None if summary.method.name == PUBLISHED else summary.at_equal_tokens
    spread = f"{summary.lowest:.5f} to {summary.highest:.5f}" if len(summary.seeds) > 1 else ""
    return (
        summary.method.name + (" (cut)" if summary.is_cut else ""),
        show_seeds(summary.seeds, summary.method),
        f"{summary.kl:.5f} ± {summary.kl_se:.5f}",
        spread,
        f"{summary.read:,.0f}",
        f"{summary.computed:,.0f}",
        *_reach(summary.read_to_reach),
        *_reach(summary.computed_to_reach),
        "" if change is None else str(change),
    )


def _reach(arrival: Arrival | None) -> tuple[str, str]:
    if arrival is None:
        return "", ""
    if arrival.tokens is None or arrival.times_fewer is None:
        return f"{arrival.num_reaching} of {arrival.num_seeds} seeds" if arrival.num_reaching else "never", ""
    tokens = span([arrival.tokens.after, arrival.tokens.by], ",.0f")
    return tokens, span(arrival.times_fewer, ".1f") if arrival.tokens.by else "reads none"


def show_plain(plain: Sequence[Plain]) -> str:
    """The plain choices on unseen text."""
    rows = [
        (each.name, f"{each.kl.mean():.5f} ± {standard_error(each.kl):.5f}", "" if each.holds else "over budget")
        for each in plain
    ]
    return table(("plain choice", "validation KL ± s.e.", ""), rows)


def show_ablations(standing: Standing) -> str | None:
    """What each part of the strategy is worth, and more time, on the seeds that both ran; None where nothing was."""
    full = standing.find(TRUST_GLOBAL if standing.task.kind == "bits" else TRUST_SAME)
    ablated = {method: runs for method, runs in standing.runs.items() if method.scope == "ablation"}
    if full is None or not ablated:
        return None
    others = set[int]().union(*ablated.values())
    whole = {seed: record for seed, record in standing.runs[full].items() if seed in others}
    rows = [_ablation(method, runs, whole) for method, runs in [(full, whole), *ablated.items()]]
    _, seeds, kl, _, read, _ = rows[0]
    # every answer is the same without it, and all that is read is computed
    rows.insert(1, ("trust-region without prefix reuse", seeds, kl, "the same answers", read, read))
    return table(ABLATION_HEADER, rows)


def _ablation(method: Method, runs: Runs, whole: Runs) -> tuple[str, ...]:
    seeds = [seed for seed in runs if seed in whole]
    if not seeds:
        return (method.name, "none in common", "", "", "", "")
    own, other = (np.array([each[seed].kl for seed in seeds]) for each in (runs, whole))
    read, computed = (np.mean([getattr(runs[seed], name) for seed in seeds]) for name in ("read", "computed"))
    return (
        method.name,
        show_seeds(seeds, method),
        f"{own.mean():.5f} ± {standard_error(own.mean(axis=0)):.5f}",
        "" if runs is whole else str(relative_change(own, other)),
        f"{read:,.0f}",
        f"{computed:,.0f}",
    )


def show_goals(standings: Mapping[str, Standing], tasks: Sequence[Task]) -> str:
    """Every goal of every task, with what came out."""
    rows = []
    for goal in (goal for task in tasks for goal in goals(task.name)):
        verdict = judge(goal, standings)
        rows.append((goal.task, goal.method, verdict.wanted, verdict.got, MARKS[verdict.is_met]))
    return table(("task", "method", "goal", "got", ""), rows)


def show_done(standings: Mapping[str, Standing], tasks: Sequence[Task], methods: Sequence[Method]) -> str:
    """Which seeds of which method were run at which task."""

    def cell(task: Task, method: Method) -> str:
        if not method.takes_part(task):
            return "no part"
        runs = standings[task.name].runs.get(method)
        return show_seeds(list(runs), method) if runs else "not run"

    rows = [(method.name, *(cell(task, method) for task in tasks)) for method in methods]
    return table(("seeds that were run", *(task.name for task in tasks)), rows)


def show_seeds(seeds: Sequence[int], method: Method) -> str:
    """``0 to 4``, ``0, 2``, or ``all`` for a method that has none."""
    if not method.has_seed:
        return "all"
    ordered = sorted(seeds)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered))
