"""Another budget over HTTP: what ``layerpress solve`` gives, and no torch in the process of the API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from served import served_apart
from transformers import LlamaConfig, LlamaForCausalLM

from search.engine.cluster import start_ray
from search.engine.plan import Plan, make_plan
from search.engine.run import run_job
from search.scores.measured import MeasuredKL
from search.spec import read_spec
from service.outputs import full_report
from service.sensitivity import sensitivity_files
from service.solving import Wanted, pose, solve_stored
from spaces.budget import make_budget
from store.records import NewJob
from store.store import Store

ROOT = Path(__file__).parents[2]
TEXT = ROOT / "examples" / "text"
BUDGET = "nominal_bits_per_weight"
pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A job that was run here, in a store that an API serves."""

    client: httpx2.Client
    store: Store
    plan: Plan
    job_id: str
    folder: Path
    api_pid: int

    def solve(self, body: dict[str, Any]) -> httpx2.Response:
        return self.client.post(f"/jobs/{self.job_id}:solve", json=body)


def make_model(folder: Path) -> Path:
    """A folder with a tiny Llama and the reference model's tokenizer."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=4096,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.15,
        tie_word_embeddings=True,
        dtype="bfloat16",
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((ROOT / "examples" / "reference-model" / name).read_bytes())
    return folder


def make_job(folder: Path) -> dict[str, Any]:
    for name in ("calibration.txt", "validation.txt"):
        (folder / name).write_bytes((TEXT / name).read_bytes())
    return {
        "model": str(make_model(folder / "model")),
        "calibration": {"source": str(folder / "calibration.txt"), "tokens": 1024, "sequence_length": 128},
        "validation": {"source": str(folder / "validation.txt"), "tokens": 1024},
        "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4], "group_size": 64}]},
        "budget": {BUDGET: 3.0},
        "strategy": {"name": "allocate", "score": {"name": "measured-kl", "tokens": 256}},
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    import ray

    folder = tmp_path_factory.mktemp("solve")
    spec = read_spec(make_job(folder))
    url = f"sqlite:///{folder / 'store.db'}"
    started = start_ray(1)
    with Store.open(url) as store:
        plan = make_plan(spec, folder)
        job, _ = store.add_job(NewJob(name="run", spec=spec.model_dump(mode="json"), origin="local", model=spec.model))
        outcome = run_job(plan, store, lambda moment: None)
        store.move_job(job.id, 1, "succeeded", report=json.loads(json.dumps(full_report(plan, outcome))))
        if started:
            ray.shutdown()
        with served_apart(url, folder) as (client, pid):
            yield Finished(client=client, store=store, plan=plan, job_id=job.id, folder=folder, api_pid=pid)


@pytest.mark.parametrize("score", [None, "output-error"])
@pytest.mark.parametrize("bits", [2.25, 2.5, 3.5])
def test_it_is_what_the_command_solves(finished: Finished, bits: float, score: str | None) -> None:
    content = finished.solve({"budget": {BUDGET: bits}, "score": score}).raise_for_status().json()
    wanted = Wanted(budget={BUDGET: bits}, score=score)
    local = solve_stored(finished.plan, pose(finished.plan, wanted, "here"), finished.store)
    assert content["configuration"] == local.content["configuration"]
    assert content["answer"] == local.content["answer"]
    assert content["predicted"] == pytest.approx(local.predicted)
    assert (content["score"], content["budget"]) == (score or "measured-kl", {BUDGET: bits})
    space = finished.plan.problem.space
    measures = space.measure(space.levels(local.configuration))
    assert content["answer"]["size_bytes"] == measures.size_bytes
    assert make_budget({BUDGET: bits}, space).holds(measures)


def test_predictions_grow_as_budgets_shrink(finished: Finished) -> None:
    answers = [finished.solve({"budget": {BUDGET: bits}}).json() for bits in (3.75, 3.0, 2.25)]
    predicted = [answer["predicted"] for answer in answers]
    assert predicted == sorted(predicted)
    assert answers[0]["unit"] == "predicted KL, nats per token"


def test_the_second_answer_comes_soon_and_torch_stays_out_of_the_api(finished: Finished) -> None:
    finished.solve({"budget": {BUDGET: 2.5}}).raise_for_status()
    begun = time.perf_counter()
    finished.solve({"budget": {BUDGET: 2.75}}).raise_for_status()
    assert time.perf_counter() - begun < 5  # the first one imports torch and hashes the weights
    maps = Path(f"/proc/{finished.api_pid}/maps").read_text()
    assert "libtorch" not in maps


def test_sensitivities_are_the_costs_of_the_jobs_own_score(finished: Finished) -> None:
    """The job left no file of them, as one that still runs."""
    content = finished.client.get(f"/jobs/{finished.job_id}/sensitivity").raise_for_status().json()
    assert (content["source"], content["unit"]) == ("measured-kl", "predicted KL, nats per token")
    space = finished.plan.problem.space
    assert [item["name"] for item in content["items"]] == space.names
    base = space.configure(MeasuredKL(tokens=256).base(finished.plan.problem))
    for item, unit in zip(content["items"], space.units, strict=True):
        assert list(item["losses"]) == [option.slug for option in unit.options]
        assert item["losses"][base[item["name"]].slug] == 0.0  # what nothing is changed of
        assert len(set(item["losses"].values())) == len(unit.options)
    [file] = sensitivity_files(finished.plan, finished.store)
    assert (file.name, json.loads(file.content)) == ("sensitivity.json", content)
    assert "libtorch" not in Path(f"/proc/{finished.api_pid}/maps").read_text()


def test_sensitivities_that_a_job_left_are_shown_as_they_are(finished: Finished) -> None:
    """Its model may be gone by then."""
    job, _ = finished.store.add_job(NewJob(name="gone", spec={"model": "/nowhere"}, origin="local"))
    [file] = sensitivity_files(finished.plan, finished.store)
    finished.store.put_artifacts(job.id, 1, [file])
    answer = finished.client.get(f"/jobs/{job.id}/sensitivity").raise_for_status()
    assert answer.json() == json.loads(file.content)


def test_a_job_without_scores_shows_the_errors_of_its_bank(finished: Finished) -> None:
    spec = {**finished.plan.spec.model_dump(mode="json"), "strategy": {"name": "random", "samples": 4}}
    job, _ = finished.store.add_job(NewJob(name="random", spec=spec, origin="local"))
    content = finished.client.get(f"/jobs/{job.id}/sensitivity").raise_for_status().json()
    assert (content["source"], content["unit"]) == ("output-error", "relative squared error")
    for item in content["items"]:
        costs = list(item["losses"].values())
        assert costs == sorted(costs, reverse=True)  # more bits, smaller errors


def test_a_job_that_nothing_tells_of_yet_is_no_sensitivity(finished: Finished) -> None:
    spec = finished.plan.spec.model_dump(mode="json")
    queued, _ = finished.store.add_job(NewJob(name="queued", spec=spec))
    wide = {**spec, "space": {"options": [{"kind": "quantize", "bits": [5, 6], "group_size": 64}]}}
    bankless, _ = finished.store.add_job(NewJob(name="bankless", spec={**wide, "budget": {BUDGET: 6}}, origin="local"))
    for job_id, status, detail in (
        (queued.id, 409, f"job {queued.id} has not begun"),
        (bankless.id, 409, f"job {bankless.id} has nothing yet"),
        ("nobody", 404, "'nobody'"),
    ):
        answer = finished.client.get(f"/jobs/{job_id}/sensitivity")
        assert answer.status_code == status, answer.text
        assert detail in answer.json()["detail"]


def test_what_cannot_be_solved_is_a_problem(finished: Finished) -> None:
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"budget": {BUDGET: 1}}, 422, f"{BUDGET} must be at least 2.0000"),
        ({"budget": {"nominal_bits": 3}}, 422, "did you mean 'nominal_bits_per_weight'"),
        ({"budget": {BUDGET: [2, 3]}}, 422, f"body.budget.{BUDGET}"),
        ({"solver": "knapsak"}, 422, "did you mean 'knapsack'"),
        ({"score": "fisher"}, 422, "the store lacks"),
        ({"score": "Fisher; DROP"}, 422, "pattern"),
        ({"max_loss": 0}, 422, "greater than 0"),
        ({"max_loss": 0.01}, 422, "max_loss"),
        ({"budgets": {}}, 422, "budgets"),
    ]
    for body, status, detail in cases:
        answer = finished.solve(body)
        assert answer.status_code == status, (body, answer.text)
        assert detail in answer.json()["detail"], body
    unknown = finished.client.post("/jobs/nobody:solve", json={"budget": {BUDGET: 3}})
    assert unknown.status_code == 404


def test_a_model_that_changed_is_noticed(finished: Finished) -> None:
    finished.solve({"budget": {BUDGET: 2.5}}).raise_for_status()
    weights = finished.folder / "model" / "model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:-2] + bytes([before[-2] ^ 1, before[-1]]))
    refused = finished.solve({"budget": {BUDGET: 2.5}})
    assert refused.status_code == 422
    assert f"the weights of job {finished.job_id} have changed since that run" in refused.json()["detail"]
    weights.write_bytes(before)
    finished.solve({"budget": {BUDGET: 2.5}}).raise_for_status()
