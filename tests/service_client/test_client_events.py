"""A job's events reach a follower once each and in order: over streams, lost ones, restarts, and by polling."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest
from running_service import RunningService
from scripted_server import AT_ONCE, HANG_UP, ScriptedServer, answer
from shown_job import finished_job, running_job

from service.api.views import JobView
from service.client import Address, Client
from spaces.errors import UnknownError, UnreachableError
from store.store import Store

STREAM = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(text: str) -> str:
    return f"{len(text.encode()):x}\r\n{text}\r\n"


def event(seq: int) -> dict[str, Any]:
    return {"seq": seq, "kind": "log", "payload": {"line": seq}, "created_at": "2026-11-02T09:00:00Z"}


def sent(seq: int) -> str:
    return chunk(f"id: {seq}\nevent: log\ndata: {json.dumps(event(seq))}\n\n")


def page(*seqs: int) -> bytes:
    return answer("200 OK", json.dumps({"items": [event(seq) for seq in seqs], "next_after": max(seqs, default=0)}))


def job(state: str, last_seq: int) -> bytes:
    [example] = JobView.model_json_schema()["examples"]
    return answer("200 OK", json.dumps({**example, "state": state, "last_seq": last_seq}))


def followed(*answers: bytes, after: int = 0) -> tuple[list[int], ScriptedServer]:
    """The numbers that a follower gives of a server that says so, and the server."""
    with ScriptedServer(*answers) as server, Client(Address(url=server.url), patience=AT_ONCE) as client:
        return [each.seq for each in client.events("a", after=after)], server


def test_all_events_of_a_job_that_has_ended(client: Client, store: Store) -> None:
    ended = finished_job(store)
    events = list(client.events(ended.id))
    assert [each.seq for each in events] == list(range(1, ended.last_seq + 1))
    assert events[-1].kind == "state"
    assert events[-1].payload["state"] == "succeeded"
    assert [each.seq for each in client.events(ended.id, after=ended.last_seq - 1)] == [ended.last_seq]


def test_a_follower_outlives_a_restart_of_the_service(client: Client, store: Store, service: RunningService) -> None:
    running = running_job(store)
    before = store.job(running.id).last_seq
    events = client.events(running.id, on_trouble=lambda _reason: service.start())
    seen = [each.seq for each in islice(events, before)]
    service.stop()  # the follower finds nobody, which starts the service again
    store.add_event(running.id, "log", {"line": "said while nobody listened"}, attempt=1)
    store.move_job(running.id, 1, "failed", message="out of memory")
    seen += [each.seq for each in events]
    assert seen == list(range(1, before + 3))


def test_a_job_that_is_not_there_is_no_stream(client: Client) -> None:
    with pytest.raises(UnknownError, match="'absent'"):
        list(client.events("absent"))


def test_waiting_gives_the_job_when_it_has_ended(client: Client, store: Store) -> None:
    ended = finished_job(store)
    assert client.wait(ended.id).state == "succeeded"


def test_a_lost_stream_goes_on_after_the_last_number() -> None:
    lost = (STREAM + sent(1) + sent(2)).encode()
    whole = (STREAM + sent(2) + sent(3) + "0\r\n\r\n").encode()  # a proxy may say a thing twice
    seqs, server = followed(lost, whole, job("succeeded", 3))
    assert seqs == [1, 2, 3]
    assert server.header("Last-Event-ID")[:2] == ["0", "2"]


def test_streams_that_something_cuts_off_give_way_to_polling() -> None:
    cut = (STREAM + chunk(": still here\n\n")).encode()
    polled = [page(), job("running", 0), page(1, 2), job("running", 2), page(3), job("failed", 3)]
    seqs, server = followed(cut, cut, cut, *polled)
    assert seqs == [1, 2, 3]
    paths = [request.split(" ")[1] for request in server.requests]
    assert paths[:3] == ["/api/v1/jobs/a/events"] * 3
    assert [path for path in paths if "?" in path] == [f"/api/v1/jobs/a/events?after={n}&limit=200" for n in (0, 0, 2)]


def test_an_answer_that_is_no_stream_gives_way_to_polling() -> None:
    seqs, _ = followed(page(1), job("running", 1), page(5), job("cancelled", 5), after=4)
    assert seqs == [5]


def test_an_outage_that_lasts_is_an_error_and_was_told() -> None:
    troubles: list[str] = []
    with ScriptedServer(*[HANG_UP] * 100) as server, Client(Address(url=server.url), patience=AT_ONCE) as client:
        with pytest.raises(UnreachableError, match="no answer from"):
            list(client.events("a", on_trouble=troubles.append))
        assert len(troubles) == 13
