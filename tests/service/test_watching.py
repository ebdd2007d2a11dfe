"""The progress views: what a person sees of a job, on a terminal and without one."""

from __future__ import annotations

import io

from rich.console import Console

from search.engine.progress import PHASES, Progress
from service.watching import TITLES, _Lines, _View, watching


def moment(phase: str, done: int = 0, total: int = 0, label: str = "generation 3 of 6") -> Progress:
    figures = {"best": 0.0131, "uniform": 0.0191, "computed": 1234, "cached": 56, "tokens": 1_500_000}
    return Progress(phase=phase, label=label, done=done, total=total, unit="tokens", **figures)  # type: ignore[arg-type]


def shown(view: _View) -> str:
    console = Console(file=io.StringIO(), width=110)
    console.print(view.render())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_view_shows_phase_round_best_uniform_evaluations_tokens_and_time_left() -> None:
    view = _View()
    for phase in PHASES[:5]:
        view.see(moment(phase, 250, 1000))
    text = shown(view)
    assert text.count("✓") == 4
    for part in ("● search", "generation 3 of 6", "left", "best 0.01310 (-31.4%)", "uniform 0.01910"):
        assert part in text
    for part in ("1,234 computed, 56 cached", "1.50 M tokens"):
        assert part in text


def test_a_finished_view_has_a_mark_at_every_phase_that_ran() -> None:
    view = _View()
    for phase in PHASES:
        view.see(moment(phase))
    view.finish()
    text = shown(view)
    assert text.count("✓") == len(PHASES)
    assert all(title in text for title in TITLES.values())


def test_without_a_terminal_each_label_is_one_line() -> None:
    console = Console(file=io.StringIO(), width=200)
    lines = _Lines(console)
    for done in (0, 100, 200):
        lines.see(moment("search", done, 1000))
    lines.see(moment("search", 300, 1000, label="generation 4 of 6"))
    lines.see(moment("validation", label=""))  # a phase that has only begun
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue().splitlines()
    assert [line.split(" 0/")[0].split(" 300/")[0] for line in printed] == [
        "search: generation 3 of 6",
        "search: generation 4 of 6",
    ]
    assert "best 0.01310, uniform 0.01910, 1234 computed, 56 cached" in printed[0]


def test_quiet_shows_nothing(capfd: object) -> None:
    with watching(quiet=True) as watch:
        watch(moment("search"))
    assert capfd.readouterr() == ("", "")  # type: ignore[attr-defined]
