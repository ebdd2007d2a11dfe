"""Choosing: the front of a job, the best within limits, another budget, and several jobs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import ValidationError

from search.front import Reference
from service.api.access import reader
from service.api.beside import SidecarOf, ends_sidecar
from service.api.candidate_views import (
    CandidateView,
    ComparedFront,
    CompareRequest,
    Comparison,
    FrontView,
    SelectionView,
    SelectRequest,
    SensitivityView,
    SolveRequest,
    SolveView,
    candidate_view,
)
from service.api.fronts import Front, common_reference, covered, flat, loss_of, weighs_of
from service.api.job_facts import objective_of, strategy_name
from service.api.parameters import JobId
from service.api.problems import documented
from service.api.settings import ApiSettings
from service.api.size import size_bytes
from service.api.slow_imports import ONE_AT_A_TIME
from service.api.state import SettingsOf, StoreOf
from service.spaces_view import SENSITIVITY_FILE
from spaces.errors import ConflictError, InputError, UnknownError
from store.records import CandidateRecord, JobRecord
from store.store import Store

router = APIRouter(tags=["selection"], dependencies=[Depends(reader)], lifespan=ends_sidecar)

NOT_BEGUN = ("queued", "validating")
SOLVE_TIMEOUT_S = 120.0  # the first one also waits for torch
NUM_FIRST = 200  # candidates among which every plain choice is: a job measures them before all else
COMPARED_KEYS = ("model", "objective", "calibration", "evaluation")  # of a job's spec

ReferenceSize = Annotated[float | None, Query(gt=0, le=1e6, allow_inf_nan=False)]
ReferenceLoss = Annotated[float | None, Query(gt=0, le=1e300, allow_inf_nan=False)]


@router.get(
    "/jobs/{job_id:job}/front",
    response_model=FrontView,
    responses=documented(404),
    summary="The candidates that no other beats",
)
def get_front(
    store: StoreOf,
    job_id: JobId,
    reference_bits_per_weight: ReferenceSize = None,
    reference_loss: ReferenceLoss = None,
) -> FrontView:
    """The smallest first. The hypervolume is that of size and loss, measured from the reference given.

    By default that is the front's largest loss, one mean step above its largest size.
    """
    job, front = store.job(job_id), store.front(job_id)
    reference = _reference(reference_bits_per_weight, reference_loss) or common_reference([front])
    return FrontView(
        objective=objective_of(job),
        weighs=weighs_of(job),
        items=[candidate_view(each) for each in front],
        hypervolume=covered(front, reference),
    )


@router.post(
    "/jobs/{job_id:job}:select",
    response_model=SelectionView,
    responses=documented(404, 409, 413, 415),
    summary="The best within limits, from what is stored",
)
def select(store: StoreOf, job_id: JobId, asked: SelectRequest) -> SelectionView:
    """The least loss within ``max_size``; without it, the smallest whose loss is at most ``max_loss``."""
    if asked.max_size is None and asked.max_loss is None:
        raise InputError('select needs max_size, max_loss or both, got neither; write, say, {"max_size": "4GiB"}')
    job = store.job(job_id)
    metric = objective_of(job)
    if asked.metric not in (None, metric):
        raise ConflictError(
            f"job {job_id} measured {metric}, got metric {asked.metric}; leave it out, or clone the job"
        )
    limit = None if asked.max_size is None else size_bytes(asked.max_size)
    best = store.best_candidate(job_id, max_size_bytes=limit, max_loss=asked.max_loss)
    front = flat(store.front(job_id))
    if best is None:
        raise ConflictError(_nothing_fits(job_id, front, limit, asked.max_loss))
    return SelectionView(
        metric=metric,
        max_size_bytes=limit,
        max_loss=asked.max_loss,
        candidate=candidate_view(best),
        plain=_best_plain(store, job_id, limit, asked.max_loss),
        smaller=_view(next((each for each in reversed(front) if each.size_bytes < best.size_bytes), None)),
        larger=_view(next((each for each in front if each.size_bytes > best.size_bytes), None)),
    )


@router.post(
    "/jobs/{job_id:job}:solve",
    response_model=SolveView,
    responses=documented(404, 413, 415),
    summary="Another budget, from stored scores",
)
def solve(store: StoreOf, settings: SettingsOf, sidecar: SidecarOf, job_id: JobId, asked: SolveRequest) -> SolveView:
    """A configuration in seconds, without a forward pass: its size is exact, its loss is predicted."""
    store.job(job_id)  # an unknown one is refused without waiting
    content = {**_about(settings, job_id), "wanted": asked.model_dump()}
    return SolveView.model_validate(sidecar.call("solve", content, timeout_s=SOLVE_TIMEOUT_S))


@router.get(
    "/jobs/{job_id:job}/sensitivity",
    response_model=SensitivityView,
    responses=documented(404, 409),
    summary="What each option costs each layer",
)
def get_sensitivity(store: StoreOf, settings: SettingsOf, sidecar: SidecarOf, job_id: JobId) -> SensitivityView:
    """As the job noted it when it ended; until then, from the scores that are stored, and 409 while there are none."""
    if store.job(job_id).state in NOT_BEGUN:
        raise ConflictError(f"job {job_id} has not begun, so nothing tells yet what each layer costs; ask again later")
    try:
        return SensitivityView.model_validate_json(store.artifact(job_id, SENSITIVITY_FILE).content)
    except UnknownError:
        answer = sidecar.call("sensitivity", _about(settings, job_id), timeout_s=SOLVE_TIMEOUT_S)
    return SensitivityView.model_validate(answer)


@router.post(
    "/jobs:compare",
    response_model=Comparison,
    responses=documented(404, 413, 415),
    summary="The fronts of several jobs",
)
def compare(store: StoreOf, asked: CompareRequest) -> Comparison:
    """In the order asked for, their hypervolumes from one reference."""
    jobs = [store.job(job_id) for job_id in dict.fromkeys(asked.ids)]
    fronts = [store.front(job.id) for job in jobs]
    message = _differences(jobs)
    reference = common_reference(fronts) if len({objective_of(job) for job in jobs}) == 1 else None
    return Comparison(
        items=[_compared(job, front, reference) for job, front in zip(jobs, fronts, strict=True)],
        is_comparable=not message,
        message=message,
    )


def _about(settings: ApiSettings, job_id: str) -> dict[str, object]:
    """What the second process needs to know of a job."""
    return {
        "store_url": settings.store_url,
        "home": str(settings.home),
        "roots": [str(root) for root in settings.roots],
        "allow_hub": settings.allow_hub,
        "job_id": job_id,
    }


def _reference(size: float | None, loss: float | None) -> Reference | None:
    if size is None and loss is None:
        return None
    if size is None or loss is None:
        raise InputError(
            f"a reference needs both reference_bits_per_weight and reference_loss, got {size} and {loss}; "
            f"give the other as well, or neither"
        )
    return Reference(size=size, loss=loss)


def _nothing_fits(job_id: str, front: Front, max_size_bytes: int | None, max_loss: float | None) -> str:
    """What there is instead."""
    if not front:
        return f"job {job_id} has measured no candidate yet that holds; ask again when it has"
    asked = [] if max_size_bytes is None else [f"a size of at most {max_size_bytes:,} bytes"]
    asked += [] if max_loss is None else [f"a loss of at most {max_loss:g}"]
    smallest, best = front[0], front[-1]
    return (
        f"no candidate of job {job_id} has {' and '.join(asked)}: the smallest has {smallest.size_bytes:,} bytes "
        f"(loss {loss_of(smallest):.5g}), and the least loss is {loss_of(best):.5g} (at {best.size_bytes:,} bytes); "
        f"ask for something between"
    )


def _best_plain(store: Store, job_id: str, max_size_bytes: int | None, max_loss: float | None) -> CandidateView | None:
    """By the rule that the best candidate is chosen by."""
    fitting = [
        each
        for each in store.candidates(job_id, limit=NUM_FIRST)
        if each.kind == "plain"
        and each.loss is not None
        and (max_size_bytes is None or each.size_bytes <= max_size_bytes)
        and (max_loss is None or each.loss <= max_loss)
    ]
    if max_size_bytes is None:
        return _view(min(fitting, key=lambda each: (each.size_bytes, loss_of(each)), default=None))
    return _view(min(fitting, key=lambda each: (loss_of(each), each.size_bytes), default=None))


def _view(record: CandidateRecord | None) -> CandidateView | None:
    return None if record is None else candidate_view(record)


def _compared(job: JobRecord, front: Front, reference: Reference | None) -> ComparedFront:
    spec: dict[str, Any] = dict(job.spec)
    return ComparedFront(
        id=job.id,
        name=job.name,
        model=job.model,
        state=job.state,
        budget=dict(spec.get("budget", {})),
        strategy=strategy_name(job),
        seed=spec.get("seed", 0),
        objective=objective_of(job),
        weighs=weighs_of(job),
        items=[candidate_view(each) for each in front],
        hypervolume=covered(front, reference),
    )


def _differences(jobs: Sequence[JobRecord]) -> str:
    """One sentence where losses of the jobs are not of one kind."""
    specs: list[dict[str, Any]] = [{**job.spec, "objective": objective_of(job)} for job in jobs]
    if _differing(specs):  # perhaps in nothing but what one leaves to the defaults
        specs = [_settled(spec) for spec in specs]
    differing = _differing(specs)
    if not differing:
        return ""
    return f"these jobs differ in {', '.join(differing)}, so their losses are not of one kind"


def _differing(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [key for key in COMPARED_KEYS if any(spec.get(key) != specs[0].get(key) for spec in specs)]


def _settled(spec: dict[str, Any]) -> dict[str, Any]:
    """A job's spec with every default written out; one that another release took in stays as it is."""
    with ONE_AT_A_TIME:
        from search.spec import JobSpec
    try:
        read = JobSpec.model_validate(spec)
    except ValidationError:
        return spec
    calibration = {**read.calibration.model_dump(), "sequence_length": read.sequence_length}
    return {**read.model_dump(), "calibration": calibration}
