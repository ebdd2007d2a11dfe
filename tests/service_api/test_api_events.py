"""Events page by page and as streams: none is missed, none comes twice, and a stream ends in time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from live_api import EXAMPLES, Serve

from service.api.broadcast import Broadcaster, Subscription
from service.api.routes import events as routes
from service.api.settings import API_PATH
from service.api.views import EventPage
from store.records import NewJob
from store.store import Store

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def running(store: Store) -> str:
    """A job that runs: events 1 (queued), 2 (validating) and 3 (running)."""
    job_id = store.add_job(NewJob(name="job", spec={}))[0].id
    claimed = store.claim_job("host:1:abc", 60)
    assert claimed is not None
    store.move_job(job_id, claimed.attempt, "running")
    assert store.job(job_id).last_seq == 3
    return job_id


@contextmanager
def stream(api: httpx2.Client, job_id: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a stream, each with its id, kind and data."""
    with api.stream("GET", f"/jobs/{job_id}/events", headers={**STREAM, **headers}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        yield parsed(answer.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line:
            if "data" in fields:
                yield {**fields, "data": json.loads(fields["data"])}
            fields = {}


def test_pages_go_on_after_a_number(api_on_each: httpx2.Client, store: Store, running: str) -> None:
    for number in range(4):
        store.add_event(running, "log", {"text": f"line {number}"})
    first = EventPage.model_validate_json(api_on_each.get(f"/jobs/{running}/events", params={"limit": 5}).content)
    rest = api_on_each.get(f"/jobs/{running}/events", params={"after": first.next_after}).json()
    assert [event.seq for event in first.items] == [1, 2, 3, 4, 5]
    assert [event["payload"] for event in rest["items"]] == [{"text": "line 2"}, {"text": "line 3"}]
    nothing = api_on_each.get(f"/jobs/{running}/events", params={"after": 7}).json()
    assert nothing == {"items": [], "next_after": 7}
    logs = api_on_each.get(f"/jobs/{running}/logs", params={"after": 5}).json()
    assert [line["payload"]["text"] for line in logs["items"]] == ["line 2", "line 3"]


def test_a_stream_tells_what_was_and_what_comes_and_ends_with_the_job(
    api_on_each: httpx2.Client, store: Store, running: str
) -> None:
    with stream(api_on_each, running) as events:
        assert [next(events)["id"] for _ in range(3)] == ["1", "2", "3"]
        store.add_event(running, "log", {"text": "found something"})
        found = next(events)
        assert (found["id"], found["event"], found["data"]["payload"]) == ("4", "log", {"text": "found something"})
        store.move_job(running, 1, "succeeded")
        assert [(event["id"], event["data"]["payload"]["state"]) for event in events] == [("5", "succeeded")]


def test_a_stream_goes_on_where_it_broke_off(api_on_each: httpx2.Client, store: Store, running: str) -> None:
    with stream(api_on_each, running) as events:
        last = [next(events)["id"] for _ in range(2)][-1]
    store.add_event(running, "log", {})
    store.move_job(running, 1, "failed")
    with stream(api_on_each, running, **{"Last-Event-ID": last}) as events:
        assert [event["id"] for event in events] == ["3", "4", "5"]


def test_a_stream_reads_past_an_end_that_was_not_the_last(api: httpx2.Client, sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        job_id = store.add_job(NewJob(name="job", spec={}))[0].id
        store.wish_job(job_id, "cancel")
        store.extend_job(job_id, {"longer": True})
        with stream(api, job_id) as events:
            states = [next(events)["data"]["payload"]["state"] for _ in range(3)]
            store.wish_job(job_id, "cancel")
            states += [event["data"]["payload"]["state"] for event in events]
    assert states == ["queued", "cancelled", "queued", "cancelled"]


def test_all_clients_of_a_process_share_one_reader(api_on_each: httpx2.Client, store: Store, running: str) -> None:
    with stream(api_on_each, running) as one, stream(api_on_each, running) as two:
        heard = [[next(events)["id"] for _ in range(3)] for events in (one, two)]
        for _ in range(3):
            store.add_event(running, "log", {})
        heard = [ids + [next(events)["id"] for _ in range(3)] for ids, events in zip(heard, (one, two), strict=True)]
        assert [thread.name for thread in threading.enumerate()].count("broadcaster") == 1
    assert heard == [["1", "2", "3", "4", "5", "6"]] * 2


def test_silence_is_broken_by_heartbeats(
    api_on_each: httpx2.Client, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "HEARTBEAT_S", 0.05)
    with api_on_each.stream("GET", f"/jobs/{running}/events?after=3", headers=STREAM) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        assert [next(lines) for _ in range(5)] == ["", ": ping", "", ": ping", ""]


def test_a_reader_that_fell_behind_finds_the_rest_in_the_store(store: Store, running: str) -> None:
    """Events 4 to 8 were let go before it came to read them: only the last one waits for it."""

    async def heard() -> list[str]:
        client = Subscription(running, asyncio.get_running_loop())
        parts = routes.follow(store, client, 0)
        ids = [(await anext(parts)).decode() for _ in range(3)]
        for _ in range(5):
            store.add_event(running, "log", {})
        store.move_job(running, 1, "succeeded")
        client.give(store.events(running, after=8)[0])
        return ids + [part.decode() async for part in parts]

    parts = asyncio.run(heard())
    assert [part.rpartition("id: ")[2].strip() for part in parts] == ["1", "2", "3", "4", "5", "6", "7", "8", "9"]


def test_a_stream_of_nothing_is_a_problem_and_no_stream(api: httpx2.Client) -> None:
    answer = api.get("/jobs/abc/events", headers=STREAM)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_stream_needs_what_a_page_needs(serve: Serve, sqlite_url: str) -> None:
    api = serve(sqlite_url, requires_token=True)
    assert api.get("/jobs/abc/events", headers=STREAM).status_code == 401


def test_streams_end_when_the_service_stops(api_on_each: httpx2.Client, running: str) -> None:
    with stream(api_on_each, running) as events:
        assert [next(events)["id"] for _ in range(3)] == ["1", "2", "3"]
        api_on_each.server.should_exit = True  # type: ignore[attr-defined]
        assert list(events) == []


def test_a_closed_broadcaster_takes_nobody_on(store: Store) -> None:
    broadcaster = Broadcaster(lambda: store)
    broadcaster.close()

    async def subscribe() -> bool:
        return broadcaster.subscribe("abc", 0).is_closed

    assert asyncio.run(subscribe())


SERVER = """
import sys
from pathlib import Path
from service.api.server import ApiServer
from service.api.settings import ApiSettings
url, root, port = sys.argv[1:]
ApiServer(ApiSettings(store_url=url, home=Path(root), roots=(Path(root),)), port=int(port)).run()
"""


@pytest.mark.slow
def test_a_service_told_to_end_does_so_although_somebody_listens(sqlite_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Store.open(sqlite_url) as store:
        job_id = store.add_job(NewJob(name="job", spec={}))[0].id
    command = [sys.executable, "-c", SERVER, sqlite_url, str(EXAMPLES), str(port)]
    transport = httpx2.HTTPTransport(retries=20)
    with (
        subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}{API_PATH}", timeout=60, transport=transport) as api,
    ):
        with stream(api, job_id) as events:
            assert next(events)["id"] == "1"
            process.send_signal(signal.SIGTERM)
            assert list(events) == []
        assert process.wait(30) in (0, -signal.SIGTERM)  # uvicorn raises the signal again at the end
