"""The real command in processes of its own: killed, interrupted, out of disk, twice at once."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from command_line import command, environment, layerpress, write_job

from store.store import Store

PATIENCE_S = 120.0


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Poll; a process that ends, or that takes too long, fails the test."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.02)


def done(home: Path) -> dict[str, float]:
    """Finished evaluations and when they were finished."""
    if not (home / "store.db").exists():
        return {}
    with sqlite3.connect(f"file:{home / 'store.db'}?mode=ro", uri=True) as connection:
        try:
            return dict(connection.execute("SELECT key, finished_at FROM evaluation WHERE state = 'done'"))
        except sqlite3.OperationalError:
            return {}  # not migrated yet


def start(path: Path, home: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("run", path, "--out", out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(home),
    )


def report(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "report.json").read_text())
    return content


@pytest.mark.slow
def test_kill_9_in_the_middle_loses_no_finished_evaluation(job: dict[str, Any], tmp_path: Path) -> None:
    path = write_job(tmp_path, job)
    assert layerpress("run", path, "--out", tmp_path / "calm", home=tmp_path / "home1").returncode == 0
    calm = report(tmp_path / "calm")

    home = tmp_path / "home2"
    process = start(path, home, tmp_path / "out")
    wait_until(lambda: len(done(home)) >= calm["evaluations"]["computed"] // 2, process)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    before = done(home)
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert not alive  # Ray ends with its driver

    assert layerpress("run", path, "--out", tmp_path / "out", home=home).returncode == 0
    resumed = report(tmp_path / "out")
    after = done(home)
    assert {key: after[key] for key in before} == before  # nothing finished was made again
    assert resumed["evaluations"]["computed"] == calm["evaluations"]["computed"] - len(before)
    assert resumed["answer"] == calm["answer"]
    assert resumed["front"] == calm["front"]


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(job: dict[str, Any], tmp_path: Path) -> None:
    path, home, out = write_job(tmp_path, job), tmp_path / "home", tmp_path / "out"
    process = start(path, home, out)
    wait_until(lambda: len(done(home)) >= 5, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    with sqlite3.connect(home / "store.db") as connection:
        assert connection.execute("SELECT state FROM job").fetchall() == [("cancelled",)]
        assert connection.execute("SELECT count(*) FROM evaluation WHERE state = 'in_flight'").fetchone() == (0,)
    before = len(done(home))
    assert layerpress("run", path, "--out", out, home=home).returncode == 0
    assert report(out)["evaluations"]["cached"] >= before


@pytest.mark.slow
def test_ctrl_c_twice_ends_at_once(job: dict[str, Any], tmp_path: Path) -> None:
    path, home = write_job(tmp_path, job), tmp_path / "home"
    process = start(path, home, tmp_path / "out")
    wait_until(lambda: len(done(home)) >= 1, process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, errors


@pytest.mark.slow
def test_two_runs_at_once_share_their_evaluations(job: dict[str, Any], tmp_path: Path) -> None:
    path, home = write_job(tmp_path, job), tmp_path / "home"
    both = [start(path, home, tmp_path / name) for name in ("a", "b")]
    for process in both:
        assert process.wait(timeout=2 * PATIENCE_S) == 0, process.communicate()
        process.communicate()
    first, second = report(tmp_path / "a"), report(tmp_path / "b")
    assert first["answer"] == second["answer"]
    computed = first["evaluations"]["computed"] + second["evaluations"]["computed"]
    assert computed == len(done(home))  # each was made by one of them


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, to be remounted at the size that a test needs."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]).returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "size", "message"),
    [
        ("bank", "100k", "cannot write bank entry .*No space left on device; finished entries are kept"),
        ("dense", "200k", "bytes free"),
        (".", "400k", "what was finished is kept"),  # the tables alone take 200k
    ],
    ids=["while the bank is written", "before the dense logits", "in the store"],
)
def test_a_full_disk_is_one_message_and_the_next_run_goes_on(
    job: dict[str, Any], tmp_path: Path, small_disk: Path, folder: str, size: str, message: str
) -> None:
    path, out, home = write_job(tmp_path, job), tmp_path / "out", tmp_path / "home"
    if folder == ".":
        home = small_disk
    else:  # the rest of the home stands on a disk with room: what runs out first is no matter of timing
        home.mkdir()
        (home / folder).symlink_to(small_disk)
    subprocess.run(["mount", "-o", f"remount,size={size}", small_disk], check=True)
    full = layerpress("run", path, "--out", out, home=home)
    assert full.returncode == 1
    assert full.stderr.count("error:") == 1
    assert re.search(message, full.stderr), full.stderr
    assert "Traceback" not in full.stderr
    finished = {entry: entry.stat().st_mtime_ns for entry in (home / "bank").glob("*/*/*.safetensors")}
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    again = layerpress("run", path, "--out", out, home=home)
    assert again.returncode == 0, again.stderr
    assert {entry: entry.stat().st_mtime_ns for entry in finished} == finished  # kept, not made again


@pytest.mark.slow
def test_every_command_on_one_job(job: dict[str, Any], tmp_path: Path) -> None:
    path, home, out = write_job(tmp_path, {**job, "strategy": "uniform"}), tmp_path / "home", tmp_path / "out"
    ran = layerpress("run", path, "--out", out, "--output", "json", home=home)
    assert ran.returncode == 0, ran.stderr
    content = report(out)
    assert json.loads(ran.stdout) == content
    assert {entry.name for entry in out.iterdir()} == {
        "report.json",
        "configuration.json",
        "configurations.json",
        "front.csv",
        "front.html",
        "front.png",
    }
    for row in (content["answer"], *content["baselines"]):
        assert row.keys() >= {
            "configuration_id",
            "bits_per_weight",
            "nominal_bits_per_weight",
            "size_bytes",
            "kl_calibration",
            "kl_validation",
            "kl_validation_se",
        }
    assert content["space"]["num_layers"] == 21

    with Store.open(f"sqlite:///{home}/store.db") as store:
        held = store.prune(older_than_s=0, dry_run=True)
    assert (held.evaluations, held.samples) == (0, 0)  # the run is kept, and so is what it asked for

    text = tmp_path / "evopress.txt"
    text.write_text(layerpress("export", out, "--format", "evopress", home=home).stdout)
    assert text.read_text().splitlines()[-1] == "model.layers.2.self_attn.v_proj: 3"
    back = layerpress("import", text, "--job", path, home=home)
    assert back.stdout == (out / "configuration.json").read_text()
    plain = layerpress("import", text, "--group-size", "64", home=home)
    assert json.loads(plain.stdout) == json.loads(back.stdout)

    measured = layerpress("evaluate", path, text, "--output", "json", "--quiet", home=home)
    assert measured.returncode == 0, measured.stderr
    row = json.loads(measured.stdout)
    assert row["kl_validation"] == content["answer"]["kl_validation"]
    assert row["meets_budget"] is True
    assert row["evaluations"]["computed"] == 0

    written = layerpress(
        "export", out, "--format", "dense", "--out", tmp_path / "dense", "--output", "json", "--quiet", home=home
    )
    assert written.returncode == 0, written.stderr
    assert json.loads(written.stdout)["folder"] == str(tmp_path / "dense")
    facts = json.loads((tmp_path / "dense" / "compression.json").read_text())
    assert facts["metrics"]["kl_validation"] == content["answer"]["kl_validation"]
    assert facts["hashes"] == content["hashes"]
    assert {"front.png", "strip.png", "SHA256SUMS"} <= {entry.name for entry in (tmp_path / "dense").iterdir()}
    again = layerpress("evaluate", path, tmp_path / "dense", "--output", "json", "--quiet", home=home)
    assert again.returncode == 0, again.stderr
    for key in ("kl_calibration", "kl_validation", "perplexity_validation"):
        # the model is in bfloat16, and so are the dequantized weights of its export: 8 significant bits
        assert json.loads(again.stdout)[key] == pytest.approx(content["answer"][key], rel=0.01)

    for entry in (home / "bank").glob("*/*/*.safetensors"):
        entry.unlink()
    by_id = layerpress("export", content["job"], "--format", "dense", "--out", tmp_path / "again", "-q", home=home)
    assert by_id.returncode == 0, by_id.stderr  # the bank's entries were built again, from the job's record
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (
        tmp_path / "dense" / "model.safetensors"
    ).read_bytes()
    absent = layerpress("export", "absent", "--format", "dense", "--out", tmp_path / "none", home=home)
    assert absent.returncode == 3
    assert "LAYERPRESS_URL" in absent.stderr


@pytest.mark.slow
def test_doctor_finds_a_working_installation(tmp_path: Path) -> None:
    checked = layerpress("doctor", "--output", "json", home=tmp_path / "home")
    findings = json.loads(checked.stdout)
    assert [finding for finding in findings if finding["verdict"] == "error"] == []
    assert checked.returncode == 0
    assert {"python", "torch", "Ray runs", "store"} <= {finding["name"] for finding in findings}
