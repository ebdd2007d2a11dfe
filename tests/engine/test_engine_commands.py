"""solve, compare and sensitivity as real commands after a real run."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from pathlib import Path

import pytest
from command_line import layerpress, write_job

from service.cli import app
from spaces.errors import InputError

PNG = b"\x89PNG\r\n\x1a\n"


def rows(home: Path) -> list[tuple[int, ...]]:
    """How many results of each kind the store holds."""
    with sqlite3.connect(home / "store.db") as connection:
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("evaluation", "sample")]


def in_process(monkeypatch: pytest.MonkeyPatch, finished: Path, *arguments: object) -> None:
    """The command in this process, which saves its start; errors come as they are."""
    monkeypatch.setenv("LAYERPRESS_HOME", str(finished / "home"))
    app([*map(str, arguments), "--quiet"], standalone_mode=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with a job, its home and a finished run that allocated by Fisher's score."""
    folder = tmp_path_factory.mktemp("finished")
    text = Path(__file__).parents[2] / "examples" / "text"
    job = {
        "model": str(tiny_model),
        "calibration": {"source": str(text / "calibration.txt"), "tokens": 4096, "sequence_length": 128},
        "validation": {"source": str(text / "validation.txt"), "tokens": 4096},
        "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4], "group_size": 64}]},
        "budget": {"nominal_bits_per_weight": 3.0},
        "strategy": "fisher:knapsack",
    }
    path = write_job(folder, job)
    ran = layerpress("run", path, "--out", folder / "run", "--quiet", home=folder / "home")
    assert ran.returncode == 0, ran.stderr
    return folder


@pytest.mark.slow
def test_another_budget_is_solved_without_a_forward_pass(finished: Path) -> None:
    home, before = finished / "home", rows(finished / "home")
    out = finished / "solved"
    solved = layerpress(
        *("solve", finished / "run", "--budget", "nominal_bits_per_weight=2.5", "--out", out, "--output", "json"),
        home=home,
    )
    assert solved.returncode == 0, solved.stderr
    content = json.loads(solved.stdout)
    assert content["evaluations"] == {"computed": 0}
    answer = content["answer"]
    assert 2.4 < answer["nominal_bits_per_weight"] <= 2.5
    assert not [key for key in answer if key.startswith(("kl_", "perplexity_"))]
    assert rows(home) == before
    assert (out / "configuration.json").is_file()
    text = layerpress("solve", finished / "run", "--budget", "nominal_bits_per_weight=2.5", home=home)
    assert answer["configuration_id"] in text.stdout
    assert "add --measure" in text.stdout


@pytest.mark.slow
def test_a_solved_answer_is_measured_beside_the_plain_choices(finished: Path) -> None:
    asked = ("solve", finished / "run", "--budget", "nominal_bits_per_weight=2.5", "--output", "json")
    alone = json.loads(layerpress(*asked, home=finished / "home").stdout)
    measured = layerpress(*asked, "--measure", "--out", finished / "measured", home=finished / "home")
    assert measured.returncode == 0, measured.stderr
    content = json.loads(measured.stdout)
    assert content["found"]["configuration_id"] == alone["answer"]["configuration_id"]
    assert content["found"]["kl_validation"] > 0
    assert content["baselines"]
    assert json.loads((finished / "measured" / "report.json").read_text()) == content
    again = layerpress("solve", finished / "measured", *asked[2:], home=finished / "home")
    assert again.returncode == 0, again.stderr  # the folder of a solved run is one that can be solved
    assert json.loads(again.stdout)["answer"]["configuration_id"] == alone["answer"]["configuration_id"]


@pytest.mark.slow
def test_the_smallest_size_under_a_loss_is_found_by_measuring(finished: Path) -> None:
    run = json.loads((finished / "run" / "report.json").read_text())
    uniform = {row["name"]: row for row in run["baselines"]}["uniform gptq-int3-g64-asym"]
    limit = max(uniform["kl_calibration"], uniform["kl_validation"]) * 1.001
    asked = ("solve", finished / "run", "--max-loss", limit)
    refused = layerpress(*asked, home=finished / "home")
    assert refused.returncode == 2
    assert "add --measure" in refused.stderr
    found = layerpress(*asked, "--measure", "--output", "json", home=finished / "home")
    assert found.returncode == 0, found.stderr
    content = json.loads(found.stdout)
    assert content["answer"]["kl_validation"] <= limit
    assert content["answer"]["size_bytes"] <= uniform["size_bytes"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "nominal_bits_per_weight=1"], "must be at least 2.0000"),
        (["--budget", "nominal_bits=3"], "unknown budget 'nominal_bits'; did you mean 'nominal_bits_per_weight'"),
        (["--budget", "3"], "--budget takes NAME=VALUE, got '3'"),
        (["--solver", "knapsak"], "unknown solver 'knapsak'; did you mean 'knapsack'"),
        (["--score", "linearity"], "the store lacks"),
        (["--score", "fischer"], "unknown score 'fischer'; did you mean 'fisher'"),
        (["--solver", "bisection", "--max-loss", "0.01"], "add --measure"),
        (["--max-loss", "0"], "max_loss must be above 0, got 0"),
    ],
)
def test_what_cannot_be_solved_is_said_at_once(
    finished: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        in_process(monkeypatch, finished, "solve", finished / "run", *arguments)


@pytest.mark.slow
def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    refused = layerpress("solve", tmp_path, home=tmp_path / "home")
    assert refused.returncode == 2
    assert "has no report.json; give the folder that" in refused.stderr
    (tmp_path / "report.json").write_text('{"spec": {}}')
    assert "model is missing" in layerpress("solve", tmp_path, home=tmp_path / "home").stderr


@pytest.mark.slow
def test_methods_are_compared_in_a_table_and_a_plot(finished: Path) -> None:
    out = finished / "compare"
    methods = ("--methods", "fisher,l-greco,weight-error:greedy", "--budgets", "2.5,3")
    compared = layerpress("compare", finished / "job.yaml", *methods, "--out", out, home=finished / "home")
    assert compared.returncode == 0, compared.stderr
    assert (out / "compare.png").read_bytes()[:8] == PNG
    assert "<html" in (out / "compare.html").read_text()
    listed = list(csv.DictReader((out / "compare.csv").read_text().splitlines()))
    assert len(listed) == 2 * 4  # and the uniform choice
    content = json.loads((out / "compare.json").read_text())
    for row in content["rows"]:
        assert row["nominal_bits_per_weight"] <= float(row["budget"])
        assert row["loss"] > 0
    before = rows(finished / "home")
    again = layerpress(
        *("compare", finished / "job.yaml", *methods, "--out", out, "--output", "json"), home=finished / "home"
    )
    assert json.loads(again.stdout) == content
    assert rows(finished / "home") == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "hawk"], "unknown method 'hawk'; did you mean 'hawq'"),
        (["--methods", "fisher", "--budgets", "1,3"], "must be at least 2.0000"),
        (["--methods", ","], "--methods takes names"),
        (["--methods", "cosine-similarity"], "method cosine-similarity"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused_before_any_work(
    finished: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(finished / "home")
    with pytest.raises(InputError, match=re.escape(message)):
        in_process(monkeypatch, finished, "compare", finished / "job.yaml", *arguments, "--out", finished / "no")
    assert rows(finished / "home") == before


@pytest.mark.slow
def test_sensitivities_are_drawn_and_tabled(finished: Path) -> None:
    out = finished / "sensitivity"
    asked = ("sensitivity", finished / "job.yaml", "--scores", "fisher,output-error", "--out", out)
    drawn = layerpress(*asked, "--output", "json", home=finished / "home")
    assert drawn.returncode == 0, drawn.stderr
    content = json.loads(drawn.stdout)["scores"]
    for name in ("fisher", "output-error"):
        assert (out / f"{name}.png").read_bytes()[:8] == PNG
        assert "<html" in (out / f"{name}.html").read_text()
        listed = list(csv.DictReader((out / f"{name}.csv").read_text().splitlines()))
        assert len(listed) == 21 * 4  # three bit-widths and keep
        costs = content[name]["costs"]
        assert [len(row) for row in costs] == [4] * 21
        assert all(row[0] > row[1] > row[2] > row[3] == 0 for row in costs)
    assert content["fisher"]["unit"] == "predicted KL, nats per token"
    assert content["output-error"]["unit"] == "relative squared error"
    own = layerpress("sensitivity", finished / "job.yaml", "--out", out, home=finished / "home")
    assert "fisher" in own.stdout  # the job's own score
    refused = layerpress(
        "sensitivity", finished / "job.yaml", "--scores", "cosine-similarity", home=finished / "home", cwd=finished
    )
    assert refused.returncode == 2
