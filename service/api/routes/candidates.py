"""The candidates of a job, page by page, one by one, and layer by layer."""

from __future__ import annotations

import json
from math import inf
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from service.api.access import reader
from service.api.candidate_views import (
    CandidateDetail,
    CandidatePage,
    LayersView,
    candidate_detail,
    candidate_view,
    layer_view,
)
from service.api.parameters import MAX_SEQ, After, Cursor, JobId, Limit, Seq, read_cursor, write_cursor
from service.api.problems import documented
from service.api.size import LARGEST_SIZE, SizeText, size_bytes
from service.api.state import StoreOf
from service.spaces_view import SPACE_FILE, configuration_text, layers_of
from spaces.errors import ConflictError, InputError, UnknownError
from store.records import CandidateRecord
from store.store import Store

router = APIRouter(tags=["candidates"], dependencies=[Depends(reader)])

Order = Literal["seq", "size_bytes", "loss"]
JSON_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


@router.get(
    "/jobs/{job_id:job}/candidates",
    response_model=CandidatePage,
    responses=documented(404),
    summary="The job's candidates",
)
def list_candidates(
    store: StoreOf,
    job_id: JobId,
    limit: Limit = 200,
    after_seq: After = 0,
    cursor: Cursor = None,
    order: Order = "seq",
    front: Annotated[bool, Query(description="only those that no other beats")] = False,
    max_size: Annotated[SizeText | None, Query(description="bytes, or a text such as 4GiB")] = None,
    max_loss: Annotated[float | None, Query(allow_inf_nan=False)] = None,
) -> CandidatePage:
    """In the order that they were measured in, or from the smallest, or from the least loss.

    New ones since the last look are those after the highest ``seq`` seen: ``?after_seq=17``.
    """
    position = None if cursor is None else _position(cursor, order)
    found = store.candidates(
        job_id,
        after_seq=after_seq,
        limit=limit + 1,
        front=front,
        order=order,
        cursor=position,
        max_size_bytes=None if max_size is None else size_bytes(max_size),
        max_loss=max_loss,
    )
    page = found[:limit]
    more = write_cursor(order, *_place(page[-1], order)) if len(found) > limit else None
    return CandidatePage(items=[candidate_view(each) for each in page], next_cursor=more)


@router.get(
    "/jobs/{job_id:job}/candidates/{seq}",
    response_model=CandidateDetail,
    responses=documented(404),
    summary="One candidate",
)
def get_candidate(store: StoreOf, job_id: JobId, seq: Seq) -> CandidateDetail:
    """With the levels that it takes in the job's space."""
    return candidate_detail(store.candidate(job_id, seq))


@router.get(
    "/jobs/{job_id:job}/candidates/{seq}/layers",
    response_model=LayersView,
    responses=documented(404, 409),
    summary="What a candidate does with each layer",
)
def get_layers(store: StoreOf, job_id: JobId, seq: Seq) -> LayersView:
    """Every layer of the space in the model's order."""
    candidate = store.candidate(job_id, seq)
    choices = layers_of(space_of(store, job_id), candidate.levels)
    return LayersView([layer_view(choice) for choice in choices])


@router.get(
    "/jobs/{job_id:job}/candidates/{seq}/configuration",
    response_class=Response,
    responses={**documented(404, 409), **JSON_FILE},
    summary="A candidate as configuration.json",
)
def get_configuration(store: StoreOf, job_id: JobId, seq: Seq) -> Response:
    """The file that a run writes for its answer: layer name to option."""
    candidate = store.candidate(job_id, seq)
    text = configuration_text(space_of(store, job_id), candidate.levels)
    name = f"configuration-{job_id}-{candidate.configuration_id}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(text, media_type="application/json", headers=headers)


def space_of(store: Store, job_id: str) -> dict[str, Any]:
    """The job's space as its process wrote it.

    Raises:
        ConflictError: it has not yet.
    """
    try:
        document: dict[str, Any] = json.loads(store.artifact(job_id, SPACE_FILE).content)
    except UnknownError as error:
        raise ConflictError(
            f"job {job_id} has no {SPACE_FILE} yet, which says what its levels are; it is there once the job runs"
        ) from error
    return document


def _place(candidate: CandidateRecord, order: Order) -> tuple[float, int]:
    """Where a page ends: after this one."""
    if order == "loss":
        return inf if candidate.loss is None else candidate.loss, candidate.seq
    return candidate.size_bytes if order == "size_bytes" else candidate.seq, candidate.seq


def _position(cursor: str, order: Order) -> tuple[float, int]:
    """Where the page before ended.

    Raises:
        InputError: the cursor is none of this list's, or of another order.
    """
    written, value, seq = read_cursor(cursor, str, (int, float), int)
    if written != order:
        raise InputError(f"cursor must be of a page in order={order}, got one of order={written!r}; begin without one")
    assert not isinstance(value, str)
    assert isinstance(seq, int)
    is_failed = order == "loss" and value == inf
    if not (is_failed or abs(value) <= LARGEST_SIZE) or not 0 <= seq <= MAX_SEQ:
        raise InputError(f"cursor must be next_cursor of a page of this list, got {cursor!r}; begin without one")
    return float(value), seq
