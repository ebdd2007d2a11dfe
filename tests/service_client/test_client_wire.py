"""What the network loses is sent again, where that cannot do a thing twice; over real sockets that hang up."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from scripted_server import AT_ONCE, HANG_UP, ScriptedServer, answer

from service.client import Address, Client, Patience, TokenError
from spaces.errors import ConflictError, InputError, LayerpressError, UnknownError, UnreachableError

VERSION = answer("200 OK", json.dumps({"version": "1", "api": "/api/v1"}))
PROBLEM = "application/problem+json"


def asking(server: ScriptedServer) -> Client:
    return Client(Address(url=server.url), patience=AT_ONCE)


def problem(status: str, detail: str, *more: str, **fields: Any) -> bytes:
    return answer(status, json.dumps({"detail": detail, **fields}), PROBLEM, *more)


def test_a_get_is_sent_until_it_is_answered() -> None:
    lost = [HANG_UP, problem("503 Service Unavailable", "the database is away"), HANG_UP]
    with ScriptedServer(*lost, VERSION) as server, asking(server) as client:
        assert client.version().version == "1"
    assert len(server.requests) == 4


def test_patience_ends_and_says_where_nobody_answers() -> None:
    with (
        ScriptedServer(*[HANG_UP] * 4) as server,
        asking(server) as client,
        pytest.raises(UnreachableError, match=f"no answer from {server.url}.*layerpress serve"),
    ):
        client.version()
    assert len(server.requests) == 4


def test_a_submission_that_is_sent_again_carries_the_same_key_and_body() -> None:
    refused = problem("422 Unprocessable Content", "no such model")
    with (
        ScriptedServer(HANG_UP, HANG_UP, refused) as server,
        asking(server) as client,
        pytest.raises(InputError, match="no such model"),
    ):
        client.submit({"model": "m"}, name="n")
    keys = server.header("Idempotency-Key")
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert all(len(key) == 32 for key in keys)
    assert {request.partition("\r\n\r\n")[2] for request in server.requests} == {'{"model":"m","name":"n"}'}


def test_what_could_be_done_twice_is_sent_once() -> None:
    with (
        ScriptedServer(HANG_UP, VERSION) as server,
        asking(server) as client,
        pytest.raises(UnreachableError, match="no answer"),
    ):
        client.create_token("ann", "read")
    assert len(server.requests) == 1


def test_what_never_left_is_sent_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    waits: list[float] = []
    with (
        Client(Address(url=f"http://127.0.0.1:{port}"), patience=Patience(sleep=waits.append)) as client,
        pytest.raises(UnreachableError, match=f"127.0.0.1:{port}"),
    ):
        client.create_token("ann", "read")
    assert len(waits) == 3
    assert all(0.5 * 0.2 * 2**number <= wait <= 1.5 * 0.2 * 2**number for number, wait in enumerate(waits))


def test_a_deletion_whose_answer_was_lost_is_done() -> None:
    gone = problem("404 Not Found", "no job 'a'")
    with ScriptedServer(HANG_UP, gone) as server, asking(server) as client:
        client.delete("a")
    with ScriptedServer(gone) as server, asking(server) as client, pytest.raises(UnknownError, match="no job 'a'"):
        client.delete("a")


def test_the_service_says_how_long_to_wait() -> None:
    waits: list[float] = []
    busy = [problem("503 Service Unavailable", "away", f"Retry-After: {seconds}") for seconds in (7, 900)]
    with (
        ScriptedServer(*busy, VERSION) as server,
        Client(Address(url=server.url), patience=Patience(sleep=waits.append)) as client,
    ):
        client.version()
    assert waits == [7.0, 30.0]


@pytest.mark.parametrize(
    ("sent", "kind", "message"),
    [
        (problem("401 Unauthorized", "this service needs a token"), TokenError, "needs a token; set LAYERPRESS_TOKEN"),
        (problem("403 Forbidden", "this needs scope admin"), TokenError, "this needs scope admin"),
        (problem("429 Too Many Requests", "10 logins failed"), TokenError, "10 logins failed"),
        (problem("404 Not Found", "no job 'x'"), UnknownError, "no job 'x'"),
        (problem("409 Conflict", "it has succeeded"), ConflictError, "it has succeeded"),
        (problem("413 Content Too Large", "at most 10 bytes"), InputError, "at most 10 bytes"),
        (
            problem("422 Unprocessable Content", "wrong", errors=[{"loc": ["body", "model"], "msg": "is missing"}]),
            InputError,
            "wrong; body.model: is missing",
        ),
        (problem("500 Internal Server Error", "it failed"), UnreachableError, "it failed"),
        (answer("200 OK", "<html>", "text/html"), UnreachableError, "answered with text/html that does not read"),
        (answer("404 Not Found", "<html>", "text/html"), UnreachableError, "which is not a Layerpress service"),
        (answer("404 Not Found", "[]", "application/json"), UnreachableError, "which is not a Layerpress service"),
        (answer("307 Temporary Redirect", "", "text/plain"), UnreachableError, "a redirect"),
    ],
)
def test_each_refusal_becomes_the_error_of_local_work(sent: bytes, kind: type[LayerpressError], message: str) -> None:
    with (
        ScriptedServer(sent) as server,
        asking(server) as client,
        pytest.raises(LayerpressError, match=message) as refused,
    ):
        client.version()
    assert type(refused.value) is kind


def test_the_token_goes_into_a_header_and_nowhere_else() -> None:
    with (
        ScriptedServer(VERSION) as server,
        Client(Address(url=server.url, token="lp_secret"), patience=AT_ONCE) as client,
    ):
        client.version()
    assert server.header("Authorization") == ["Bearer lp_secret"]
    assert server.requests[0].count("lp_secret") == 1
    assert server.requests[0].startswith("GET /api/v1/version HTTP/1.1")


def test_a_companys_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with ScriptedServer(VERSION) as server, asking(server) as client:
        assert client.version().api == "/api/v1"
