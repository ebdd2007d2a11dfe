"""Files of jobs over HTTP: bytes as stored, under names and types that cannot hurt whoever opens them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from served import running_job, serving

from store.records import Artifact
from store.store import Store

FILES = {  # name -> (content, type as the job called it, type as it is served)
    "report.json": (b'{"verdict": "good"}\n', "application/json", "application/json"),
    "front.csv": (b"name,size\n", "text/csv", "text/csv; charset=utf-8"),
    "front.png": (b"\x89PNG\r\n\x1a\n\x00\xff", "image/png", "image/png"),
    "front.html": (b"<script>fetch('/api/v1/tokens')</script>", "text/html", "text/html; charset=utf-8"),
    "drawing.svg": (b"<svg onload='alert(1)'/>", "image/svg+xml", "application/octet-stream"),
    "page.txt": (b"<html>", "text/html", "text/plain; charset=utf-8"),
    "empty": (b"", "text/html", "application/octet-stream"),
}


@pytest.fixture
def job_id(database_url: str) -> str:
    with Store.open(database_url) as store:
        job = running_job(store)
        files = [Artifact(name=name, media_type=kind, content=content) for name, (content, kind, _) in FILES.items()]
        store.put_artifacts(job.id, 1, files)
        return job.id


@pytest.fixture
def client(database_url: str, job_id: str, tmp_path: Path) -> Iterator[httpx2.Client]:
    with serving(database_url, tmp_path) as client:
        yield client


def test_files_are_listed_with_their_hashes(client: httpx2.Client, job_id: str) -> None:
    listed = client.get(f"/jobs/{job_id}/artifacts").json()
    assert [each["name"] for each in listed["items"]] == sorted(FILES)
    for each in listed["items"]:
        content, media_type, _ = FILES[each["name"]]
        assert (each["size_bytes"], each["media_type"]) == (len(content), media_type)
        assert each["sha256"] == hashlib.sha256(content).hexdigest()


def test_files_come_whole_and_harmless(client: httpx2.Client, job_id: str) -> None:
    for name, (content, _, media_type) in FILES.items():
        answer = client.get(f"/jobs/{job_id}/artifacts/{name}").raise_for_status()
        assert answer.content == content
        assert answer.headers["content-type"] == media_type
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox allow-scripts; default-src 'none'")
        assert "allow-same-origin" not in policy


def test_what_is_known_is_not_sent_again(client: httpx2.Client, job_id: str, database_url: str) -> None:
    path = f"/jobs/{job_id}/artifacts/report.json"
    tag = client.get(path).headers["etag"]
    assert tag == f'"{hashlib.sha256(FILES["report.json"][0]).hexdigest()}"'
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    with Store.open(database_url) as store:
        new = Artifact(name="report.json", media_type="application/json", content=b"{}")
        store.put_artifacts(job_id, 1, [new])
    changed = client.get(path, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.content) == (200, b"{}")


NO_NAMES = ("%2e%2e%2fetc%2fpasswd", "%2e%2e", ".hidden", "a b", "a%00b", "a" * 129, "a%0d%0ab", "é", "a%22b")


def test_names_that_are_none_are_refused(client: httpx2.Client, job_id: str) -> None:
    for name in NO_NAMES:
        refused = client.get(f"/jobs/{job_id}/artifacts/{name}")
        assert refused.status_code == (404 if "%2f" in name else 422), name  # a slash begins another path
        assert refused.headers["content-type"] == "application/problem+json"


def test_what_is_not_there_says_what_is(client: httpx2.Client, job_id: str, database_url: str) -> None:
    refused = client.get(f"/jobs/{job_id}/artifacts/nothing.json")
    assert refused.status_code == 404
    assert "no artifact 'nothing.json'; it has drawing.svg, empty, front.csv" in refused.json()["detail"]
    with Store.open(database_url) as store:
        job = running_job(store)
    assert client.get(f"/jobs/{job.id}/artifacts").json()["items"] == []
    assert "it has none yet" in client.get(f"/jobs/{job.id}/artifacts/report.json").json()["detail"]
    assert client.get("/jobs/nobody/artifacts").status_code == 404
