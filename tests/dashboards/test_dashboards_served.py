"""How the pages are served: as public files with strict headers, from their folder alone, beside an API that is not."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from service.api.server import ApiServer
from service.api.settings import ApiSettings, find_pages
from service.runner.web import dump, read
from store.records import NewJob
from store.store import Store

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "service" / "static" / "vendor"
ECHARTS = "/ui/vendor/echarts-6.1.0/echarts.charts.min.js"
DOCUMENT = "/api/v1/docs"
FILES = {
    "index.html": "<!doctype html><title>page</title>" + "<p>words</p>" * 200,
    "js/main.js": "export const answer = 42;\n" * 100,
    "css/base.css": "body { margin: 0 }",
    "fonts/text.woff2": "none",
    "icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beside") / "pages"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / ".secret.js").write_text("hidden")
    (folder / "tool.py").write_text("print()")
    (folder.parent / "outside.js").write_text("outside")
    (folder / "link.js").symlink_to(folder.parent / "outside.js")
    return folder


@pytest.fixture(scope="module")
def url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("store") / "pages.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@contextmanager
def serving(url: str, pages: Path | None, **settings: Any) -> Iterator[httpx2.Client]:
    home = Path(url.removeprefix("sqlite:///")).parent
    server = ApiServer(ApiSettings(store_url=url, home=home, roots=(home,), pages=pages, **settings))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(60)


@pytest.fixture(scope="module")
def site(url: str, pages: Path) -> Iterator[httpx2.Client]:
    with serving(url, pages, requires_token=True) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/ui"])
def test_who_comes_without_a_path_is_sent_to_the_pages(site: httpx2.Client, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.headers["location"]) == (307, "/ui/")


def test_below_a_base_path_they_are_sent_there(url: str, pages: Path) -> None:
    """Whether the proxy cuts its path off or not."""
    with serving(url, pages, base_path="/layerpress") as site:
        for path in ("/", "/ui", "/layerpress/", "/layerpress/ui"):
            assert site.get(path).headers["location"] == "/layerpress/ui/"
        assert site.get("/layerpress/ui/js/main.js").text == FILES["js/main.js"]
        assert site.get("/ui/js/main.js").text == FILES["js/main.js"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("js/main.js", "text/javascript; charset=utf-8"),
        ("css/base.css", "text/css; charset=utf-8"),
        ("fonts/text.woff2", "font/woff2"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files_come_without_a_token_as_what_they_are(site: httpx2.Client, path: str, kind: str) -> None:
    answer = site.get(f"/ui/{path}")
    assert (answer.status_code, answer.text) == (200, FILES[path or "index.html"])
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    policy = set(answer.headers["content-security-policy"].split("; "))
    is_page = kind.startswith("text/html")  # what a page loads is ruled by the page's own; opened alone, it may nothing
    assert ("default-src 'self'" if is_page else "default-src 'none'") in policy
    assert {"frame-ancestors 'none'", *(("object-src 'none'", "base-uri 'none'") if is_page else ())} <= policy
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert site.get("/api/v1/jobs").status_code == 401


def test_a_file_that_is_known_is_not_sent_again(site: httpx2.Client, pages: Path) -> None:
    (pages / "js" / "changing.js").write_text("export const answer = 42;\n")
    tag = site.get("/ui/js/changing.js").headers["etag"]
    for asked in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        known = site.get("/ui/js/changing.js", headers={"If-None-Match": asked})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
        assert known.headers["cache-control"] == "no-cache"
    assert site.get("/ui/js/changing.js", headers={"If-None-Match": '"other"'}).status_code == 200
    (pages / "js" / "changing.js").write_text("export const answer = 43;\n")
    changed = site.get("/ui/js/changing.js", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.text) == (200, "export const answer = 43;\n")


def test_what_others_wrote_is_kept_for_ever(site: httpx2.Client) -> None:
    answer = site.get(ECHARTS)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == (VENDOR / "echarts-6.1.0" / "echarts.charts.min.js").read_bytes()
    assert site.get("/ui/vendor/echarts-6.1.0/LICENSE").headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/ui/", "/ui/js/main.js", ECHARTS, "/api/v1/openapi.json"])
def test_text_is_sent_compressed_to_those_who_take_it(site: httpx2.Client, path: str) -> None:
    whole = site.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in whole.headers
    with site.stream("GET", path, headers={"Accept-Encoding": "gzip, br"}) as answer:
        sent = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"]
    assert gzip.decompress(sent) == whole.content
    assert len(sent) < len(whole.content) / 2
    assert "content-encoding" not in site.get("/ui/fonts/text.woff2").headers


def test_events_arrive_as_they_happen_however_well_the_client_unpacks(url: str, pages: Path) -> None:
    """Nothing between the API and the wire may wait for more: the job is not over when its events are read."""
    with serving(url, pages) as site, Store.open(url) as store:
        job_id = store.add_job(NewJob(name="job", spec={}))[0].id
        asked = {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
        with site.stream("GET", f"/api/v1/jobs/{job_id}/events", headers=asked) as answer:
            assert "content-encoding" not in answer.headers
            lines = (line for line in answer.iter_lines() if line.startswith("id: "))
            assert next(lines) == "id: 1"
            for number in (2, 3):
                sent_s = time.monotonic()
                store.add_event(job_id, "log", {"message": "word " * 1000})
                assert next(lines) == f"id: {number}"
                assert time.monotonic() - sent_s < 30
            assert store.job(job_id).state == "queued"


OUTSIDE = (
    "/ui/../outside.js",
    "/ui/%2e%2e/outside.js",
    "/ui/..%2foutside.js",
    "/ui/js/../../outside.js",
    "/ui/js/%2e%2e/%2e%2e/outside.js",
    "/ui//outside.js",
    "/ui/%2fetc/hostname",
    "/ui/..%5coutside.js",
    "/ui/link.js",
    "/ui/.secret.js",
    "/ui/tool.py",
    "/ui/js",
    "/ui/js/",
    "/ui/js/main.js%00",
    "/ui/js/" + "a" * 5000 + ".js",
    "/ui/vendor/../index.html",
    "/ui/vendor/%2e%2e/api/index.html",
    "/ui/vendor/lock.json",
    "/ui/nothing.js",
    "/ui/jobs",
    "/api/v1/docs/nothing.js",
    "/api/v1/docs/..%2findex.html",
    "/api/v1/nothing",
    "/api/v2/jobs",
    "/elsewhere",
)


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path[:40])
def test_nothing_else_is_served(site: httpx2.Client, path: str) -> None:
    """Sent as it stands: clients tidy paths up before they send them."""
    with socket.create_connection(("127.0.0.1", site.base_url.port or 0), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        sent = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"404", head
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "unknown"


def test_pages_take_no_writes_and_no_foreign_hosts(site: httpx2.Client) -> None:
    refused = site.post("/ui/index.html", json={})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert site.get("/ui/", headers={"Host": "rebound.example"}).status_code == 421


def test_a_service_without_pages_says_so_and_still_shows_its_document(url: str) -> None:
    with serving(url, None) as site:
        for path in ("/", "/ui", "/ui/", "/ui/index.html"):
            answer = site.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert site.get(DOCUMENT).status_code == 200


def test_the_document_page_asks_nothing_of_others(site: httpx2.Client) -> None:
    """Each of its files is there, none of it is a script within the page, and its policy is that of the pages."""
    page = site.get(DOCUMENT)
    assert page.headers["content-security-policy"] == site.get("/ui/").headers["content-security-policy"]
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(linked) == 4
    for link in linked:
        assert link == "data:," or site.get(f"{DOCUMENT.rpartition('/')[0]}/{link}").status_code == 200, link
    assert "<style" not in page.text
    assert not re.search(r"<script[^>]*>[^<]", page.text)
    assert 'url: "openapi.json"' in site.get(f"{DOCUMENT}/page.js").text


@pytest.mark.parametrize("folder", sorted(path.name for path in VENDOR.iterdir()))
def test_what_others_wrote_is_as_they_published_it(folder: str) -> None:
    lock = json.loads((VENDOR / folder / "lock.json").read_text())
    there = {str(path.relative_to(VENDOR / folder)) for path in (VENDOR / folder).rglob("*") if path.is_file()}
    assert there == {*lock["sha256"], "lock.json"}
    assert folder == f"{lock['name']}-{lock['version']}"
    assert lock["licence"]
    assert lock["origin"].startswith("https://registry.npmjs.org/")
    for name, digest in lock["sha256"].items():
        assert hashlib.sha256((VENDOR / folder / name).read_bytes()).hexdigest() == digest, name


def test_every_file_of_the_dashboard_can_be_served(url: str) -> None:
    """A kind that the service does not know, or a name that it takes for a trick, would be missing in the browser."""
    found = find_pages()
    assert found == ROOT / "dashboards" / "static"
    names = [path.relative_to(found) for path in found.rglob("*.*") if path.is_file() and ".d.ts" not in path.name]
    assert names
    with serving(url, found) as site:
        for name in names:
            assert site.get(f"/ui/{name}").status_code == 200, name


def test_the_process_of_the_api_is_told_where_the_pages_are(tmp_path: Path) -> None:
    for pages in (None, tmp_path):
        settings = ApiSettings(store_url="sqlite://", home=tmp_path, roots=(tmp_path,), pages=pages)
        assert read(dump(settings, 3)) == (settings, 3)


def test_a_wheel_carries_the_pages() -> None:
    """What setuptools is told: every file under both folders."""
    told = (ROOT / "pyproject.toml").read_text()
    assert 'dashboards = ["static/**/*"]' in told
    assert '"dashboards*"' in told
    assert os.access(ROOT / "dashboards" / "__init__.py", os.R_OK)
