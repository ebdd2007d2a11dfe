"""Shows a running job: a live view on a terminal, a line now and then elsewhere. Always on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from search.engine import progress as job
from search.engine.progress import PHASES, Watch

LINE_EVERY_S = 10.0  # without a terminal, within one phase
TITLES = {
    "prepare": "prepare",
    "bank": "compress layers",
    "dense": "run dense model",
    "baselines": "plain choices",
    "search": "search",
    "validation": "validate",
}


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """Give a function that shows each moment of a job; ``quiet`` shows nothing."""
    console = Console(stderr=True)
    if quiet:
        yield lambda moment: None
    elif console.is_terminal:
        view = _View()
        with Live(console=console, get_renderable=view.render, refresh_per_second=4, transient=True):
            yield view.see
        view.finish()
        console.print(view.render())
    else:
        yield _Lines(console).see


class _View:
    """The table of phases with bars, and the figures under it."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.fields[mark]}"),
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[detail]}", style="dim"),
        )
        self._tasks: dict[str, TaskID] = {}
        self._moment = job.Progress(phase="prepare", label="")

    def see(self, moment: job.Progress) -> None:
        self._moment = moment
        for phase in PHASES[: PHASES.index(moment.phase)]:
            self._finish(phase)
        if moment.phase not in self._tasks:
            title = TITLES[moment.phase]
            self._tasks[moment.phase] = self._bars.add_task(title, total=None, mark="[cyan]●", left="", detail="")
        self._bars.update(
            self._tasks[moment.phase],
            total=moment.total or None,
            completed=min(moment.done, moment.total),
            left="left" if moment.total else "",
            detail=moment.label,
        )

    def finish(self) -> None:
        """Everything is done."""
        for phase in PHASES:
            self._finish(phase)

    def _finish(self, phase: str) -> None:
        task = self._tasks.pop(phase, None)
        if task is not None:
            self._bars.update(task, total=1, completed=1, mark="[green]✓", left="", detail="")
            self._bars.stop_task(task)

    def render(self) -> Group:
        return Group(self._bars, _figures(self._moment))


def _figures(moment: job.Progress) -> Table:
    """Best so far against the uniform baseline, and what it cost."""
    table = Table.grid(padding=(0, 3))
    best = "–" if moment.best is None else f"{moment.best:.5f}"
    uniform = "–" if moment.uniform is None else f"{moment.uniform:.5f}"
    gain = ""
    if moment.best is not None and moment.uniform:
        gain = f" ({moment.best / moment.uniform - 1:+.1%})"
    table.add_row(
        Text(f"best {best}{gain}", style="bold green"),
        Text(f"uniform {uniform}"),
        Text(f"{moment.computed:,} computed, {moment.cached:,} cached"),
        Text(f"{moment.tokens / 1e6:.2f} M tokens"),
    )
    return table


class _Lines:
    """One line for each phase and label, and for every ten seconds within one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[str, str] = ("", "")
        self._last_s = 0.0

    def see(self, moment: job.Progress) -> None:
        now = time.monotonic()
        if not moment.label or ((moment.phase, moment.label) == self._last and now - self._last_s < LINE_EVERY_S):
            return
        self._last, self._last_s = (moment.phase, moment.label), now
        done = f" {moment.done:,}/{moment.total:,} {moment.unit}" if moment.total else ""
        best = "" if moment.best is None else f", best {moment.best:.5f}"
        uniform = "" if moment.uniform is None else f", uniform {moment.uniform:.5f}"
        counts = f", {moment.computed} computed, {moment.cached} cached" if moment.computed + moment.cached else ""
        self._console.print(
            f"{TITLES[moment.phase]}: {moment.label}{done}{best}{uniform}{counts}", highlight=False, soft_wrap=True
        )
