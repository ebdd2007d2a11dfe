"""Simulated workers: light, honest about their time, and put to work by the real engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.run import main
from benchmarks.scheduling import FULL, Timing
from benchmarks.simulated import Root, SimulatedSetup, SimulatedWorker
from spaces.configuration import Configuration


def test_a_simulated_worker_does_not_load_torch() -> None:
    """Dozens of them are started on a small machine."""
    script = "import sys, benchmarks.simulated; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_simulated_worker_says_how_long_it_took(tmp_path: Path) -> None:
    setup = SimulatedSetup(folder=tmp_path, bank=Root(root=tmp_path), evaluation_s=0.01)
    candidates = [Configuration.of({})] * 3
    measured, seconds = SimulatedWorker(setup).measure_each("calibration", tmp_path, candidates, 4, 8)
    assert seconds >= 3 * 0.01
    assert [(len(each.kl), len(each.nll)) for each in measured] == [(4, 4)] * 3


def test_the_share_is_of_all_workers_time() -> None:
    rounds = Timing(evaluations=8, work_s=3.0, wall_s=1.0) + Timing(evaluations=8, work_s=3.0, wall_s=2.0, cpu_s=0.1)
    assert rounds == Timing(evaluations=16, work_s=6.0, wall_s=3.0, cpu_s=0.1)
    assert rounds.share(4) == 0.5


def test_the_numbers_of_workers_are_those_that_are_promised() -> None:
    assert {workers for _, workers, _ in FULL.arms} == {1, 2, 8, 32, 64}
    assert FULL.evaluation_s == 0.05


@pytest.mark.slow
@pytest.mark.postgres
def test_a_small_version_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERPRESS_HOME", str(tmp_path / "home"))
    out = tmp_path / "out.md"
    assert main(["scheduling", "--small", "--out", str(out)]) == 0
    text = out.read_text("utf-8")
    assert "| 2, SQLite " in text
    assert "| evaluations, claimed and completed 8 at a time " in text
