"""The section of BENCHMARKS.md and its pictures, made of what was measured so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.search.front import load_front, show_front
from benchmarks.search.methods import Method, Scope
from benchmarks.search.plots import TITLES, draw
from benchmarks.search.queue import SEEDS, Trial, queue
from benchmarks.search.records import Record, Records
from benchmarks.search.scaling import show_scaling
from benchmarks.search.standing import Standing
from benchmarks.search.tables import show_ablations, show_done, show_goals, show_plain, show_scope
from benchmarks.search.tasks import Task
from service.pictures.replacement import replace_file

COMMAND = "python -m benchmarks.search"


def write_report(records: Records, tasks: Sequence[Task], methods: Sequence[Method], pictures: Path) -> str:
    """The section's body; pictures of the tasks at which anything was run are drawn into the folder."""
    trials = queue(tasks, methods, SEEDS)
    found = {trial: record for trial in trials if (record := records.load(trial)) is not None}
    standings = {task.name: _standing(task, found, records) for task in tasks}
    parts = [
        _facts(len(found), len(trials), [str(trial) for trial in records.outdated(trials)], found),
        f"### EvoPress' settings, scaled\n\n{show_scaling()}",
        f"### Goals\n\n{show_goals(standings, tasks)}",
    ]
    for task in tasks:
        if standings[task.name].runs:
            parts.append(_section(standings[task.name], pictures))
    fronts = [front for seed in SEEDS if (front := load_front(records, seed)) is not None]
    if fronts:
        parts.append(f"### Nine budgets at once\n\n{show_front(fronts, standings)}")
    parts.append(f"### What was run\n\n{show_done(standings, tasks, methods)}")
    return "\n\n".join(parts)


def _standing(task: Task, found: dict[Trial, Record], records: Records) -> Standing:
    runs: dict[Method, dict[int, Record]] = {}
    for trial, record in sorted(found.items(), key=lambda item: item[0].seed):
        if trial.task is task:
            runs.setdefault(trial.method, {})[trial.seed] = record
    return Standing(task=task, plain=records.load_plain(task) or [], runs=runs)


def _facts(num_found: int, num_trials: int, outdated: list[str], found: dict[Trial, Record]) -> str:
    dates = sorted(record.date for record in found.values())
    measured = f", measured from {dates[0]} to {dates[-1]}" if dates else ""
    old = (
        f" {len(outdated)} more have other settings by now and are left out: {'; '.join(outdated)}." if outdated else ""
    )
    return (
        f"`{COMMAND} report`, {datetime.now(UTC):%Y-%m-%d}, on {describe_machine()}. "
        f"{num_found} of {num_trials} trials are finished{measured}; the last table says which.{old}"
    )


def _section(standing: Standing, pictures: Path) -> str:
    """One task: its picture, the plain choices and a table for each space."""
    picture = pictures / f"search-{standing.task.name}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    replace_file(picture, draw(standing))
    parts = [f"### The {standing.task.title}", f"![{standing.task.title}]({picture.as_posix()})"]
    if standing.plain:
        parts.append(show_plain(standing.plain))
    scopes: list[Scope] = ["same space"] if standing.task.kind == "drops" else ["same space", "global"]
    for scope in scopes:
        parts.append(f"#### {TITLES[scope]}\n\n{show_scope(standing, scope)}")
    ablations = show_ablations(standing)
    if ablations is not None:
        parts.append(f"#### Without one of its parts, and for longer\n\n{ablations}")
    return "\n\n".join(parts)
