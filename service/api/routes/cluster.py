"""What there is to work with: workers, models, all that a job may name, and what the cache holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from service.api.access import reader
from service.api.beside import SidecarOf
from service.api.cluster_views import (
    BankPage,
    BankView,
    CacheView,
    EvaluationView,
    ModelPage,
    ModelView,
    SpacesView,
    WorkerPage,
    WorkerView,
    evaluation_view,
)
from service.api.problems import documented
from service.api.state import SettingsOf, StateOf, StoreOf
from service.model_folders import find_models
from spaces.errors import UnknownError
from store.records import WorkerRecord
from store.store import Store

router = APIRouter(tags=["cluster"], dependencies=[Depends(reader)])

CATALOGUE_TIMEOUT_S = 60.0
BANKS_PATIENCE_S = 0.5  # with the first look
NUM_JOBS = 1000  # the latest, whose models are listed
Key = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="of an evaluation", examples=["0" * 64])]


@router.get("/workers", response_model=WorkerPage, responses=documented(), summary="The workers of running jobs")
def list_workers(store: StoreOf) -> WorkerPage:
    """As their jobs last saw them, in the last half minute."""
    found = store.workers()
    shares = {job_id: _share(store, job_id, num) for job_id, num in Counter(each.job_id for each in found).items()}
    return WorkerPage(items=[_worker(each, *shares[each.job_id]) for each in found])


def _share(store: Store, job_id: str, num_workers: int) -> tuple[float | None, int]:
    """Evaluations a minute of each of a job's workers, and how often one of them failed."""
    try:
        progress: Any = store.job(job_id).progress or {}
    except UnknownError:  # deleted meanwhile
        progress = {}
    rate = progress.get("evaluations_per_minute")
    return None if rate is None else round(rate / num_workers, 1), progress.get("num_failed", 0)


def _worker(record: WorkerRecord, evaluations_per_minute: float | None, num_failed: int) -> WorkerView:
    same = {name: getattr(record, name) for name in WorkerView.model_fields if hasattr(record, name)}
    return WorkerView(**same, evaluations_per_minute=evaluations_per_minute, num_failed=num_failed)


@router.get("/models", response_model=ModelPage, responses=documented(), summary="Models to run jobs on")
def list_models(store: StoreOf, settings: SettingsOf) -> ModelPage:
    """Those of the latest jobs, and those that lie within the service's folders."""
    num_jobs = Counter(job.model for job in store.jobs(limit=NUM_JOBS) if job.model)
    found = {str(model.path): model.size_bytes for model in find_models(settings.roots)}
    return ModelPage(
        items=[
            ModelView(
                name=FilePath(path).name,
                path=path,
                size_bytes=found.get(path),
                num_jobs=num_jobs[path],
                is_found=path in found,
            )
            for path in sorted({*num_jobs, *found})
        ]
    )


@router.get("/banks", response_model=BankPage, responses=documented(), summary="Compressed weights that are kept")
def list_banks(state: StateOf) -> BankPage:
    """One for each model, with the room that it takes. The folders are looked at beside the requests."""
    found = state.banks.value(BANKS_PATIENCE_S)
    items = [
        BankView(
            key=bank.key,
            name=bank.key if bank.model is None else FilePath(bank.model).name,
            model=bank.model,
            num_entries=bank.num_entries,
            size_bytes=bank.size_bytes,
            updated_at=bank.updated_at,
        )
        for bank in found or ()
    ]
    return BankPage(items=items, is_complete=found is not None)


@router.get("/spaces", response_model=SpacesView, responses=documented(), summary="All that a job may name")
def list_spaces(sidecar: SidecarOf) -> SpacesView:
    """Options, ties, budgets, strategies, scores and solvers with their settings."""
    return SpacesView.model_validate(sidecar.call("catalogue", {}, timeout_s=CATALOGUE_TIMEOUT_S))


@router.get("/cache", response_model=CacheView, responses=documented(), summary="What the cache holds")
def get_cache(store: StoreOf) -> CacheView:
    """Evaluations, samples and jobs by state, and the bytes of what was measured."""
    return CacheView.model_validate(store.statistics(), from_attributes=True)


@router.get("/evaluations/{key}", response_model=EvaluationView, responses=documented(404), summary="One evaluation")
def get_evaluation(store: StoreOf, key: Key) -> EvaluationView:
    """By its key: the hash of what was measured, and on which tokens."""
    return evaluation_view(store.find_evaluation(key))
