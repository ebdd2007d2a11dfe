"""What the dashboard costs: the tables say what was measured, and a small version is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.browser import chromium_path
from benchmarks.dashboard_report import Costs, Wire, described
from benchmarks.run import main


def test_the_tables_hold_the_medians_and_the_heaviest_load() -> None:
    loads = {
        "jobs": Wire(num_requests=54, num_bytes=92_400, unpacked=165_000),
        "a job": Wire(num_requests=119, num_bytes=430_600, unpacked=1_656_000),
    }
    costs = Costs(
        plot=[500.0, 700.0, 600.0], everything=[650.0], strip=[30.0, 50.0], update=[80.0, 90.0, 100.0], longest=[0.0]
    )
    told = described("156.0", loads, {10_000: costs})
    assert "The heaviest first load takes 431 kB; the aim is 450 kB." in told
    assert "3 loads, 2 clicks on rows of the table, 3 updates of 20 new candidates" in told
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines() if line.startswith("|")]
    assert ["a job", "119", "431", "1656"] in rows
    assert rows[-1] == [
        "10,000",
        "600 (500 to 700)",
        "650 (650 to 650)",
        "40 (30 to 50)",
        "90 (80 to 100)",
        "0 (0 to 0)",
    ]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(not chromium_path().exists(), reason="needs Chromium")
def test_a_small_version_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERPRESS_HOME", str(tmp_path / "home"))
    out = tmp_path / "out.md"
    assert main(["dashboard", "--small", "--out", str(out)]) == 0
    rows = [line.split("|")[1].strip() for line in out.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert rows[:3] == ["first load of", "---------------------", "jobs"]
    assert rows[-1] == "100"
