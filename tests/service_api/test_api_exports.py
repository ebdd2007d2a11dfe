"""Checkpoints over HTTP: a candidate of a real job written beside the API and sent whole, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
import yaml
from served import candidate, served_apart, serving
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from compressors.measure import EntryErrors
from compressors.solvers import solve
from compressors.weights import weight_of
from evaluators.checkpoint import load_model
from evaluators.live import LiveModel
from search.engine.plan import Plan, make_plan
from search.spec import read_spec
from service.choosing import Wanted
from service.client import Client
from service.client.address import Address
from service.commands.remote.checkpoint import fetch_checkpoint
from service.commands.remote.export import chosen
from service.spaces_view import space_document
from spaces.errors import ConflictError, InputError, UnreachableError
from spaces.option import Banked
from store.records import Artifact, NewCandidate, NewJob, Scope
from store.store import Store

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
GRACE_S = 120.0
MIXED, DROPPED = 1, 2  # candidates
pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Served:
    """A job that has measured two candidates, in a store that an API serves."""

    client: httpx2.Client
    plan: Plan
    store: Store
    job_id: str
    home: Path
    levels: dict[int, tuple[int, ...]]
    api_pid: int

    def path(self, seq: int = MIXED) -> str:
        return f"/jobs/{self.job_id}/candidates/{seq}"

    def begin(self, format_: str, seq: int = MIXED, client: httpx2.Client | None = None) -> httpx2.Response:
        return (client or self.client).post(f"{self.path(seq)}:export", json={"format": format_})

    def state(self, format_: str, seq: int = MIXED) -> httpx2.Response:
        return self.client.get(f"{self.path(seq)}/exports/{format_}")

    def until(self, format_: str, *states: str, seq: int = MIXED) -> dict[str, Any]:
        deadline = time.monotonic() + GRACE_S
        while True:
            found: dict[str, Any] = self.state(format_, seq).raise_for_status().json()
            if found["state"] in states:
                return found
            assert found["state"] in ("queued", "writing"), found
            assert time.monotonic() < deadline, found
            time.sleep(0.1)


def make_job(folder: Path) -> dict[str, Any]:
    """A tiny Llama in float32 with the reference model's tokenizer, and a job on it; nothing is searched."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=4096,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / "model" / name).write_bytes((EXAMPLES / "reference-model" / name).read_bytes())
    for name in ("calibration.txt", "validation.txt"):
        (folder / name).write_bytes((EXAMPLES / "text" / name).read_bytes())
    return {
        "model": str(folder / "model"),
        "calibration": {"source": str(folder / "calibration.txt"), "tokens": 256, "sequence_length": 64},
        "validation": {"source": str(folder / "validation.txt"), "tokens": 256},
        "space": {
            "options": [
                {"kind": "quantize", "bits": [3, 5, 8], "group_size": 32, "symmetric": True, "solver": "rtn"},
                {"kind": "drop", "parts": ["block"]},
            ]
        },
        "budget": {"size": "1GB"},
        "strategy": "uniform",
    }


def fill(plan: Plan, levels: tuple[int, ...]) -> None:
    model = load_model(Path(plan.spec.model), dtype=torch.float32)
    for name, option in plan.problem.space.configure(levels).options:
        if isinstance(option, Banked):
            [[quantized]] = solve([weight_of(model.get_submodule(name))], None, [option])
            plan.bank.write(name, option, quantized, EntryErrors(weight=0.0, output=0.0))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("exports")
    spec = read_spec(make_job(home))
    plan = make_plan(spec, home)
    space = plan.problem.space
    mixed = tuple(number % 3 if len(unit.options) > 2 else 1 for number, unit in enumerate(space.units))
    block = next(number for number, unit in enumerate(space.units) if space.layers[unit.layers[0]].part == "block")
    levels = {MIXED: mixed, DROPPED: tuple(0 if number == block else level for number, level in enumerate(mixed))}
    url = f"sqlite:///{home / 'store.db'}"
    with Store.open(url) as store:
        job, _ = store.add_job(NewJob(name="run", spec=spec.model_dump(mode="json"), origin="local", model=spec.model))
        document = json.dumps(space_document(space)).encode()
        store.put_artifacts(job.id, 1, [Artifact(name="space.json", media_type="application/json", content=document)])
        found = []
        for number, each in enumerate(levels.values(), start=1):
            configuration, size = space.configure(each), space.measure(each).size_bytes
            made = candidate(number, size=size, loss=1 / size, levels=each)
            found.append(replace(made, configuration_id=configuration.id))
            fill(plan, each)
        store.add_candidates(job.id, 1, found)
        with served_apart(url, home) as (client, pid):
            yield Served(client=client, plan=plan, store=store, job_id=job.id, home=home, levels=levels, api_pid=pid)


def unpacked(content: bytes, folder: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        tar.extractall(folder, filter="data")
    (only,) = folder.iterdir()
    return only


def test_a_checkpoint_is_written_beside_and_fetched_whole(served: Served, tmp_path: Path) -> None:
    assert served.state("dense").status_code == 404
    begun = served.begin("dense")
    assert begun.status_code == 202
    assert begun.headers["location"] == f"/api/v1{served.path()}/exports/dense"
    assert begun.json()["state"] in ("queued", "writing")
    assert begun.json()["archive"] is None
    done = served.until("dense", "done")
    archive = served.client.get(f"{served.path()}/exports/dense/archive").raise_for_status()
    assert done["archive"] == f"/api/v1{served.path()}/exports/dense/archive"
    assert len(archive.content) == done["size_bytes"] == int(archive.headers["content-length"])
    assert archive.headers["content-type"] == "application/x-tar"
    assert archive.headers["content-disposition"] == f'attachment; filename="{done["name"]}.tar"'
    folder = unpacked(archive.content, tmp_path)
    assert folder.name == done["name"]
    sums = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in sums} | {"SHA256SUMS"} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for digest, name in sums)
    facts = json.loads((folder / "compression.json").read_text())
    configuration = served.plan.problem.space.configure(served.levels[MIXED])
    assert (facts["job"], facts["configuration_id"]) == (served.job_id, configuration.id)
    dense = load_model(Path(served.plan.spec.model), dtype=torch.float32)
    live = LiveModel(dense, served.plan.problem.space.anatomy, served.plan.bank)
    live.apply(configuration)
    ids = torch.arange(48).reshape(2, 24)
    with torch.inference_mode():
        again = AutoModelForCausalLM.from_pretrained(folder)(input_ids=ids).logits
        assert torch.equal(again, live.model(input_ids=ids).logits)


def test_the_same_again_is_there_at_once_and_torch_stays_out_of_the_api(served: Served) -> None:
    served.begin("dense").raise_for_status()
    served.until("dense", "done")
    again = served.begin("dense")
    assert (again.status_code, again.json()["state"]) == (200, "done")
    assert "libtorch" not in Path(f"/proc/{served.api_pid}/maps").read_text()
    assert len(list((served.home / "exports").iterdir())) == 1


def test_a_packed_checkpoint_of_a_dropped_block_is_smaller(served: Served) -> None:
    for seq in (MIXED, DROPPED):
        served.begin("compressed-tensors", seq).raise_for_status()
    sizes = [served.until("compressed-tensors", "done", seq=seq)["size_bytes"] for seq in (MIXED, DROPPED)]
    assert sizes[1] < sizes[0]


def test_a_recipe_comes_at_once_and_a_checkpoint_says_how_it_is_had(served: Served) -> None:
    path = f"{served.path()}/export"
    recipe = served.client.get(path, params={"format": "llm-compressor"}).raise_for_status()
    assert "quant_stage" in yaml.safe_load(recipe.text)
    refused = served.client.get(path, params={"format": "dense"})
    assert refused.status_code == 409
    assert 'candidates/1:export with {"format": "dense"} lets it be written' in refused.json()["detail"]


def test_an_answer_that_was_a_candidate_before_is_the_same_configuration(served: Served) -> None:
    first = served.store.candidate(served.job_id, MIXED)
    facts = {each.name: getattr(first, each.name) for each in fields(NewCandidate)}
    [answer] = served.store.add_candidates(served.job_id, 1, [NewCandidate(**{**facts, "kind": "answer"})])
    assert answer.seq > DROPPED
    url = str(served.client.base_url).removesuffix("/").removesuffix("/api/v1")
    with Client(Address(url=url, token=None)) as client:
        texts = [client.export(served.job_id, seq, "llm-compressor") for seq in (MIXED, answer.seq)]
        assert texts[0] == texts[1]
        assert chosen(client, served.job_id, Wanted(pick=first.configuration_id)) in (MIXED, answer.seq)


@pytest.mark.parametrize(
    ("format_", "status", "match"),
    [
        ("gptq", 409, "format gptq: model.layers.0"),
        ("evopress", 409, "format evopress is one file"),
        ("layers.csv", 409, "format layers.csv is one file"),
        ("onnx", 422, "format must be one of configuration, .* got 'onnx'"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(
    served: Served, format_: str, status: int, match: str
) -> None:
    before = sorted((served.home / "exports").glob("*")) if (served.home / "exports").exists() else []
    refused = served.begin(format_)
    assert refused.status_code == status
    assert re.search(match, refused.json()["detail"])
    assert served.client.get(f"{served.path()}/exports/{format_}/archive").status_code in (404, 422)
    after = sorted((served.home / "exports").glob("*")) if (served.home / "exports").exists() else []
    assert after == before


def test_the_command_line_fetches_it_whole_into_a_new_folder(served: Served, tmp_path: Path) -> None:
    url = str(served.client.base_url).removesuffix("/").removesuffix("/api/v1")
    with Client(Address(url=url, token=None)) as client:
        out = tmp_path / "fetched"
        state = fetch_checkpoint(client, served.job_id, MIXED, "dense", out)
        assert state.state == "done"
        assert (out / "config.json").is_file()
        assert [path.name for path in tmp_path.iterdir()] == ["fetched"]
        with pytest.raises(InputError, match="must be a new or empty folder"):
            fetch_checkpoint(client, served.job_id, MIXED, "dense", out)
        with pytest.raises(ConflictError, match=r"gptq holds 2, 3, 4 and 8 bits, got rtn-int5-g32-sym"):
            fetch_checkpoint(client, served.job_id, MIXED, "gptq", tmp_path / "other")
        written = next((served.home / "exports").glob(f"*/{state.name}")) / "config.json"
        whole = written.read_text()
        written.write_text(whole.replace("llama", "lamma"))
        try:
            with pytest.raises(UnreachableError, match=r"config.json arrived damaged: its SHA-256"):
                fetch_checkpoint(client, served.job_id, MIXED, "dense", tmp_path / "other")
        finally:
            written.write_text(whole)
        assert [path.name for path in tmp_path.iterdir()] == ["fetched"]


def test_a_job_or_candidate_that_is_not_there(served: Served) -> None:
    assert served.begin("dense", seq=99).status_code == 404
    assert served.client.post("/jobs/nobody/candidates/1:export", json={"format": "dense"}).status_code == 404
    assert served.client.post(f"{served.path()}:export", json={"format": "dense", "more": 1}).status_code == 422


def test_a_failure_says_why_and_is_tried_again(served: Served) -> None:
    weights = Path(served.plan.spec.model) / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    try:
        served.begin("mlx").raise_for_status()
        failed = served.until("mlx", "failed")
    finally:
        weights.write_bytes(whole)
    assert "model.safetensors" in failed["error"]
    early = served.client.get(f"{served.path()}/exports/mlx/archive")
    assert early.status_code == 409
    assert "is failed" in early.json()["detail"]
    assert served.begin("mlx").status_code == 202
    served.until("mlx", "done")


def test_who_may(served: Served) -> None:
    with serving(f"sqlite:///{served.home / 'store.db'}", served.home, requires_token=True) as client:
        scopes: dict[str, Scope] = {"reads": "read", "submits": "submit", "rules": "admin"}
        secrets = {name: served.store.add_token(name, scope)[1] for name, scope in scopes.items()}

        def asking(name: str) -> httpx2.Client:
            client.headers["Authorization"] = f"Bearer {secrets[name]}"
            return client

        assert served.begin("dense", client=asking("reads")).status_code == 403
        assert served.begin("dense", client=asking("submits")).status_code in (200, 202)
        place = f"{served.path()}/exports/dense"
        served.until("dense", "done")
        assert asking("reads").get(place).json()["state"] == "done"
        assert asking("reads").get(f"{place}/archive").status_code == 200
        assert asking("submits").delete(place).status_code == 403  # it is another's job
        assert asking("rules").delete(place).status_code == 204
        assert asking("rules").delete(place).status_code == 404
        assert asking("reads").get(place).status_code == 404
