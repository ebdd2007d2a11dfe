"""A job whose candidates are known by hand, and what a command showed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from store.records import Artifact, JobRecord, NewCandidate, NewJob
from store.store import Store

SPEC: dict[str, Any] = {
    "model": "reference-model",
    "name": "known",
    "calibration": {"source": "text/calibration.txt", "tokens": 4096, "sequence_length": 256},
    "validation": {"source": "text/validation.txt", "tokens": 2048},
    "space": {"options": [{"kind": "quantize", "bits": [2, 3, 4], "group_size": 128}]},
    "budget": {"nominal_bits_per_weight": 3.0},
    "strategy": {"name": "allocate", "preset": "higgs"},
}
OPTIONS = ["gptq-int2-g32-sym", "gptq-int3-g32-sym", "keep"]
SPACE: dict[str, Any] = {
    "version": 1,
    "ties": "none",
    "dense_bits": 16,
    "layers": [
        {"name": f"block.{i}.proj", "block": i, "module": "proj", "part": None, "rows": 32, "columns": 64, "inside": []}
        for i in range(2)
    ],
    "units": [{"layers": [i], "options": OPTIONS} for i in range(2)],
}
POINTS = (  # size, loss, levels, kind; the third is beaten by the second, and the last broke the model
    (1000, 0.9, (0, 0), "plain"),
    (2000, 0.3, (0, 1), "candidate"),
    (2500, 0.5, (1, 0), "candidate"),
    (3000, 0.1, (1, 1), "answer"),
    (3500, None, (0, 2), "candidate"),
)
FRONT = [1, 2, 4]  # their numbers


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def queued_job(store: Store, name: str = "known", **changes: Any) -> JobRecord:
    job, _ = store.add_job(NewJob(name=name, spec={**SPEC, "name": name}, model="/models/tiny", **changes))
    return job


def running_job(store: Store, name: str = "known") -> JobRecord:
    """A job in the hands of this test, as attempt 1, with all that it found."""
    queued = queued_job(store, name)
    claimed = store.claim_job("test:1:0", 600.0)
    assert claimed is not None
    assert claimed.id == queued.id
    job = store.move_job(queued.id, 1, "running")
    store.add_candidates(job.id, 1, [_candidate(number, *point) for number, point in enumerate(POINTS, start=1)])
    store.put_artifacts(job.id, 1, [_artifact("space.json", json.dumps(SPACE)), _artifact("front.csv", "size,loss\n")])
    return job


def finished_job(store: Store, name: str = "known") -> JobRecord:
    job = running_job(store, name)
    report = {"verdict": "better than the plain choice", "answer": {"configuration_id": f"{4:012x}"}}
    return store.move_job(job.id, 1, "succeeded", message="better than the plain choice", report=report)


def _candidate(number: int, size: int, loss: float | None, levels: tuple[int, int], kind: Any) -> NewCandidate:
    return NewCandidate(
        configuration_id=f"{number:012x}",
        levels=levels,
        label=f"candidate {number}",
        kind=kind,
        size_bytes=size,
        bits_per_weight=size / 500,
        nominal_bits_per_weight=size / 600,
        loss=loss,
        loss_se=None if loss is None else loss / 10,
        source="computed",
    )


def _artifact(name: str, text: str) -> Artifact:
    return Artifact(name=name, media_type="application/octet-stream", content=text.encode())
