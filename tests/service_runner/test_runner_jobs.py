"""Jobs of a running service, submitted and steered through its store."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from service_process import Service, report_of
from small_jobs import small_job, submit

THREE = ["loss", "size", "flops"]
pytestmark = pytest.mark.slow


def test_a_job_finds_what_it_finds_without_a_service(service: Service, model: Path, calm: dict[str, Any]) -> None:
    job = submit(service.store, small_job(model))
    ended = service.wait_for_end(job)
    assert (ended.state, ended.reason, ended.attempt, ended.holder) == ("succeeded", "", 1, None)
    report = report_of(ended)
    assert ended.message == report["verdict"] == calm["verdict"]
    for key in ("answer", "front", "baselines"):
        assert report[key] == calm[key]
    artifacts = {each.name: each for each in service.store.artifacts(job.id)}
    assert set(artifacts) == {
        "configuration.json",
        "configurations.json",
        "front.csv",
        "front.html",
        "front.png",
        "report.json",
        "sensitivity.json",
        "space.json",
    }
    assert json.loads(service.store.artifact(job.id, "report.json").content) == report
    assert {each.configuration_id for each in service.store.front(job.id)} == {
        row["configuration_id"] for row in calm["front"]
    }
    kinds = [event.kind for event in service.store.events(job.id)]
    assert {"state", "phase", "progress", "candidates"} <= set(kinds)
    assert service.store.workers() == []


def test_a_job_of_three_objectives_has_a_front_in_all_three(service: Service, model: Path) -> None:
    mixed = [{"kind": "drop", "parts": ["attention", "mlp"]}, {"kind": "quantize", "bits": [3, 4], "group_size": 64}]
    strategy = {"name": "nsga3", "trials": 40, "batch": 10, "pruner": "none", "rungs": [512]}
    asked = {"space": {"options": mixed}, "budget": {"size": "200MB"}}
    job = submit(service.store, small_job(model) | asked | {"strategy": strategy | {"objectives": THREE}})
    ended = service.wait_for_end(job)
    assert (ended.state, ended.reason) == ("succeeded", "")
    report = report_of(ended)
    assert report["objectives"] == THREE
    front = {
        each.configuration_id: (each.size_bytes, each.flops, each.parameters) for each in service.store.front(job.id)
    }
    assert front == {
        row["configuration_id"]: (row["size_bytes"], row["flops"], row["parameters"]) for row in report["front"]
    }
    by_size = service.store.front(job.id)
    assert any((one.loss or 0) <= (other.loss or 0) for one, other in pairwise(by_size))  # fewer FLOPs instead
    assert all((other.flops or 0) > 0 for other in service.store.candidates(job.id))


def test_a_job_minimises_its_error_on_a_task(service: Service, model: Path) -> None:
    words = (Path(__file__).parents[2] / "examples" / "text" / "validation.txt").read_text("utf-8").split()
    lines = [
        {"context": " ".join(words[at : at + 9]), "choices": [words[at + 9], words[at + 200]], "answer": 0}
        for at in range(0, 3200, 200)
    ]
    path = model / "next.jsonl"  # the service reads what lies within its roots
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    strategy = {"name": "nsga2", "trials": 16, "batch": 8, "pruner": "none", "rungs": [512]}
    asked = {"strategy": strategy | {"objectives": ["loss", "size", "task:next"]}, "tasks": [{"source": str(path)}]}
    ended = service.wait_for_end(submit(service.store, small_job(model) | asked))
    assert (ended.state, ended.reason) == ("succeeded", "")
    told = {each.configuration_id: each.task_errors for each in service.store.front(ended.id)}
    assert told == {row["configuration_id"]: row["task_errors"] for row in report_of(ended)["front"]}
    assert len({errors["next"] for errors in told.values()}) > 1
    assert all(0 <= errors["next"] <= 1 for errors in told.values())
    answer = report_of(ended)["answer"]
    assert answer["task_errors_se"]["next"] > 0


def test_a_paused_job_goes_on_where_it_was(service: Service, model: Path) -> None:
    job = submit(service.store, small_job(model, seed=1))
    service.wait_for(job, lambda now: service.store.num_candidates(now.id) > 0)
    service.store.wish_job(job.id, "pause")
    paused = service.wait_for(job, lambda now: now.state == "paused")
    assert (paused.holder, paused.granted) == (None, 0)
    before = service.done()
    service.store.wish_job(job.id, "resume")
    ended = service.wait_for_end(job)
    assert (ended.state, ended.attempt) == ("succeeded", 2)
    assert service.done().items() >= before.items()  # nothing finished was made again


def test_a_stopped_job_answers_with_the_best_it_found(service: Service, model: Path) -> None:
    job = submit(service.store, small_job(model, generations=500, seed=2))
    service.wait_for(job, lambda now: service.store.num_candidates(now.id) > 4)
    service.store.wish_job(job.id, "stop")
    ended = service.wait_for_end(job)
    assert (ended.state, ended.reason) == ("succeeded", "stopped_by_user")
    assert report_of(ended)["verdict"].startswith("Stopped")
    assert "configuration.json" in {each.name for each in service.store.artifacts(job.id)}


def test_a_cancelled_job_keeps_what_it_found(service: Service, model: Path) -> None:
    job = submit(service.store, small_job(model, generations=500, seed=3))
    service.wait_for(job, lambda now: service.store.num_candidates(now.id) > 2)
    service.store.wish_job(job.id, "cancel")
    ended = service.wait_for_end(job)
    assert (ended.state, ended.report) == ("cancelled", None)
    assert service.store.num_candidates(job.id) > 2


def test_two_jobs_share_the_workers_and_the_evaluations(service: Service, model: Path) -> None:
    before = len(service.done())
    jobs = [submit(service.store, small_job(model, seed=4), workers=2) for _ in range(2)]
    grants = set()

    def both_ended(*_: object) -> bool:
        now = [service.store.job(job.id) for job in jobs]
        grants.add(tuple(job.granted for job in now))
        return all(job.state == "succeeded" for job in now)

    service.wait_for(jobs[0], both_ended)
    assert (1, 1) in grants
    assert max(map(sum, grants)) == 2  # the machine's
    one, two = (report_of(service.store.job(job.id)) for job in jobs)
    assert one["answer"] == two["answer"]
    computed = [each["evaluations"]["computed"] for each in (one, two)]
    assert sum(computed) == len(service.done()) - before > 0  # each key once between them


def test_a_job_that_may_not_read_its_model_fails_with_a_sentence(service: Service, tmp_path: Path) -> None:
    job = submit(service.store, small_job(tmp_path))
    ended = service.wait_for_end(job)
    assert (ended.state, ended.reason) == ("failed", "bad_input")
    assert "must lie within the service's folders" in ended.message
    assert "Traceback" not in ended.message
    logged = [event.payload["message"] for event in service.store.events(job.id, kinds=["log"])]
    assert any("Traceback" in str(message) for message in logged)
