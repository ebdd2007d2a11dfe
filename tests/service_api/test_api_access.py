"""Who may do what: tokens, scopes, owners, and those who try too often."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from live_api import Serve

from service.api.access import MAX_FAILED_LOGINS
from service.api.token_views import NewToken, TokenPage
from service.api.views import EXAMPLE_SPEC
from store.records import NewJob, Scope
from store.store import Store

Login = Callable[..., httpx2.Client]


@pytest.fixture
def login(serve: Serve, database_url: str) -> Iterator[Login]:
    """Clients of one service that takes tokens alone, each with a new one."""
    base_url = serve(database_url, requires_token=True).base_url

    def logged_in(name: str, scope: Scope, expires_at: datetime | None = None) -> httpx2.Client:
        with Store.open(database_url) as store:
            _, secret = store.add_token(name, scope, expires_at)
        return clients.enter_context(httpx2.Client(base_url=base_url, headers=bearer(secret), timeout=30))

    with ExitStack() as clients:
        yield logged_in


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_without_a_token_only_health_is_told(serve: Serve, sqlite_url: str) -> None:
    api = serve(sqlite_url, requires_token=True)
    refused = api.get("/jobs")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert refused.headers["www-authenticate"] == 'Bearer realm="layerpress"'
    assert [api.get(path).status_code for path in ("/healthz", "/readyz", "/version")] == [200, 200, 401]


@pytest.mark.parametrize("header", ["Bearer", "Basic YTpi", "Bearer lp_abc_def", "lp_abc_def", "Bearer a b"])
def test_what_is_no_valid_token_opens_nothing_even_here(api: httpx2.Client, header: str) -> None:
    answer = api.get("/jobs", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_who_comes_through_a_proxy_is_not_local(api: httpx2.Client, header: str) -> None:
    assert api.get("/jobs", headers={header: "127.0.0.1"}).status_code in (200, 401)
    assert api.get("/jobs", headers={header: "for=203.0.113.9"}).status_code == 401


def test_each_scope_includes_the_ones_before_it(login: Login) -> None:
    reader, submitter, admin = (login(scope, scope) for scope in ("read", "submit", "admin"))
    listed = [client.get("/jobs").status_code for client in (reader, submitter, admin)]
    submitted = [client.post("/jobs", json=EXAMPLE_SPEC).status_code for client in (reader, submitter, admin)]
    tokens = [client.get("/tokens").status_code for client in (reader, submitter, admin)]
    assert (listed, submitted, tokens) == ([200, 200, 200], [403, 202, 202], [403, 403, 200])
    refused = reader.post("/jobs", json=EXAMPLE_SPEC).json()
    assert (refused["code"], "scope submit" in refused["detail"]) == ("forbidden", True)


def test_whoever_submits_changes_their_own_jobs_alone(login: Login) -> None:
    ada, bob, admin = login("ada", "submit"), login("bob", "submit"), login("root", "admin")
    job = ada.post("/jobs", json=EXAMPLE_SPEC).json()
    assert job["owner"] == "ada"
    for write in (
        lambda client: client.post(f"/jobs/{job['id']}:pause"),
        lambda client: client.patch(f"/jobs/{job['id']}", json={"priority": 5}),
        lambda client: client.post(f"/jobs/{job['id']}:cancel"),
        lambda client: client.delete(f"/jobs/{job['id']}"),
    ):
        refused = write(bob)
        assert refused.status_code == 403
        assert "'ada'" in refused.json()["detail"]
        assert bob.get(f"/jobs/{job['id']}").status_code == 200
    assert bob.post(f"/jobs/{job['id']}:clone").json()["owner"] == "bob"
    assert admin.patch(f"/jobs/{job['id']}", json={"priority": 5}).status_code == 200
    assert ada.post(f"/jobs/{job['id']}:pause").status_code == 202


def test_a_key_is_its_principals_own(login: Login) -> None:
    ada, bob = login("ada", "submit"), login("bob", "submit")
    answers = [client.post("/jobs", json=EXAMPLE_SPEC, headers={"Idempotency-Key": "k"}) for client in (ada, bob)]
    assert len({answer.json()["id"] for answer in answers}) == 2


def test_a_token_is_made_used_and_revoked(login: Login) -> None:
    admin = login("root", "admin")
    answer = admin.post("/tokens", json={"name": "ada", "scope": "submit", "expires_in_s": 3600})
    made = NewToken.model_validate_json(answer.content)
    assert answer.status_code == 201
    assert made.expires_at is not None
    assert timedelta(minutes=50) < made.expires_at - datetime.now(UTC) < timedelta(minutes=61)
    assert admin.get("/jobs", headers=bearer(made.secret)).status_code == 200
    listed = admin.get("/tokens")
    assert made.secret not in listed.text
    assert [token.name for token in TokenPage.model_validate_json(listed.content).items].count("ada") == 1
    revoked = admin.delete(f"/tokens/{made.id}")
    assert (revoked.status_code, revoked.json()["revoked_at"] is not None) == (200, True)
    assert admin.get("/jobs", headers=bearer(made.secret)).status_code == 401
    assert admin.delete("/tokens/no-such-token").status_code == 404


def test_an_expired_token_opens_nothing(login: Login) -> None:
    late = login("ada", "admin", datetime.now(UTC) - timedelta(seconds=1))
    answer = late.get("/jobs")
    assert (answer.status_code, "has expired" in answer.json()["detail"]) == (401, True)


def test_no_token_is_called_local(login: Login) -> None:
    answer = login("root", "admin").post("/tokens", json={"name": "Local", "scope": "read"})
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "name"])


def test_who_fails_too_often_waits(serve: Serve, database_url: str) -> None:
    api = serve(database_url, requires_token=True)
    with Store.open(database_url) as store:
        _, secret = store.add_token("ada", "read", None)
    assert api.get("/jobs", headers=bearer(secret)).status_code == 200
    wrong = [api.get("/jobs", headers=bearer(f"lp_{number}_x")).status_code for number in range(MAX_FAILED_LOGINS + 2)]
    assert wrong == [401] * MAX_FAILED_LOGINS + [429] * 2
    answer = api.get("/jobs", headers=bearer(secret))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "300")
    assert answer.json()["code"] == "too_many_failed_logins"
    assert api.get("/healthz").status_code == 200


def test_secrets_are_never_logged(serve: Serve, sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api = serve(sqlite_url)
    secret = api.post("/tokens", json={"name": "ada", "scope": "submit"}).json()["secret"]
    api.get("/jobs", headers=bearer(secret))
    api.get("/jobs", headers=bearer(secret + "x"))
    api.post("/jobs", json={**EXAMPLE_SPEC, "model": "/nowhere"}, headers=bearer(secret))
    with Store.open(sqlite_url) as store:
        store.add_job(NewJob(name="job", spec={}))
    assert secret.split("_", 2)[2] not in caplog.text  # the random part may hold "_" itself
