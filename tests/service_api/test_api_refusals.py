"""What is refused before a route sees it, and what every refusal looks like."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_api import Listening, Serve

from service.api.server import ApiServer
from service.api.settings import API_PATH, ApiSettings
from service.api.strict_json import MAX_DEPTH, MAX_TEXT, read_json
from service.api.views import EXAMPLE_SPEC, Problem
from spaces.errors import InputError
from store.records import NewJob
from store.store import Store

JSON = {"Content-Type": "application/json"}
LIMIT = 2**20


def problem_of(answer: httpx2.Response, status: int, code: str) -> Problem:
    """The problem that an answer must be, told by headers and body alike."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    problem = Problem.model_validate_json(answer.content)
    assert (problem.status, problem.code, problem.type) == (status, code, f"urn:layerpress:problem:{code}")
    return problem


def test_what_is_nowhere_is_a_problem_too(api: httpx2.Client) -> None:
    assert problem_of(api.get("/nowhere"), 404, "unknown").instance == "/api/v1/nowhere"
    problem_of(api.get("/jobs/"), 404, "unknown")
    problem_of(api.get("/jobs/no-such-job"), 404, "unknown")
    problem_of(api.get("/jobs/..%2f..%2fetc%2fpasswd"), 404, "unknown")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/jobs/abc", "DELETE, GET, PATCH"),
        ("PUT", "/jobs", "GET, POST"),
        ("GET", "/jobs/abc:pause", "POST"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_a_wrong_method_is_told_every_right_one(api: httpx2.Client, method: str, path: str, allowed: str) -> None:
    answer = api.request(method, path)
    problem_of(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "not JSON"),
        (b"", "field required"),
        (b"[1]", "dictionary"),
        (b'{"model": NaN}', "must be finite, got NaN"),
        (b'{"model": -Infinity}', "must be finite, got -Infinity"),
        (b'{"model": 1e999}', "got 1e999"),
        (b'{"seed": 9007199254740993}', "within 2**53, got 9007199254740993"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "within 2**53"),
        (b'{"model": "a", "model": "b"}', "got 'model' twice"),
        (b'{"space": {"options": [], "options": []}}', "got 'options' twice"),
        (b'{"model": "a\\u0000b"}', "neither NUL"),
        (b'{"model": "\\ud800"}', "neither NUL nor half a character"),
        (b'{"model": "\xff"}', "UTF-8"),
        ('{"model": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested 32 deep"),
        (b"[" * 200_000, "not JSON"),
        (json.dumps({"model": "a" * (MAX_TEXT + 1)}).encode(), "4096 characters"),
        (json.dumps({"a" * (MAX_TEXT + 1): 1}).encode(), "4096 characters"),
    ],
)
def test_json_that_reads_in_several_ways_is_refused(api: httpx2.Client, body: bytes, told: str) -> None:
    problem = problem_of(api.post("/jobs", content=body, headers=JSON), 422, "invalid")
    assert told.lower() in problem.detail.lower()
    assert problem.errors[0].loc[0] == "body"
    assert api.get("/jobs").json()["items"] == []


def test_json_within_the_limits_reads_as_ever() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    value = {"number": 2**53 - 1, "float": -1e308, "text": "é" * MAX_TEXT, "nothing": None}
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps(deep).encode()) == deep
    with pytest.raises(InputError, match=f"nested {MAX_DEPTH} deep"):
        read_json(json.dumps([deep]).encode())


def test_yaml_is_no_json(api: httpx2.Client) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + last] * 9)}]\n" for last, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    answer = api.post("/jobs", content=bomb.encode(), headers={"Content-Type": "application/yaml"})
    assert "application/yaml" in problem_of(answer, 415, "unsupported_media_type").detail
    problem_of(api.post("/jobs", content=bomb.encode(), headers=JSON), 422, "invalid")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"])
def test_writes_take_json_alone(api: httpx2.Client, kind: str) -> None:
    answer = api.post("/jobs", content=json.dumps(EXAMPLE_SPEC).encode(), headers={"Content-Type": kind})
    problem_of(answer, 415, "unsupported_media_type")
    assert api.get("/jobs").json()["items"] == []


def test_a_form_without_a_body_does_not_steer(api: httpx2.Client) -> None:
    job_id = api.post("/jobs", json=EXAMPLE_SPEC).json()["id"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    problem_of(api.post(f"/jobs/{job_id}:cancel", headers=form), 415, "unsupported_media_type")
    assert api.get(f"/jobs/{job_id}").json()["state"] == "queued"


def test_a_large_body_is_refused_by_what_it_says(api: httpx2.Client) -> None:
    answer = api.post("/jobs", content=b" " * (LIMIT + 1), headers=JSON)
    assert f"at most {LIMIT} bytes" in problem_of(answer, 413, "too_large").detail


def test_a_large_body_in_chunks_is_refused_while_it_is_read(api: httpx2.Client) -> None:
    """The service answers before the end, which never comes."""
    host, port = api.base_url.host, api.base_url.port
    assert port is not None
    with socket.create_connection((host, port), timeout=30) as connection:
        head = f"POST /api/v1/jobs HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(17):
            connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


def test_the_limit_is_a_setting(serve: Serve, sqlite_url: str) -> None:
    api = serve(sqlite_url, max_body_bytes=100)
    problem_of(api.post("/jobs", json=EXAMPLE_SPEC), 413, "too_large")
    assert api.post("/jobs", json={}).status_code == 422


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.", "[::2]"])
def test_a_name_rebound_to_this_address_is_not_answered(api: httpx2.Client, host: str) -> None:
    problem = problem_of(api.get("/jobs", headers={"Host": host}), 421, "unknown_host")
    assert repr(host) in problem.detail


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:80", "press.lab", "press.lab:443"])
def test_names_of_this_machine_and_configured_ones_are_answered(serve: Serve, sqlite_url: str, host: str) -> None:
    api = serve(sqlite_url, allowed_hosts=("Press.lab",))
    assert api.get("/jobs", headers={"Host": host}).status_code == 200


def test_health_is_told_whatever_the_service_is_called(api: httpx2.Client) -> None:
    answers = [api.get(path, headers={"Host": "10.0.0.7:8000"}) for path in ("/healthz", "/readyz")]
    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(200, "ok")] * 2


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
def test_a_page_from_elsewhere_does_not_write(api: httpx2.Client, origin: str) -> None:
    answer = api.post("/jobs", json=EXAMPLE_SPEC, headers={"Origin": origin})
    assert repr(origin) in problem_of(answer, 403, "forbidden").detail
    assert api.get("/jobs", headers={"Origin": origin}).json()["items"] == []


def test_the_services_own_pages_write(serve: Serve, sqlite_url: str) -> None:
    api = serve(sqlite_url, allowed_hosts=("press.lab",))
    own = f"http://{api.base_url.host}:{api.base_url.port}"
    for origin in (own, "https://press.lab"):
        assert api.post("/jobs", json=EXAMPLE_SPEC, headers={"Origin": origin}).status_code == 202


def test_links_and_places_begin_with_the_base_path(serve: Serve, sqlite_url: str) -> None:
    api = serve(sqlite_url, base_path="/layerpress")
    answer = api.post("/jobs", json=EXAMPLE_SPEC)
    assert answer.headers["location"] == answer.json()["links"]["self"]
    assert answer.headers["location"].startswith("/layerpress/api/v1/jobs/")
    through = httpx2.get(f"http://{api.base_url.host}:{api.base_url.port}{answer.headers['location']}")
    assert through.json()["id"] == answer.json()["id"]


@pytest.fixture
def broken(serve: Serve, tmp_path: Path) -> httpx2.Client:
    """A service whose store was never made."""
    return serve(f"sqlite:///{tmp_path / 'nothing.db'}")


def test_a_store_that_is_not_there_is_unavailable(broken: httpx2.Client) -> None:
    answer = broken.get("/readyz")
    assert "layerpress db upgrade" in problem_of(answer, 503, "unavailable").detail
    assert answer.headers["retry-after"] == "5"
    assert broken.get("/healthz").status_code == 200


def test_a_failure_of_ours_shows_no_stack(tmp_path: Path, sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Progress that no job process would have sent makes a route fail in a way that nobody foresaw."""
    with Store.open(sqlite_url) as store:
        job_id = store.add_job(NewJob(name="job", spec={}))[0].id
        claimed = store.claim_job("host:1:abc", 60)
        assert claimed is not None
        store.note_progress(job_id, claimed.attempt, {"phase": ["not", "text"]})
    with Listening(ApiServer(ApiSettings(store_url=sqlite_url, home=tmp_path, roots=(tmp_path,)))) as url:
        problem = problem_of(httpx2.get(f"{url}{API_PATH}/jobs/{job_id}"), 500, "failed")
    assert "Traceback" not in problem.detail
    assert "ValidationError" not in problem.detail
    assert "ValidationError" in caplog.text  # for who runs the service
