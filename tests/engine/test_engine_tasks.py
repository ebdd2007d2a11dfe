"""Jobs that measure tasks: as objectives of a sampler, and of the answer beside the plain choices."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import optuna
import pytest
from command_line import layerpress, write_job

TEXT = Path(__file__).parents[2] / "examples" / "text" / "validation.txt"
NUM_DOCUMENTS = 24
TASK = "task:next"


@pytest.fixture
def task(tmp_path: Path) -> dict[str, Any]:
    """Which of three pieces of the books comes next."""
    words, rng = TEXT.read_text("utf-8").split(), random.Random(1)
    lines = []
    for number in range(NUM_DOCUMENTS):
        start = 300 * number
        choices = [" ".join(words[start + 12 + 90 * place :][:4]) for place in range(3)]
        answer = rng.randrange(3)
        choices[0], choices[answer] = choices[answer], choices[0]
        lines.append({"context": " ".join(words[start : start + 12]), "choices": choices, "answer": answer})
    path = tmp_path / "next.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {"source": str(path)}


def run(path: Path, out: Path, home: Path, *more: object) -> dict[str, Any]:
    ran = layerpress("run", path, "--out", out, "--quiet", "--output", "json", *more, home=home)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    content: dict[str, Any] = json.loads(ran.stdout)
    return content


@pytest.mark.slow
def test_a_sampler_minimises_the_error_on_a_task(job: dict[str, Any], task: dict[str, Any], tmp_path: Path) -> None:
    objectives = ["loss", "size", TASK]
    strategy = {"name": "nsga2", "objectives": objectives, "trials": 24, "batch": 8, "rungs": [512], "pruner": "none"}
    path = write_job(tmp_path, {**job, "name": "tasks", "strategy": strategy, "tasks": [task]})
    out, storage = tmp_path / "out", f"sqlite:///{tmp_path}/trials.db"
    report = run(path, out, tmp_path / "home", "--optuna", storage)
    points = [(row["size_bytes"], row["kl_calibration"], row["task_errors"]["next"]) for row in report["front"]]
    assert len({error for _, _, error in points}) > 1
    assert all((error * NUM_DOCUMENTS) % 1 == pytest.approx(0, abs=1e-9) for _, _, error in points)
    for point in points:
        others = [other for other in points if other != point]
        assert not any(all(theirs <= ours for theirs, ours in zip(other, point, strict=True)) for other in others)
    rows = list(csv.DictReader((out / "front.csv").read_text().splitlines()))
    assert [float(row["error_next"]) for row in rows] == [error for _, _, error in points]
    for row in (report["answer"], *report["baselines"]):
        assert 0 < row["task_errors_se"]["next"] < 0.2
    study = optuna.load_study(study_name="tasks", storage=storage)
    assert study.metric_names == ["kl", "size_bytes", TASK]
    trials = {trial.user_attrs["configuration_id"]: trial.values[2] for trial in study.trials}
    assert all(trials[row["configuration_id"]] == row["task_errors"]["next"] for row in report["front"])
    again = run(path, out, tmp_path / "home")
    assert again["statistics"]["computed"] == again["evaluations"]["computed"] == 0
    assert again["front"] == report["front"]


@pytest.mark.slow
def test_tasks_that_nobody_minimises_are_measured_of_the_answer_and_the_plain_choices(
    job: dict[str, Any], task: dict[str, Any], tmp_path: Path
) -> None:
    tasks = [task, {**task, "name": "shorter", "metric": "acc_norm", "limit": 10}]
    path, home = write_job(tmp_path, {**job, "tasks": tasks}), tmp_path / "home"
    report = run(path, tmp_path / "out", home)
    for row in (report["answer"], *report["baselines"]):
        assert set(row["task_errors"]) == set(row["task_errors_se"]) == {"next", "shorter"}
    assert not any("task_errors" in row for row in report["front"])
    same = len({report["answer"]["configuration_id"], *(row["configuration_id"] for row in report["baselines"])})
    samples = {"next": -(-3 * NUM_DOCUMENTS // 32), "shorter": 1}
    own = report["statistics"]["computed"]
    without = run(write_job(tmp_path, job), tmp_path / "out", tmp_path / "other")["statistics"]["computed"]
    assert own - without == same * sum(samples.values())
    write_job(tmp_path, {**job, "tasks": tasks})
    shown = layerpress("run", path, "--out", tmp_path / "out", home=home)
    alone = layerpress("evaluate", path, tmp_path / "out" / "configuration.json", "--quiet", home=home)
    assert alone.returncode == 0, alone.stderr
    for printed in (alone.stdout, shown.stdout):
        lines, errors = [line.split() for line in printed.splitlines()], report["answer"]["task_errors"]
        assert ["error", "on", "next", "shorter"] in lines
        assert [f"{errors['next']:.4f}", f"{errors['shorter']:.4f}"] in [words[-6::3] for words in lines]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"strategy": {"name": "nsga2", "objectives": ["loss", "task:nxt"]}},
            "objective task:nxt is the error on a task that the job does not have; it has next",
        ),
        (
            {"strategy": {"name": "evolution", "start": {"name": "tpe", "objectives": ["loss", "task:nxt"]}}},
            "objective task:nxt is the error on a task that the job does not have; it has next",
        ),
        ({"strategy": {"name": "nsga2", "objectives": ["loss", "tsk"]}}, "unknown objective 'tsk'"),
        ({"tasks": ["next.jsonl"]}, "tasks.0"),
        ({"tasks": [{"source": "next.jsonl", "limits": 3}]}, "did you mean 'limit'?"),
        ({"tasks": [{"source": "a.jsonl"}, {"source": "b/a.jsonl"}]}, "two tasks are called 'a'"),
        ({"tasks": [{"source": "arc_esy"}]}, "lm-eval has no task 'arc_esy'; did you mean arc_easy"),
        ({"tasks": [{"source": "gone.jsonl"}]}, "the task gone.jsonl cannot be read"),
    ],
)
def test_a_job_whose_tasks_do_not_fit_is_refused(
    changes: dict[str, Any], words: str, job: dict[str, Any], task: dict[str, Any], tmp_path: Path
) -> None:
    path = write_job(tmp_path, {**job, "tasks": [task], **changes})
    ran = layerpress("run", path, "--out", tmp_path / "out", "--quiet", home=tmp_path / "home")
    assert ran.returncode == 2, ran.stderr
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list((tmp_path / "home").glob("dense/*"))
