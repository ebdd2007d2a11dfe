"""A job's trials in an Optuna storage, and jobs that Optuna's samplers search, by the real command."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import optuna
import pytest
from command_line import layerpress, write_job

RUNGS = [512, 2048]
MIXED = [{"kind": "drop", "parts": ["attention", "mlp"]}, {"kind": "quantize", "bits": [3, 4], "group_size": 64}]


@pytest.mark.slow
def test_a_job_writes_its_trials_once_and_optuna_reads_them(job: dict[str, Any], tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/trials.db"
    path, out = write_job(tmp_path, {**job, "name": "demo"}), tmp_path / "out"
    for _ in range(2):
        ran = layerpress("run", path, "--out", out, "--optuna", storage, "--quiet", home=tmp_path / "home")
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr == ""
    study = optuna.load_study(study_name="demo", storage=storage)
    report = json.loads((out / "report.json").read_text())
    trials = {trial.user_attrs["configuration_id"]: trial for trial in study.trials}
    assert len(trials) == len(study.trials)
    assert {row["configuration_id"] for row in [*report["baselines"], *report["front"]]} <= set(trials)
    assert len(trials) > len(report["baselines"])
    assert min(trial.values[0] for trial in study.trials) == min(row["kl_calibration"] for row in report["front"])
    found = trials[report["found"]["configuration_id"]]
    assert found.values == [report["found"]["kl_calibration"], report["found"]["size_bytes"]]
    if report["answer"]["configuration_id"] == report["found"]["configuration_id"]:
        assert found.params == json.loads((out / "configuration.json").read_text())
    fits = {id_ for id_, trial in trials.items() if trial.user_attrs["nominal_bits_per_weight"] <= 3.0}
    assert {row["configuration_id"] for row in report["baselines"]} <= fits


@pytest.mark.slow
def test_a_storage_that_cannot_be_opened_is_refused_before_any_work(job: dict[str, Any], tmp_path: Path) -> None:
    path = write_job(tmp_path, job)
    ran = layerpress("run", path, "--optuna", "sqlite:////no/such/trials.db", "--quiet", home=tmp_path / "home")
    assert ran.returncode == 2
    assert "cannot open the Optuna storage 'sqlite:////no/such/trials.db'" in ran.stderr
    assert not list((tmp_path / "home").glob("dense/*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [
        {"name": "nsga2", "trials": 12, "batch": 6, "rungs": RUNGS, "finalists": 2},
        {"name": "tpe", "trials": 12, "batch": 6, "startup": 6, "rungs": RUNGS, "pruner": "median"},
        {"name": "surrogate", "archive": 6, "rounds": 1, "proposals": 4, "generations": 4, "rungs": RUNGS},
    ],
    ids=lambda strategy: str(strategy["name"]),
)
def test_a_second_run_asks_the_same_and_computes_nothing(
    strategy: dict[str, Any], job: dict[str, Any], tmp_path: Path
) -> None:
    path, home = write_job(tmp_path, {**job, "strategy": strategy}), tmp_path / "home"
    reports = []
    for _ in range(2):
        ran = layerpress("run", path, "--out", tmp_path / "out", "--quiet", "--output", "json", home=home)
        assert ran.returncode == 0, ran.stderr
        reports.append(json.loads(ran.stdout))
    first, second = reports
    assert first["evaluations"]["computed"] > 0
    assert second["evaluations"]["computed"] == 0
    assert second["found"] == first["found"]
    assert first["found"]["nominal_bits_per_weight"] <= 3.0


@pytest.mark.slow
def test_a_search_of_three_objectives_ends_with_a_front_in_all_three(job: dict[str, Any], tmp_path: Path) -> None:
    objectives = ["loss", "size", "flops"]
    strategy = {"name": "nsga2", "objectives": objectives, "trials": 40, "batch": 10, "pruner": "none", "rungs": [512]}
    path = write_job(tmp_path, {**job, "space": {"options": MIXED}, "budget": {"size": "200MB"}, "strategy": strategy})
    out = tmp_path / "out"
    ran = layerpress("run", path, "--out", out, "--quiet", "--output", "json", home=tmp_path / "home")
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["objectives"] == objectives
    points = [(row["size_bytes"], row["kl_calibration"], row["flops"]) for row in report["front"]]
    assert not any(other != point and _is_no_worse(other, point) for point in points for other in points)
    flat = [point for point in points if not any(_beats_flat(other, point) for other in points)]
    assert 1 < len(flat) < len(points)  # some pay in size or loss for fewer FLOPs
    rows = list(csv.DictReader((out / "front.csv").read_text().splitlines()))
    assert [int(row["flops"]) for row in rows] == [flops for _, _, flops in points]
    assert [int(row["parameters"]) for row in rows] == [row["parameters"] for row in report["front"]]


def _is_no_worse(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(ours <= theirs for ours, theirs in zip(one, other, strict=True))


def _beats_flat(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[:2] != other[:2] and _is_no_worse(one[:2], other[:2])
