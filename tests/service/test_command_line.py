"""The command in a process of its own: help, read commands, exit codes, one message for each bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from service import cli
from service.interruption import Interrupted, was_pressed

ROOT = Path(__file__).parents[2]
MODEL = "examples/reference-model"


def layerpress(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LAYERPRESS_HOME": str(home), "COLUMNS": "200", "TERM": "dumb"}
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


@pytest.mark.parametrize(
    "command", ["run", "space", "evaluate", "solve", "compare", "sensitivity", "import", "export", "doctor"]
)
def test_every_command_has_help_with_an_example(command: str, tmp_path: Path) -> None:
    shown = layerpress(command, "--help", home=tmp_path)
    assert shown.returncode == 0
    assert f"layerpress {command}" in shown.stdout
    assert "Example:" in shown.stdout


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    program = "import sys, service.cli; print({'torch', 'ray', 'transformers', 'sqlalchemy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout.strip() == "set()"


def test_space_as_json_counts_every_byte(tmp_path: Path) -> None:
    shown = layerpress("space", MODEL, "--bits", "2,4", "--output", "json", home=tmp_path)
    content = json.loads(shown.stdout)
    assert content["num_layers"] == 84
    assert content["num_parameters"] == 10_492_160
    assert content["dense_size_bytes"] == 2 * 10_492_160
    # 256 x 256 at 4 bits: codes, 2 groups a row of 16-bit scales and 4-bit zero points
    assert content["layers"][0]["options"]["gptq-int4-g128-asym"] == (256 * 256 * 4 + 256 * 2 * (16 + 4)) // 8
    assert content["feasible"]["nominal_bits_per_weight"] == {"smallest": "2.0000", "largest": "16.0000"}


def test_space_as_text_shows_the_feasible_range(tmp_path: Path) -> None:
    shown = layerpress("space", MODEL, "--drop", "attention", "--ties", "vllm", home=tmp_path)
    assert shown.returncode == 0
    assert "84 layers" not in shown.stdout  # 96: the attentions may be dropped
    assert "96 layers (60 decisions)" in shown.stdout
    assert "dropped_attentions: 0 to 12" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "absent.yaml"], "no job file 'absent.yaml'"),
        (["run", "examples/jobs/demo.yaml", "--set", "budget.nominal_bits_per_weight=1"], "must be at least 2.0000"),
        (
            ["run", "examples/jobs/front.yaml", "--set", "budget={nominal_bits_per_weight: [1.5, 3]}"],
            "must be at least 2.0000 for this space, got 1.5",
        ),
        (
            ["run", "examples/jobs/front.yaml", "--set", "budget.nominal_bits_per_weight.points=1"],
            "from 2 to 256, got 1",
        ),
        (["run", "examples/jobs/front.yaml", "--set", "max_loss=0.1"], "max_loss 0.1 asks for one size"),
        (["run", "examples/jobs/demo.yaml", "--set", "strategy=evoluton"], "did you mean 'evolution'"),
        (["run", "examples/jobs/demo.yaml", "--set", "space.pin={'model.layer.0.*': keep}"], "'model.layer.0.*'"),
        (["run", "examples/jobs/demo.yaml", "--set", "calibration.source=absent.txt"], "absent.txt"),
        (["run", "examples/jobs/demo.yaml", "--out", "/proc/none"], "--out must be a folder that can be made"),
        (["run", "examples/jobs/demo.yaml", "--store", "mysql://x"], "mysql"),
        (["space", "no/such/model"], "there is no such folder"),
        (["space", MODEL, "--bits", "2,x"], "--bits takes whole numbers, got 'x'"),
        (["space", MODEL, "--bits", "9"], "got 9"),
        (["space", MODEL, "--ties", "vlm"], "did you mean 'vllm'"),
        (["import", "absent.txt"], "cannot read 'absent.txt'"),
        (["export", "README.md"], "needs a --format, got none"),
        (["export", "README.md", "--format", "evopress"], "not JSON"),
        (["export", "README.md", "--format", "evopres"], "did you mean 'evopress'"),
        (["export", "README.md", "--format", "evopress", "--pick", "3"], "nothing was measured; leave --pick out"),
        (["export", "README.md", "--format", "evopress", "--max-kl", "1"], "nothing was measured; leave --max-kl out"),
        (["export", "README.md", "--format", "evopress", "--output", "json"], "leave --output json out"),
        (
            ["export", "README.md", "--format", "evopress", "--out", "CHANGELOG.md"],
            "must be a new file, got 'CHANGELOG.md'",
        ),
        (["evaluate", "examples/jobs/demo.yaml", "absent.json"], "cannot read 'absent.json'"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    ended = layerpress(*arguments, home=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert message in ended.stderr
    assert ended.stderr.count("error:") == 1
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_what_a_command_dies_of_after_ctrl_c_is_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def library(*_: object, **__: object) -> None:  # swallows the interruption and fails by it later
        with suppress(Interrupted):
            signal.raise_signal(signal.SIGINT)
        raise SystemError("returned a result with an exception set")

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(cli, "app", library)
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 130
    assert not was_pressed()
