"""Jobs: handed in, listed, read, changed, steered, cloned, extended and deleted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Response
from fastapi.responses import JSONResponse

from service.api.access import Principal, Reader, Submitter, own_job
from service.api.parameters import Cursor, IdempotencyKey, JobId, Limit, Searched, read_cursor, write_cursor
from service.api.problems import documented
from service.api.slow_imports import ONE_AT_A_TIME
from service.api.state import BaseOf, SettingsOf, StoreOf
from service.api.views import (
    EXAMPLE_SPEC,
    CloneRequest,
    ExtendRequest,
    JobChanges,
    JobDetail,
    JobPage,
    JobView,
    Preview,
    Priority,
    job_detail,
    job_view,
)
from spaces.errors import InputError, UnknownError
from store.records import AnswerRecord, EventRecord, Idempotency, JobRecord, JobState, NewJob
from store.store import Store

if TYPE_CHECKING:
    from service.intake.submission import Submission

router = APIRouter(tags=["jobs"])

Verb = Literal["pause", "resume", "stop", "cancel"]
JOB = "/jobs/{job_id:job}"
LOCATION = {"Location": {"description": "where the job is", "schema": {"type": "string"}}}
REPLAYED = {
    "Idempotent-Replayed": {
        "description": "true: this key was seen before, and the job is the one it made",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"headers": {**LOCATION, **REPLAYED}}}
SPEC = Body(
    description="a job file's content: see /schemas/job",
    openapi_examples={"demo": {"summary": "about 3 bits for each weight", "value": EXAMPLE_SPEC}},
)


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobDetail,
    responses={
        **documented(409, 413, 415),
        **ACCEPTED,
        200: {"model": Preview, "description": "of a dry run: what the job would be; nothing is stored"},
    },
)
def submit_job(
    spec: Annotated[dict[str, Any], SPEC],
    principal: Submitter,
    settings: SettingsOf,
    store: StoreOf,
    base: BaseOf,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    dry_run: Annotated[bool, Query(description="check the job and tell its sizes; store nothing")] = False,
    priority: Annotated[Priority, Query(description="higher goes first")] = 0,
    note: Annotated[str, Query(max_length=4000, pattern="^[^\\x00]*$")] = "",
) -> Any:
    """Hand in a job. What can be refused without reading its weights and text is refused now."""
    with ONE_AT_A_TIME:
        from service.intake.preview import preview
        from service.intake.submission import read_form, read_submission

    if dry_run:
        form = read_form(spec, settings.roots, allow_hub=settings.allow_hub)
        return JSONResponse(preview(form.spec).model_dump(mode="json"))
    submission = read_submission(spec, settings.roots, allow_hub=settings.allow_hub)
    job = _new_job(submission, principal, priority=priority, note=note)
    repeatable = _idempotency(idempotency_key, principal, "submit", spec, priority, note)
    return _added(store, *store.add_job(job, idempotency=repeatable), base, response)


@router.get("/jobs", response_model=JobPage, responses=documented())
def list_jobs(
    principal: Reader,
    store: StoreOf,
    base: BaseOf,
    state: Annotated[list[JobState], Query(description="any of these; may stand several times")] = [],  # noqa: B006
    owner: Annotated[Searched | None, Query(description="who handed them in")] = None,
    model: Annotated[Searched | None, Query(description="exactly as jobs show it")] = None,
    search: Annotated[Searched | None, Query(description="part of an id, a name, a note or a model")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> JobPage:
    """Jobs, the newest first, a page at a time."""
    after = None if cursor is None else str(read_cursor(cursor, str)[0])
    try:
        found = store.jobs(limit=limit + 1, after=after, states=state, owner=owner, model=model, search=search)
    except UnknownError as error:
        raise InputError(f"the job at which cursor {cursor!r} stands was deleted; begin without one") from error
    shown = found[:limit]
    more = write_cursor(shown[-1].id) if len(found) > limit else None
    ids = [job.id for job in shown]
    last, answers = store.last_events(ids), store.answers(ids)
    items = [job_view(job, base, last.get(job.id), answers.get(job.id)) for job in shown]
    return JobPage(items=items, next_cursor=more)


@router.get(JOB, response_model=JobDetail, responses=documented(404))
def read_job(job_id: JobId, principal: Reader, store: StoreOf, base: BaseOf) -> JobDetail:
    """One job, with its spec and, once it has finished, its report."""
    return _detail(store, store.job(job_id), base)


@router.patch(JOB, response_model=JobDetail, responses=documented(404, 413, 415))
def change_job(job_id: JobId, changes: JobChanges, principal: Submitter, store: StoreOf, base: BaseOf) -> JobDetail:
    """Change what a job is called, what is noted about it, or how soon its turn comes."""
    own_job(store, job_id, principal)
    return _detail(store, store.update_job(job_id, **changes.model_dump(exclude_none=True)), base)


@router.delete(JOB, status_code=204, responses=documented(404, 409))
def delete_job(job_id: JobId, principal: Submitter, store: StoreOf) -> None:
    """Forget a job that has ended, with all that is shown of it. Its evaluations stay, for other jobs to use."""
    own_job(store, job_id, principal)
    store.delete_job(job_id)


STEERED: dict[int | str, dict[str, Any]] = {
    **documented(404, 409),
    200: {"model": JobView, "description": "this was wished before; nothing changed"},
}


@router.post(JOB + ":pause", status_code=202, response_model=JobView, responses=STEERED)
def pause_job(job_id: JobId, principal: Submitter, store: StoreOf, base: BaseOf, response: Response) -> JobView:
    """Begin no new evaluation: what is under way finishes, then the job waits until it is resumed."""
    return _steered(job_id, "pause", principal, store, base, response)


@router.post(JOB + ":resume", status_code=202, response_model=JobView, responses=STEERED)
def resume_job(job_id: JobId, principal: Submitter, store: StoreOf, base: BaseOf, response: Response) -> JobView:
    """Queue a paused job again; it goes on where it was."""
    return _steered(job_id, "resume", principal, store, base, response)


@router.post(JOB + ":stop", status_code=202, response_model=JobView, responses=STEERED)
def stop_job(job_id: JobId, principal: Submitter, store: StoreOf, base: BaseOf, response: Response) -> JobView:
    """Search no further: validate the best that was found, report it, and succeed."""
    return _steered(job_id, "stop", principal, store, base, response)


@router.post(JOB + ":cancel", status_code=202, response_model=JobView, responses=STEERED)
def cancel_job(job_id: JobId, principal: Submitter, store: StoreOf, base: BaseOf, response: Response) -> JobView:
    """Break off what is under way. What was measured is kept; there is no answer and no report."""
    return _steered(job_id, "cancel", principal, store, base, response)


@router.post(
    JOB + ":clone",
    status_code=202,
    response_model=JobDetail,
    responses={**documented(404, 409, 413, 415), **ACCEPTED},
)
def clone_job(
    job_id: JobId,
    principal: Submitter,
    settings: SettingsOf,
    store: StoreOf,
    base: BaseOf,
    response: Response,
    request: CloneRequest = CloneRequest(),  # noqa: B008
    idempotency_key: IdempotencyKey = None,
) -> JobDetail:
    """Hand in a job's spec once more, with single values replaced. Anybody's job may be cloned; the clone is yours."""
    with ONE_AT_A_TIME:
        from service.intake.submission import changed, read_submission

    sent = changed(store.job(job_id).spec, request.changes)
    submission = read_submission(sent, settings.roots, allow_hub=settings.allow_hub)
    job = _new_job(submission, principal, priority=request.priority, note=request.note, cloned_from=job_id)
    if request.name is not None:
        job = replace(job, name=request.name)
    repeatable = _idempotency(idempotency_key, principal, "clone", job_id, request.model_dump())
    return _added(store, *store.add_job(job, idempotency=repeatable), base, response)


@router.post(JOB + ":extend", status_code=202, response_model=JobDetail, responses=documented(404, 409, 413, 415))
def extend_job(
    job_id: JobId,
    request: ExtendRequest,
    principal: Submitter,
    settings: SettingsOf,
    store: StoreOf,
    base: BaseOf,
) -> JobDetail:
    """Queue a job that rests once more, with a longer search. What it measured before is not measured again."""
    with ONE_AT_A_TIME:
        from service.intake.extending import extended
        from service.intake.submission import read_submission

    job = own_job(store, job_id, principal)
    submission = read_submission(extended(job.spec, request.more), settings.roots, allow_hub=settings.allow_hub)
    return _detail(store, store.extend_job(job_id, submission.stored), base)


def _steered(job_id: str, verb: Verb, principal: Principal, store: Store, base: str, response: Response) -> JobView:
    own_job(store, job_id, principal)
    job, is_changed = store.wish_job(job_id, verb)
    if not is_changed:
        response.status_code = 200
    return job_view(job, base, *_news(store, job))


def _detail(store: Store, job: JobRecord, base: str) -> JobDetail:
    return job_detail(job, base, *_news(store, job))


def _news(store: Store, job: JobRecord) -> tuple[EventRecord | None, AnswerRecord | None]:
    """What the row of a job does not say."""
    return store.last_events([job.id]).get(job.id), store.answers([job.id]).get(job.id)


def _new_job(
    submission: Submission, principal: Principal, *, priority: int, note: str, cloned_from: str | None = None
) -> NewJob:
    return NewJob(
        name=submission.name,
        spec=submission.stored,
        owner=principal.name,
        model=submission.spec.model,
        priority=priority,
        workers=submission.spec.workers,
        note=note,
        cloned_from=cloned_from,
    )


def _idempotency(key: str | None, principal: Principal, *request: object) -> Idempotency | None:
    if key is None:
        return None
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return Idempotency(key=key, principal=principal.name, body_hash=hashlib.sha256(text.encode()).hexdigest())


def _added(store: Store, job: JobRecord, is_replayed: bool, base: str, response: Response) -> JobDetail:
    view = _detail(store, job, base)
    response.headers["Location"] = view.links["self"]
    if is_replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return view
