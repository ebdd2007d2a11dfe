"""What the API answers about artifacts, workers, models, the cache and all that a job may be made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, Field

from service.api.candidate_views import example
from service.api.views import JOB_ID, View
from store.records import EvaluationRecord, Values

EXAMPLE_ARTIFACT: dict[str, Any] = {
    "name": "report.json",
    "media_type": "application/json",
    "size_bytes": 18_233,
    "sha256": "9b74c9897bac770ffc029102a200c5de0f3d2d1a6c2a4d3e5b1f8c7a6e5d4c3b",
    "created_at": "2026-11-02T09:31:40Z",
}
EXAMPLE_WORKER: dict[str, Any] = {
    "id": "b3d1",
    "job_id": JOB_ID,
    "node": "10.0.0.7",
    "pid": 4211,
    "device": "cuda",
    "cpus": 1.0,
    "gpus": 1.0,
    "state": "busy",
    "task": "round 3 of 8",
    "updated_at": "2026-11-02T09:03:12Z",
    "evaluations_per_minute": 42.5,
    "num_failed": 0,
}
EXAMPLE_BANK: dict[str, Any] = {
    "key": "5f3a80cd210c5097",
    "name": "reference-model",
    "model": "/srv/models/reference-model",
    "num_entries": 504,
    "size_bytes": 34_725_000,
    "updated_at": "2026-11-02T09:01:05Z",
}
EXAMPLE_MODEL: dict[str, Any] = {
    "name": "reference-model",
    "path": "/srv/models/reference-model",
    "size_bytes": 21_012_480,
    "num_jobs": 3,
    "is_found": True,
}
EXAMPLE_SETTING: dict[str, Any] = {"name": "samples", "type": "int", "default": 64, "is_required": False}


class ArtifactView(View):
    """A file that a job left."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime

    model_config = ConfigDict(json_schema_extra=example(EXAMPLE_ARTIFACT))


class ArtifactPage(View):
    """Every file that a job left, by name."""

    items: list[ArtifactView]
    next_cursor: str | None = None

    model_config = ConfigDict(json_schema_extra=example({"items": [EXAMPLE_ARTIFACT], "next_cursor": None}))


class WorkerView(View):
    """A worker of a running job, as the job last saw it."""

    id: str
    job_id: str
    node: str
    pid: int
    device: str
    cpus: float
    gpus: float
    state: Literal["starting", "idle", "busy"]
    task: str
    updated_at: datetime
    evaluations_per_minute: float | None = Field(
        description="its share of what its job's workers computed in the last minute; null: not known yet"
    )
    num_failed: int = Field(description="of its job: workers that died and candidates that could not be measured")

    model_config = ConfigDict(json_schema_extra=example(EXAMPLE_WORKER))


class WorkerPage(View):
    """Every worker that was seen in the last half minute."""

    items: list[WorkerView]
    next_cursor: str | None = None

    model_config = ConfigDict(json_schema_extra=example({"items": [EXAMPLE_WORKER], "next_cursor": None}))


class ModelView(View):
    """A model that jobs were run on, or that lies within the service's folders."""

    name: str
    path: str = Field(description="what a job's model may be: a folder, or a hub id")
    size_bytes: int | None = Field(description="of its weights; null where they are not within the folders")
    num_jobs: int = Field(description="among the latest jobs")
    is_found: bool = Field(description="whether it lies within the folders")

    model_config = ConfigDict(json_schema_extra=example(EXAMPLE_MODEL))


class ModelPage(View):
    """Models by path."""

    items: list[ModelView]
    next_cursor: str | None = None

    model_config = ConfigDict(json_schema_extra=example({"items": [EXAMPLE_MODEL], "next_cursor": None}))


class BankView(View):
    """The compressed weights of one model, kept for every job on it."""

    key: str = Field(description="the beginning of the hash of the model's weights")
    name: str = Field(description="the model's, or the key where no job has named it")
    model: str | None = Field(description="the path or hub id that the latest job called it by")
    num_entries: int = Field(description="layers times options")
    size_bytes: int
    updated_at: datetime = Field(description="when the latest entry was made")

    model_config = ConfigDict(json_schema_extra=example(EXAMPLE_BANK))


class BankPage(View):
    """Banks by the name of their model, as they were within the last half minute."""

    items: list[BankView]
    next_cursor: str | None = None
    is_complete: bool = Field(description="false: the first look at the folders still goes on; ask again")

    model_config = ConfigDict(
        json_schema_extra=example({"items": [EXAMPLE_BANK], "next_cursor": None, "is_complete": True})
    )


class SettingView(View):
    """One setting of a strategy, score, solver or option."""

    name: str
    type: str
    default: Any = Field(description="null where is_required")
    is_required: bool


class EntryView(View):
    """Something that a job file may name."""

    name: str
    summary: str
    settings: list[SettingView]


class SpacesView(View):
    """All that a job may be made of, from the tables that the job file is read with."""

    options: list[EntryView]
    targets: list[EntryView] = Field(description="runtimes that a space may be searched for")
    ties: list[EntryView]
    budgets: list[EntryView]
    strategies: list[EntryView]
    presets: list[EntryView]
    scores: list[EntryView]
    solvers: list[EntryView]
    exports: list[EntryView]

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "options": [{"name": "keep", "summary": "Leaves the layer as it is.", "settings": []}],
                "targets": [{"name": "mlx", "summary": "mlx-lm on Apple silicon.", "settings": []}],
                "ties": [{"name": "none", "summary": "", "settings": []}],
                "budgets": [{"name": "size", "summary": "stored bits", "settings": []}],
                "strategies": [{"name": "random", "summary": "Draws configurations.", "settings": [EXAMPLE_SETTING]}],
                "presets": [],
                "scores": [],
                "solvers": [],
                "exports": [],
            }
        )
    )


class CacheView(View):
    """What the store remembers, by state: done, in_flight, failed, released."""

    evaluations: dict[str, int]
    samples: dict[str, int] = Field(description="of statistics")
    jobs: dict[str, int]
    evaluation_bytes: int = Field(description="of stored losses")
    sample_bytes: int

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "evaluations": {"done": 1284, "in_flight": 2},
                "samples": {"done": 96},
                "jobs": {"succeeded": 3, "running": 1},
                "evaluation_bytes": 4_313_088,
                "sample_bytes": 912_332,
            }
        )
    )


class MeasuredView(View):
    """The means over the sequences of an evaluation; null where the model broke on one."""

    kl: float | None = Field(description="nats per token")
    kl_se: float | None
    perplexity: float | None
    seconds: float = Field(description="that it took")


class EvaluationView(View):
    """One evaluation, by its content."""

    key: str
    subject: str = Field(description="the hash of what is measured: weights, options, metric, precision")
    stream: str = Field(description="the hash of the tokens")
    num_sequences: int
    state: Literal["in_flight", "released", "done", "failed"]
    owner: str = Field(description="who made it, or makes it")
    attempt: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    measured: MeasuredView | None = Field(description="once it is done")
    jobs: list[str] = Field(description="the ids of those that asked for it")

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "key": "0" * 64,
                "subject": "1" * 64,
                "stream": "2" * 64,
                "num_sequences": 32,
                "state": "done",
                "owner": "node-1:4211:9f2c",
                "attempt": 1,
                "error": None,
                "created_at": "2026-11-02T09:03:11Z",
                "finished_at": "2026-11-02T09:03:12Z",
                "measured": {"kl": 0.0712, "kl_se": 0.0021, "perplexity": 31.2, "seconds": 1.3},
                "jobs": [JOB_ID],
            }
        )
    )


def evaluation_view(record: EvaluationRecord) -> EvaluationView:
    same = {name: getattr(record, name) for name in EvaluationView.model_fields if name not in ("measured", "jobs")}
    return EvaluationView(**same, measured=_measured(record.values), jobs=list(record.jobs))


def _measured(values: Values | None) -> MeasuredView | None:
    if values is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        kl, perplexity = float(values.kl.mean()), float(np.exp(values.nll.mean()))
        se = float(values.kl.std(ddof=1) / np.sqrt(len(values.kl))) if len(values.kl) > 1 else np.nan
    return MeasuredView(kl=_finite(kl), kl_se=_finite(se), perplexity=_finite(perplexity), seconds=values.seconds)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
