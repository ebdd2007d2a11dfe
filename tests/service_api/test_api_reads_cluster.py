"""Workers, models, the cache, evaluations and metrics over HTTP: the numbers that the store was filled with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import running_job, serving

from store.records import EvaluationKey, Leased, NewJob, Values, WorkerRecord
from store.store import Store

KEY = EvaluationKey(key="ab" * 32, subject="cd" * 32, stream="ef" * 32, num_sequences=4)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as store:
        yield store


@pytest.fixture
def client(database_url: str, store: Store, tmp_path: Path) -> Iterator[httpx2.Client]:
    with serving(database_url, tmp_path) as client:
        yield client


def evaluate(store: Store, key: EvaluationKey, kl: list[float], nll: list[float]) -> None:
    claim = store.claim(key, owner="here", ttl_s=60.0)
    assert isinstance(claim, Leased)
    store.complete(key.key, "here", claim.attempt, Values(kl=np.array(kl), nll=np.array(nll), seconds=0.25))


def worker(number: int, **changes: Any) -> WorkerRecord:
    fields: dict[str, Any] = {
        "id": f"w{number}",
        "job_id": "",
        "node": "10.0.0.7",
        "pid": 100 + number,
        "device": "cpu",
        "cpus": 1.0,
        "gpus": 0.0,
        "state": "busy",
        "task": "round 1",
        "updated_at": datetime.now(UTC),
        **changes,
    }
    return WorkerRecord(**fields)


def test_workers_are_those_that_jobs_report(client: httpx2.Client, store: Store) -> None:
    job = running_job(store)
    store.report_workers(job.id, 1, [worker(0), worker(1, device="cuda", gpus=0.5, state="idle")])
    listed = client.get("/workers").json()["items"]
    assert [(each["id"], each["job_id"], each["gpus"]) for each in listed] == [("w0", job.id, 0), ("w1", job.id, 0.5)]


def test_workers_share_the_pace_of_their_job(client: httpx2.Client, store: Store) -> None:
    jobs = [running_job(store), running_job(store)]
    for job in jobs:
        store.report_workers(job.id, 1, [worker(0), worker(1)])
    store.note_progress(jobs[0].id, 1, {"phase": "search", "evaluations_per_minute": 25.0, "num_failed": 3})
    listed = client.get("/workers").json()["items"]
    shown = {(each["job_id"], each["evaluations_per_minute"], each["num_failed"]) for each in listed}
    assert shown == {(jobs[0].id, 12.5, 3), (jobs[1].id, None, 0)}


def test_banks_are_counted_by_model(client: httpx2.Client, tmp_path: Path) -> None:
    """``tmp_path`` is the home folder."""
    for key, layer, name, size in BANK_FILES:
        folder = tmp_path / "bank" / key / layer
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * size)
    (tmp_path / "bank" / "aaaa" / "model.json").write_text('{"model": "/srv/models/tiny"}')
    (tmp_path / "bank" / "bbbb" / "model.json").write_text("no JSON")
    (tmp_path / "bank" / "empty").mkdir()
    page = client.get("/banks").json()
    while not page["is_complete"]:
        page = client.get("/banks").json()
    rows = [(row["key"], row["name"], row["model"], row["num_entries"], row["size_bytes"]) for row in page["items"]]
    assert rows == [("bbbb", "bbbb", None, 1, 7), ("aaaa", "tiny", "/srv/models/tiny", 3, 111)]
    latest_s = max(path.stat().st_mtime for path in (tmp_path / "bank" / "aaaa").rglob("*.safetensors"))
    assert datetime.fromisoformat(page["items"][1]["updated_at"]).timestamp() == pytest.approx(latest_s)


BANK_FILES = (
    ("aaaa", "model.layers.0.q_proj", "gptq-int2-g64-asym-1.safetensors", 1),
    ("aaaa", "model.layers.0.q_proj", "gptq-int3-g64-asym-2.safetensors", 10),
    ("aaaa", "model.layers.1.q_proj", "gptq-int2-g64-asym-3.safetensors", 100),
    ("aaaa", "model.layers.1.q_proj", ".half-written", 1000),
    ("bbbb", "model.layers.0.q_proj", "gptq-int2-g64-asym-4.safetensors", 7),
    (".hidden", "model.layers.0.q_proj", "gptq-int2-g64-asym-5.safetensors", 9),
)


def test_a_service_without_banks_has_none(client: httpx2.Client) -> None:
    assert client.get("/banks").json() == {"items": [], "next_cursor": None, "is_complete": True}


def test_the_cache_counts_what_there_is(client: httpx2.Client, store: Store) -> None:
    evaluate(store, KEY, [0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0])
    running_job(store)
    assert client.get("/cache").json() == {
        "evaluations": {"done": 1},
        "samples": {},
        "jobs": {"running": 1},
        "evaluation_bytes": 64,
        "sample_bytes": 0,
    }


def test_an_evaluation_is_found_by_its_key(client: httpx2.Client, store: Store) -> None:
    kl, nll = [0.1, 0.2, 0.3, 0.5], [1.0, 2.0, 3.0, 4.0]
    evaluate(store, KEY, kl, nll)
    job = running_job(store)
    store.add_subjects(job.id, [KEY.subject])
    found = client.get(f"/evaluations/{KEY.key}").json()
    assert (found["state"], found["num_sequences"], found["jobs"]) == ("done", 4, [job.id])
    assert found["measured"] == pytest.approx(
        {"kl": np.mean(kl), "kl_se": np.std(kl, ddof=1) / 2, "perplexity": np.exp(2.5), "seconds": 0.25}
    )
    assert client.get(f"/evaluations/{'00' * 32}").status_code == 404
    assert client.get("/evaluations/AB").status_code == 422


def test_an_evaluation_that_broke_the_model_has_no_mean(client: httpx2.Client, store: Store) -> None:
    evaluate(store, KEY, [0.1, np.inf, 0.3, 0.5], [1.0, np.inf, 3.0, 4.0])
    measured = client.get(f"/evaluations/{KEY.key}").json()["measured"]
    assert measured == {"kl": None, "kl_se": None, "perplexity": None, "seconds": 0.25}


def test_models_are_those_of_jobs_and_those_in_the_folders(client: httpx2.Client, store: Store, tmp_path: Path) -> None:
    def model(folder: Path, config: str = '{"model_type": "llama"}', num_bytes: int = 10) -> Path:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(config)
        (folder / "model.safetensors").write_bytes(b"x" * num_bytes)
        return folder

    found = model(tmp_path / "a" / "found")
    used = model(tmp_path / "used", num_bytes=30)
    model(tmp_path / "adapter", config='{"peft_type": "LORA"}')
    model(tmp_path / "broken", config='{"model_type"')
    model(tmp_path / ".hidden")
    model(tmp_path / "1" / "2" / "3" / "4" / "5")
    outside = model(tmp_path.parent / f"{tmp_path.name}-outside")
    (tmp_path / "link").symlink_to(outside, target_is_directory=True)
    for path in (used, used, "Qwen/Qwen3-0.6B"):
        running_job(store, model=str(path))
    assert client.get("/models").json()["items"] == [
        {"name": "found", "path": str(found), "size_bytes": 10, "num_jobs": 0, "is_found": True},
        {"name": "used", "path": str(used), "size_bytes": 30, "num_jobs": 2, "is_found": True},
        {"name": "Qwen3-0.6B", "path": "Qwen/Qwen3-0.6B", "size_bytes": None, "num_jobs": 1, "is_found": False},
    ]


def metrics(client: httpx2.Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels, as Prometheus reads them."""
    answer = client.get("/metrics").raise_for_status()
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_are_what_the_store_holds(client: httpx2.Client, store: Store) -> None:
    evaluate(store, KEY, [0.1] * 4, [1.0] * 4)
    job = running_job(store)
    store.note_progress(job.id, 1, {"phase": "search", "computed": 3, "cached": 9})
    store.add_job(NewJob(name="next", spec={}, workers=2))
    store.report_workers(job.id, 1, [worker(0), worker(1), worker(2, device="cuda", state="idle")])
    found = metrics(client)
    assert found["layerpress_jobs", (("state", "running"),)] == 1
    assert found["layerpress_jobs", (("state", "queued"),)] == 1
    assert found["layerpress_jobs", (("state", "failed"),)] == 0
    assert found["layerpress_evaluations", (("state", "done"),)] == 1
    assert found["layerpress_stored_bytes", (("kind", "evaluations"),)] == 64
    assert found["layerpress_workers", (("device", "cpu"), ("state", "busy"))] == 2
    assert found["layerpress_workers", (("device", "cuda"), ("state", "idle"))] == 1
    assert found["layerpress_job_evaluations", (("job", job.id), ("source", "cached"))] == 9
    assert found["layerpress_job_cached_share", (("job", job.id),)] == 0.75
    assert found["layerpress_job_events", (("job", job.id),)] == store.job(job.id).last_seq > 0
    assert found["process_resident_memory_bytes", ()] > 10_000_000


@pytest.mark.slow
def test_spaces_list_every_table(client: httpx2.Client) -> None:
    from search.scores.score import SCORES
    from search.settings import PRESETS
    from search.solvers.solver import SOLVERS
    from search.strategy import STRATEGIES
    from spaces.budget import BUDGETS
    from spaces.option import OPTION_KINDS

    listed = client.get("/spaces").raise_for_status().json()
    for key, table in (
        ("options", OPTION_KINDS),
        ("strategies", STRATEGIES),
        ("scores", SCORES),
        ("solvers", SOLVERS),
        ("budgets", BUDGETS),
        ("presets", [name for presets in PRESETS.values() for name in presets]),
    ):
        assert [entry["name"] for entry in listed[key]] == list(table)
    assert all(entry["summary"] for key in ("options", "strategies", "scores", "solvers") for entry in listed[key])
    [evolution] = [entry for entry in listed["strategies"] if entry["name"] == "evolution"]
    [generations] = [setting for setting in evolution["settings"] if setting["name"] == "generations"]
    assert generations == {"name": "generations", "type": "int | None", "default": 150, "is_required": False}
