"""The events of a job: page by page, or as a stream that goes on where a client stopped listening."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from service.api.access import Reader
from service.api.broadcast import Subscription
from service.api.parameters import After, JobId, Limit
from service.api.problems import documented
from service.api.state import ApiState, StateOf, StoreOf
from service.api.views import EventPage, event_view
from spaces.errors import LayerpressError
from store.records import FINAL_STATES, EventRecord, JobRecord
from store.store import Store

logger = logging.getLogger(__name__)
router = APIRouter(tags=["events"])

STREAM_TYPE = "text/event-stream"
HEARTBEAT_S = 15.0  # proxies hang up on what is silent for longer
RETRY_MS = 2000
PAGE = 500  # events read at once while a stream catches up
STREAMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "a page of events or, asked for with `Accept: text/event-stream`, each as it comes",
        "content": {STREAM_TYPE: {"schema": {"type": "string"}}},
    }
}


def known_job(job_id: JobId, store: StoreOf) -> JobRecord:
    """The job, looked up before an answer begins: a stream that has begun cannot become a 404."""
    return store.job(job_id)


LastEventId = Annotated[str, Header(pattern="^[0-9]{0,9}$", description="the same as ?after=, and goes first")]
KnownJob = Annotated[JobRecord, Depends(known_job)]


@router.get("/jobs/{job_id:job}/events", response_model=EventPage, responses={**documented(404), **STREAMS})
def read_events(
    principal: Reader,
    job: KnownJob,
    state: StateOf,
    after: After = 0,
    limit: Limit = 200,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    last_event_id: LastEventId = "",
) -> Any:
    """What happened after a number: what is there now, or a stream of it that ends when the job has."""
    begin = int(last_event_id) if last_event_id else after
    if STREAM_TYPE in accept:
        headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache"}
        return StreamingResponse(_stream(state, job.id, begin), media_type=STREAM_TYPE, headers=headers)
    return _page(state.store(), job.id, begin, limit)


@router.get("/jobs/{job_id:job}/logs", response_model=EventPage, responses=documented(404))
def read_logs(principal: Reader, job: KnownJob, store: StoreOf, after: After = 0, limit: Limit = 200) -> EventPage:
    """The lines of a job's log after a number: events of the kind log."""
    return _page(store, job.id, after, limit, ("log",))


def _page(store: Store, job_id: str, after: int, limit: int, kinds: Sequence[str] = ()) -> EventPage:
    events = store.events(job_id, after, limit, kinds)
    return EventPage(items=[event_view(event) for event in events], next_after=events[-1].seq if events else after)


async def _stream(state: ApiState, job_id: str, after: int) -> AsyncIterator[bytes]:
    store = state.store()
    client = state.broadcaster.subscribe(job_id, (await to_thread.run_sync(store.job, job_id)).last_seq)
    try:
        yield format_sse_event(retry=RETRY_MS)
        async for part in follow(store, client, after):
            yield part
    except LayerpressError as error:
        logger.warning("the events of job %s break off: %s", job_id, error)  # the client asks again
    finally:
        state.broadcaster.unsubscribe(client)


async def follow(store: Store, client: Subscription, last: int) -> AsyncIterator[bytes]:
    """Everything after ``last``: from the store while the client is behind, otherwise as it is handed out."""
    is_behind, may_have_ended = True, True
    while not client.is_closed:
        if is_behind:
            events = await to_thread.run_sync(store.events, client.job_id, last, PAGE)
            is_behind = len(events) == PAGE
        else:
            events = [event for event in await client.take(HEARTBEAT_S) if event.seq > last]
            is_behind = bool(events) and events[0].seq != last + 1  # numbers have no gaps: some were let go
            if is_behind:
                continue
        for event in events:
            yield _written(event)
            last, may_have_ended = event.seq, may_have_ended or event.kind == "state"
        if may_have_ended and not is_behind:
            job = await to_thread.run_sync(store.job, client.job_id)
            if job.state in FINAL_STATES and job.last_seq <= last:
                return
            may_have_ended = False
        if not events:
            yield KEEPALIVE_COMMENT


def _written(event: EventRecord) -> bytes:
    view = event_view(event)
    return format_sse_event(data_str=view.model_dump_json(), event=event.kind, id=str(event.seq))
