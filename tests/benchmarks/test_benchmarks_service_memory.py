"""Memory over many evaluations: how steep it is, and a job and an API that are really watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.run import main
from benchmarks.service_memory import Moment, show, slope


def moment(num_evaluations: int, job: float, api: float) -> Moment:
    return Moment(
        num_evaluations=num_evaluations, job_bytes=round(job * 1e6), api_bytes=round(api * 1e6), job_seconds=1.0
    )


def test_the_slope_is_that_of_the_line_through_the_points() -> None:
    assert slope([(0, 100), (10, 130), (20, 160)]) == pytest.approx(3.0)
    assert slope([(0, 100), (10, 90), (20, 100)]) == pytest.approx(0.0)
    assert slope([(10, 100)]) == 0.0


def test_the_first_line_is_left_out_of_the_slopes() -> None:
    shown = show([moment(0, 100.0, 50.0), moment(10_000, 400.0, 90.0), moment(20_000, 425.5, 90.0)])
    assert "| 10,000 " in shown
    last = shown.splitlines()[-1]
    assert last.startswith("| MB per 10,000 evaluations | ")
    assert [cell.strip() for cell in last.split("|")[2:4]] == ["+25.50", "+0.00"]


def test_a_slope_that_rounds_to_nothing_has_no_minus() -> None:
    """Neither one of a byte less, nor one that only floating point makes."""
    shown = show([moment(0, 1.0, 1.0), moment(10_000, 90.000001, 90.0), moment(20_000, 90.0, 90.0)])
    assert [cell.strip() for cell in shown.splitlines()[-1].split("|")[2:4]] == ["+0.00", "+0.00"]


@pytest.mark.slow
@pytest.mark.postgres
def test_a_small_version_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERPRESS_HOME", str(tmp_path / "home"))
    out = tmp_path / "out.md"
    assert main(["service_memory", "--small", "--out", str(out)]) == 0
    cells = [line.split("|")[1].strip() for line in out.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert cells[0] == "evaluations"
    assert cells[2:] == ["0", "20", "40", "60", "MB per 10,000 evaluations"]
