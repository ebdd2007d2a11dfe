"""How fast a job goes, by moments at times of the test's own."""

from __future__ import annotations

import pytest

from search.engine.progress import Progress
from service.runner.pace import Pace


def moment(done: int, *, total: int = 1000, computed: int = 0, phase: str = "search") -> Progress:
    return Progress(phase=phase, label="", done=done, total=total, computed=computed)  # type: ignore[arg-type]


def after(*moments: tuple[float, Progress]) -> Pace:
    pace = Pace()
    for now_s, each in moments:
        pace.note(each, now_s)
    return pace


def test_what_is_left_takes_as_long_as_what_was_done() -> None:
    pace = after((0.0, moment(0)), (10.0, moment(100, computed=5)))
    assert pace.left_s(moment(100, computed=5), 10.0) == 90.0
    assert pace.evaluations_per_minute(moment(100, computed=5), 10.0) == 30.0


def test_only_the_last_minute_counts() -> None:
    """What the store answered at the beginning went a thousand times as fast."""
    quick = [(float(second), moment(second * 100)) for second in range(6)]
    slow = [(float(second), moment(500 + (second - 5))) for second in range(6, 126)]
    pace = after(*quick, *slow)
    assert pace.left_s(moment(620), 125.0) == pytest.approx(380, rel=0.02)


@pytest.mark.parametrize(
    ("pace", "now", "at_s"),
    [
        (Pace(), moment(5), 100.0),
        (after((0.0, moment(0))), moment(50), 4.9),
        (after((0.0, moment(0))), moment(0), 60.0),
        (after((0.0, moment(0, total=0)), (9.0, moment(5, total=0))), moment(5, total=0), 10.0),
        (after((0.0, moment(500))), moment(100), 10.0),
    ],
    ids=["nothing seen", "too soon", "nothing done", "no total", "it went back"],
)
def test_nobody_can_say_yet(pace: Pace, now: Progress, at_s: float) -> None:
    assert pace.left_s(now, at_s) is None


def test_a_new_phase_begins_anew() -> None:
    pace = after((0.0, moment(0)), (60.0, moment(900)), (61.0, moment(0, phase="validation")))
    assert pace.left_s(moment(1, phase="validation"), 62.0) is None
    assert pace.left_s(moment(100, phase="validation"), 71.0) == 90.0


def test_a_silent_job_slows_down() -> None:
    pace = after((0.0, moment(0)), (10.0, moment(100)))
    left = [pace.left_s(moment(100), at_s) for at_s in (10.0, 20.0, 40.0)]
    assert left == [90.0, 180.0, 360.0]


def test_more_than_was_planned_leaves_nothing() -> None:
    assert after((0.0, moment(0))).left_s(moment(1200), 12.0) == 0.0


def test_it_remembers_no_more_than_a_minute() -> None:
    pace = after(*((number / 100, moment(number)) for number in range(20_000)))
    assert len(pace._seen) < 70
