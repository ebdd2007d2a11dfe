"""The commands against a real service: what they show, their JSON, and the exit code of each way to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from shown_job import FRONT, SPEC, Shown, finished_job, queued_job, running_job

from store.records import NewCandidate, NewJob
from store.store import Store

Run = Callable[..., Shown]


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in SPEC.items() if key != "name"}))
    return path


def test_submit_prints_the_id_alone(layerpress: Run, job_file: Path, store: Store) -> None:
    shown = layerpress("submit", job_file, "--set", "seed=5", "--priority", "2", "--note", "first")
    job = store.job(shown.out.strip())
    assert (shown.code, job.name, job.priority, job.note, job.spec["seed"]) == (0, "mine", 2, "first", 5)
    assert f"layerpress watch {job.id}" in shown.err


def test_a_dry_run_shows_what_is_feasible(layerpress: Run, job_file: Path, store: Store) -> None:
    shown = layerpress("submit", job_file, "--dry-run")
    assert shown.code == 0
    assert "84 layers (84 decisions)" in shown.out
    assert "2.0000" in shown.out
    assert layerpress("submit", job_file, "--dry-run", "--output", "json").json["num_layers"] == 84
    assert store.jobs() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("budget.nominal_bits_per_weight=1", "must be at least 2.0000 for this space, got 1"),
        ("seed=.nan", "holds what JSON cannot say"),
        ("seed=2026-11-02", "write dates as text in quotes"),
        ("modle=x", "unknown key modle; did you mean 'model'?"),
        ("calibration.source=/etc/passwd", "/etc/passwd"),
    ],
)
def test_bad_input_is_refused_in_one_message(layerpress: Run, job_file: Path, change: str, message: str) -> None:
    shown = layerpress("submit", job_file, "--set", change)
    assert (shown.code, shown.out) == (2, "")
    assert shown.err.startswith("error: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1


def test_jobs_list_shows_how_far_each_is(layerpress: Run, store: Store) -> None:
    running, waiting = running_job(store, "one"), queued_job(store, "two", owner="ann")
    progress = {"phase": "search", "done": 3, "total": 8, "best": 0.25, "uniform": 0.5, "computed": 6, "cached": 2}
    store.note_progress(running.id, 1, progress)
    store.set_waiting(waiting.id, "waiting_for_workers", "waiting for 2 GPUs; 1 free")
    shown = layerpress("jobs", "list")
    assert shown.code == 0
    for text in ("search 3/8", "0.25000", "0.50000", "25%", "waiting for 2 GPUs; 1 free", "ann"):
        assert text in shown.out
    assert [job["name"] for job in layerpress("jobs", "list", "--output", "json").json["items"]] == ["two", "one"]
    assert running.id not in layerpress("jobs", "list", "--state", "queued").out
    assert layerpress("jobs", "list", "--state", "idle").code == 2


def test_jobs_get_shows_one(layerpress: Run, store: Store) -> None:
    job = finished_job(store)
    assert "succeeded: better than the plain choice" in layerpress("jobs", "get", job.id).out
    content = layerpress("jobs", "get", job.id, "--output", "json").json
    assert content["report"]["verdict"] == "better than the plain choice"
    assert content["spec"]["budget"] == {"nominal_bits_per_weight": 3.0}


def test_jobs_are_steered_and_asking_again_changes_nothing(layerpress: Run, job_file: Path, store: Store) -> None:
    job_id = layerpress("submit", job_file).out.strip()
    for verb, state in (("pause", "paused"), ("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        shown = layerpress("jobs", verb, job_id, "--output", "json")
        assert (shown.code, shown.json["state"]) == (0, state)
    refused = layerpress("jobs", "stop", job_id)
    assert refused.code == 2
    assert f"cannot stop job {job_id}: it is cancelled" in refused.err
    copy = layerpress("jobs", "clone", job_id, "--set", "seed=3", "--name", "copy").out.strip()
    assert (store.job(copy).cloned_from, store.job(copy).spec["seed"]) == (job_id, 3)
    assert layerpress("jobs", "delete", job_id).code == 0
    assert layerpress("jobs", "get", job_id).code == 3


def test_front_show_select_and_export(layerpress: Run, store: Store, tmp_path: Path) -> None:
    job_id = finished_job(store).id
    front = layerpress("front", job_id, "--out", tmp_path / "files")
    assert [line.split()[0] for line in front.out.splitlines()[1 : len(FRONT) + 1]] == [str(seq) for seq in FRONT]
    assert (tmp_path / "files" / "front.csv").read_text() == "size,loss\n"
    assert [each["seq"] for each in layerpress("front", job_id, "--output", "json").json["items"]] == FRONT
    answer = layerpress("show", job_id, "--output", "json").json
    assert answer["candidate"]["seq"] == 4
    assert [layer["bits"] for layer in answer["layers"]] == [3, 3]
    assert "gptq-int2-g32-sym" in layerpress("show", job_id, "2").out
    chosen = layerpress("select", job_id, "--max-size", "2.9kB", "--out", tmp_path / "c.json", "--output", "json")
    assert chosen.json["candidate"]["seq"] == 2
    assert json.loads((tmp_path / "c.json").read_text())["block.0.proj"] == "gptq-int2-g32-sym"
    second = "block.0.proj: 2\nblock.1.proj: 3\n"
    text = ("--format", "evopress")
    assert layerpress("export", job_id, *text).out == "block.0.proj: 3\nblock.1.proj: 3\n"
    assert layerpress("export", job_id, "--pick", "2", *text).out == second
    assert layerpress("export", job_id, "--max-size", "2.9kB", *text).out == second
    assert layerpress("export", job_id, "--max-kl", "0.35", *text).out == second
    picked = json.loads(layerpress("show", job_id, "2", "--output", "json").out)["candidate"]["configuration_id"]
    assert layerpress("export", job_id, "--pick", picked, *text, "--out", tmp_path / "out.txt").code == 0
    assert (tmp_path / "out.txt").read_text() == second
    refused = layerpress("export", job_id, "--pick", "2", "--max-kl", "0.1", *text)
    assert (refused.code, "leave --max-size and --max-kl out" in refused.err) == (2, True)
    refused = layerpress("export", job_id, "--format", "dense")
    assert (refused.code, "say where it goes with --out DIR" in refused.err) == (2, True)


def test_jobs_are_compared(layerpress: Run, store: Store) -> None:
    one, two = finished_job(store, "one").id, running_job(store, "two").id
    shown = layerpress("compare", "--job", one, "--job", two)
    assert (shown.code, "KL 0.10000" in shown.out) == (0, True)
    assert [
        each["id"] for each in layerpress("compare", "--job", two, "--job", one, "--output", "json").json["items"]
    ] == [
        two,
        one,
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("jobs", "get", "absent"), 3, "'absent'"),
        (("show", "absent"), 3, "'absent'"),
        (("watch", "absent"), 3, "'absent'"),
        (("select", "absent"), 2, "select needs a limit, got none"),
        (("export",), 2, "export needs a RUN or a JOB, got none"),
        (("export", "absent"), 2, "export needs a --format, got none"),
        (("export", "absent", "--format", "evopress"), 3, "'absent'"),
        (("compare", "a.yaml", "--job", "b"), 2, "compare takes a JOB.yaml or several --job, got both"),
        (("select", "absent", "--max-loss", "nan"), 2, "what is sent must be JSON, got"),
        (("jobs", "clone", "absent", "--set", "name=2024-01-01"), 2, "put what YAML takes for a date in quotes"),
        (("submit", "absent.yaml"), 2, "no job file 'absent.yaml'"),
        (("token", "create", "ann", "--expires", "soon"), 2, "got 'soon'"),
        (("token", "create", "ann", "--scope", "god"), 2, "'god'"),
        (("token", "revoke", "absent"), 3, "'absent'"),
    ],
)
def test_every_mistake_ends_in_its_code(layerpress: Run, arguments: tuple[str, ...], code: int, message: str) -> None:
    shown = layerpress(*arguments)
    assert (shown.code, shown.out) == (code, "")
    assert message in shown.err


def test_a_token_that_is_not_valid_is_not_allowed(layerpress: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERPRESS_TOKEN", "lp_0123456789ab_" + "x" * 43)
    shown = layerpress("jobs", "list")
    assert (shown.code, shown.out) == (4, "")
    assert "the token is not valid" in shown.err
    assert "xxx" not in shown.err


def test_nobody_there_is_a_code_of_its_own(layerpress: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERPRESS_URL", "http://127.0.0.1:9")
    shown = layerpress("jobs", "list")
    assert shown.code == 5
    assert "is `layerpress serve` running there?" in shown.err


def test_tokens_over_the_service(layerpress: Run, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = layerpress("token", "create", "ann", "--scope", "read", "--expires", "2h")
    token = store.check_token(made.out.strip())
    assert token is not None
    assert (token.name, token.scope) == ("ann", "read")
    assert made.out.strip() not in made.err
    listed = layerpress("token", "list", "--output", "json").json["items"]
    assert [each["name"] for each in listed] == ["ann"]
    assert "secret" not in listed[0]
    assert layerpress("token", "revoke", token.id).code == 0
    assert "revoked" in layerpress("token", "list").out


def test_the_first_token_is_made_on_the_database(layerpress: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    made = layerpress("token", "create", "root", "--scope", "admin", "--store", url, "--output", "json").json
    with Store.open(url) as store:
        token = store.check_token(made["secret"])
        assert token is not None
        assert token.scope == "admin"
    assert layerpress("token", "revoke", made["id"], "--store", url).code == 0
    assert layerpress("token", "list", "--store", url, "--output", "json").json["items"][0]["revoked_at"] is not None
    refused = layerpress("token", "create", "two words", "--store", url)
    assert (refused.code, "two words" in refused.err) == (2, True)
    assert "token name must not be 'local'" in layerpress("token", "create", "local", "--store", url).err


def test_flops_and_parameters_are_columns_where_candidates_differ_in_them(layerpress: Run, store: Store) -> None:
    job = store.add_job(NewJob(name="drops", spec={"objective": "kl"}, origin="local"))[0]
    known = [(20_971_520, 10_500_000), (18_000_000, 10_500_000), (None, None)]
    found = [
        NewCandidate(
            configuration_id=f"{number:012x}",
            levels=(number,),
            label="a batch",
            kind="candidate",
            size_bytes=900 - number,
            bits_per_weight=3.0,
            nominal_bits_per_weight=3.0,
            loss=1.0 + number,
            loss_se=None,
            source="computed",
            flops=flops,
            parameters=parameters,
        )
        for number, (flops, parameters) in enumerate(known)
    ]
    store.add_candidates(job.id, job.attempt, found[:2])
    head, *lines = layerpress("front", job.id).out.splitlines()
    assert ("FLOPs" in head, "params" in head) == (True, False)
    assert [line.split()[5] for line in lines[:2]] == ["18.00M", "20.97M"]
    store.add_candidates(job.id, job.attempt, [replace(found[2], task_errors={"next": 0.25})])
    head, *lines = layerpress("front", job.id).out.splitlines()
    assert ("FLOPs" in head, "params" in head) == (True, True)
    assert "error on next" in head
    assert "10.50M" in lines[1]
    assert "0.2500" in "".join(lines)
