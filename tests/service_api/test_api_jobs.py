"""Jobs over HTTP: handed in, found again, steered, cloned, extended, deleted."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import httpx2
import pytest

from service.api.parameters import write_cursor
from service.api.views import EXAMPLE_SPEC, JobDetail, JobPage, JobView, Preview
from store.records import NewJob
from store.store import Store


@pytest.fixture
def spec() -> dict[str, Any]:
    """Of a job on the reference model; a test may change it."""
    return deepcopy(EXAMPLE_SPEC)


def submit(api: httpx2.Client, spec: dict[str, Any], **request: Any) -> JobDetail:
    answer = api.post("/jobs", json=spec, **request)
    assert answer.status_code == 202, answer.text
    return JobDetail.model_validate_json(answer.content)


def finished(store: Store, job_id: str) -> None:
    """Run a queued job to its end, as a runner would."""
    claimed = store.claim_job("host:1:abc", 60)
    assert claimed is not None
    assert claimed.id == job_id
    store.move_job(job_id, claimed.attempt, "running")
    store.move_job(job_id, claimed.attempt, "succeeded", report={"answer": 1})


def test_a_submitted_job_is_queued_with_absolute_paths(
    api_on_each: httpx2.Client, store: Store, spec: dict[str, Any]
) -> None:
    answer = api_on_each.post("/jobs", json=spec, params={"priority": 3, "note": "for the talk"})
    job = JobDetail.model_validate_json(answer.content)
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v1/jobs/{job.id}")
    assert (job.state, job.wish, job.owner, job.name, job.priority, job.note) == (
        "queued",
        "run",
        "local",
        "demo",
        3,
        "for the talk",
    )
    assert job.spec["model"] == job.model
    assert job.model.endswith("/examples/reference-model")
    assert job.spec["calibration"] == {
        **spec["calibration"],
        "source": job.model.replace("reference-model", "text/calibration.txt"),
    }
    assert {**job.spec, "model": 0, "calibration": 0, "validation": 0} == {
        **spec,
        "model": 0,
        "calibration": 0,
        "validation": 0,
    }
    stored = store.job(job.id)
    assert stored.spec == job.spec
    assert api_on_each.get(f"/jobs/{job.id}").json() == json.loads(answer.content)


def test_a_dry_run_tells_sizes_and_stores_nothing(api: httpx2.Client, spec: dict[str, Any]) -> None:
    spec["budget"] = {"size": "8MB", "nominal_bits_per_weight": 3}
    answer = api.post("/jobs", json=spec, params={"dry_run": True})
    assert answer.status_code == 200, answer.text
    preview = Preview.model_validate_json(answer.content)
    assert (preview.num_layers, preview.num_units, preview.num_options, preview.num_budgets) == (84, 84, 6, 1)
    assert preview.smallest.size_bytes < 8_000_000 < preview.largest.size_bytes == preview.dense_size_bytes
    assert (preview.smallest.nominal_bits_per_weight, preview.largest.nominal_bits_per_weight) == (2, 16)
    assert preview.feasible["size"].smallest == f"{preview.smallest.size_bytes / 1e6} MB"
    assert set(preview.feasible) == {"size", "nominal_bits_per_weight"}
    assert preview.planned_tokens > 0
    assert preview.dense_logits_bytes == (65536 + 32768) * 4096 * 4
    assert api.get("/jobs").json() == {"items": [], "next_cursor": None}


def test_the_same_key_with_the_same_body_is_one_job(
    api_on_each: httpx2.Client, store: Store, spec: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "a-key"}
    first = api_on_each.post("/jobs", json=spec, headers=key)
    again = api_on_each.post(
        "/jobs", content=json.dumps(spec, indent=3).encode(), headers={**key, "Content-Type": "application/json"}
    )
    assert "idempotent-replayed" not in first.headers
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert again.headers["location"] == first.headers["location"]
    assert len(store.jobs()) == 1
    spec["seed"] = 5
    other = api_on_each.post("/jobs", json=spec, headers=key)
    assert other.status_code == 409
    assert "a-key" in other.json()["detail"]
    assert len(store.jobs()) == 1


def test_clients_that_race_with_one_key_get_one_job(
    api_on_each: httpx2.Client, store: Store, spec: dict[str, Any]
) -> None:
    def post(number: int) -> httpx2.Response:
        return api_on_each.post("/jobs", json=spec, headers={"Idempotency-Key": "race"})

    with ThreadPoolExecutor(8) as racers:
        answers = list(racers.map(post, range(16)))
    assert [answer.status_code for answer in answers] == [202] * 16
    assert [job.id for job in store.jobs()] == [answers[0].json()["id"]]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count("true") == 15


def test_pages_hold_every_job_once_newest_first(api_on_each: httpx2.Client, store: Store) -> None:
    made = {store.add_job(NewJob(name=f"job {number}", spec={}, model=f"m{number % 2}"))[0].id for number in range(7)}
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = JobPage.model_validate_json(
            api_on_each.get("/jobs", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).content
        )
        seen += [job.id for job in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.items) == 3
    assert seen == [job.id for job in store.jobs()]
    assert set(seen) == made


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"model": "m1"}, [3, 1]),
        ({"owner": "ada"}, [0]),
        ({"search": "JOB 2"}, [2]),
        ({"state": ["paused", "cancelled"]}, [3, 2]),
        ({"state": "queued", "model": "m0"}, [0]),
        ({"search": "%"}, []),
    ],
)
def test_filters_leave_out_what_does_not_match(
    api_on_each: httpx2.Client, store: Store, asked: dict[str, Any], numbers: list[int]
) -> None:
    owners = ["ada", "bob", "bob", "bob"]
    ids = [
        store.add_job(NewJob(name=f"job {number}", spec={}, model=f"m{number % 2}", owner=owner))[0].id
        for number, owner in enumerate(owners)
    ]
    store.wish_job(ids[2], "cancel")
    store.wish_job(ids[3], "pause")
    found = {job["id"] for job in api_on_each.get("/jobs", params=asked).json()["items"]}
    assert found == {ids[number] for number in numbers}


@pytest.mark.parametrize("position", ["\ud800", "a\0b"])
def test_a_cursor_that_no_page_gave_is_refused(api: httpx2.Client, position: str) -> None:
    answer = api.get("/jobs", params={"cursor": write_cursor(position)})
    assert answer.status_code == 422
    assert "cursor must be next_cursor of a page of this list" in answer.json()["detail"]


def test_a_cursor_of_a_deleted_job_says_to_begin_again(api: httpx2.Client, sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        for _ in range(3):
            store.add_job(NewJob(name="job", spec={}))
        page = api.get("/jobs", params={"limit": 1}).json()
        store.wish_job(page["items"][0]["id"], "cancel")
        store.delete_job(page["items"][0]["id"])
    answer = api.get("/jobs", params={"cursor": page["next_cursor"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert page["next_cursor"] in answer.json()["detail"]


def test_name_note_and_priority_change_and_the_rest_stays(api: httpx2.Client, spec: dict[str, Any]) -> None:
    job = submit(api, spec)
    changed = api.patch(f"/jobs/{job.id}", json={"name": "other", "priority": -2})
    assert changed.status_code == 200
    after = JobDetail.model_validate_json(changed.content)
    assert (after.name, after.note, after.priority, after.spec) == ("other", "", -2, job.spec)


def test_steering_is_accepted_once_and_answered_alike_after(api_on_each: httpx2.Client, store: Store) -> None:
    job_id = store.add_job(NewJob(name="job", spec={}))[0].id
    answers = [api_on_each.post(f"/jobs/{job_id}:{verb}") for verb in ("pause", "pause", "resume", "resume", "cancel")]
    assert [answer.status_code for answer in answers] == [202, 200, 202, 200, 202]
    views = [JobView.model_validate_json(answer.content) for answer in answers]
    assert [view.state for view in views] == ["paused", "paused", "queued", "queued", "cancelled"]
    late = api_on_each.post(f"/jobs/{job_id}:resume")
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    assert "cancelled" in late.json()["detail"]


def test_a_running_job_is_told_to_stop(api: httpx2.Client, sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        job_id = store.add_job(NewJob(name="job", spec={}))[0].id
        never_begun = api.post(f"/jobs/{job_id}:stop")
        assert never_begun.status_code == 409
        claimed = store.claim_job("host:1:abc", 60)
        assert claimed is not None
        store.move_job(job_id, claimed.attempt, "running")
    answer = api.post(f"/jobs/{job_id}:stop")
    assert (answer.status_code, answer.json()["state"], answer.json()["wish"]) == (202, "running", "stop")


def test_only_what_has_ended_is_deleted(api: httpx2.Client, spec: dict[str, Any]) -> None:
    job = submit(api, spec)
    refused = api.delete(f"/jobs/{job.id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    api.post(f"/jobs/{job.id}:cancel")
    gone = api.delete(f"/jobs/{job.id}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert api.get(f"/jobs/{job.id}").status_code == 404


def test_a_clone_is_a_new_job_with_single_values_replaced(api: httpx2.Client, spec: dict[str, Any]) -> None:
    job = submit(api, spec)
    changes = {"budget.nominal_bits_per_weight": 4, "space.options.0.bits": [3, 4, 8], "strategy.rounds": 3}
    key = {"Idempotency-Key": "clone-1"}
    answers = [
        api.post(f"/jobs/{job.id}:clone", json={"changes": changes, "name": "4 bits"}, headers=key) for _ in "12"
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    clone = JobDetail.model_validate_json(answers[0].content)
    assert answers[1].json()["id"] == clone.id != job.id
    assert (clone.cloned_from, clone.name, clone.spec["budget"]) == (job.id, "4 bits", {"nominal_bits_per_weight": 4})
    assert clone.spec["space"]["options"][0]["bits"] == [3, 4, 8]
    assert clone.spec["strategy"] == {"name": "trust-region", "rounds": 3}
    assert api.post(f"/jobs/{job.id}:clone").json()["spec"] == job.spec


@pytest.mark.parametrize(
    ("changes", "loc", "told"),
    [
        ({"space.options.7.bits": 3}, ["body", "changes", "space.options.7.bits"], "no place in a list of 1"),
        ({"model.name": "x"}, ["body", "changes", "model.name"], "single value"),
        ({"budget.size": "1KB"}, ["body", "budget"], "got 1KB"),
        ({"model": "/etc"}, ["body", "model"], "got '/etc'"),
    ],
)
def test_a_clone_is_checked_like_any_job(
    api: httpx2.Client, spec: dict[str, Any], changes: dict[str, Any], loc: list[str], told: str
) -> None:
    job = submit(api, spec)
    answer = api.post(f"/jobs/{job.id}:clone", json={"changes": changes})
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["errors"]] == [loc]
    assert told in answer.json()["detail"]
    assert len(api.get("/jobs").json()["items"]) == 1


def test_an_extended_job_is_queued_with_a_longer_search(
    api_on_each: httpx2.Client, store: Store, spec: dict[str, Any]
) -> None:
    job = submit(api_on_each, spec)
    early = api_on_each.post(f"/jobs/{job.id}:extend", json={"more": 4})
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    finished(store, job.id)
    assert api_on_each.get(f"/jobs/{job.id}").json()["report"] == {"answer": 1}
    answer = api_on_each.post(f"/jobs/{job.id}:extend", json={"more": 4})
    longer = JobDetail.model_validate_json(answer.content)
    assert (answer.status_code, longer.state, longer.report) == (202, "queued", None)
    assert longer.spec == {**job.spec, "strategy": {"name": "trust-region", "rounds": 12}}


def test_a_search_without_a_length_is_not_extended(api: httpx2.Client, spec: dict[str, Any]) -> None:
    job = submit(api, {**spec, "strategy": "uniform"})
    api.post(f"/jobs/{job.id}:pause")
    answer = api.post(f"/jobs/{job.id}:extend", json={"more": 1})
    assert answer.status_code == 409
    assert "strategy uniform has no length" in answer.json()["detail"]


def test_a_job_shows_its_progress_and_what_the_store_answered(api: httpx2.Client, sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        job_id = store.add_job(NewJob(name="job", spec={}, workers=3))[0].id
        claimed = store.claim_job("host:1:abc", 60)
        assert claimed is not None
        store.move_job(job_id, claimed.attempt, "running", message="searching")
        store.grant_workers({job_id: 2})
        progress = {"phase": "search", "label": "round 1 of 8", "done": 10, "total": 40, "computed": 6, "cached": 2}
        store.note_progress(job_id, claimed.attempt, progress)
    job = JobView.model_validate_json(api.get(f"/jobs/{job_id}").content)
    assert job.progress is not None
    assert (job.progress.phase, job.progress.done, job.progress.total, job.cached_share) == ("search", 10, 40, 0.25)
    assert (job.workers.wanted, job.workers.granted, job.message) == (3, 2, "searching")
    assert job.links["self"] == f"/api/v1/jobs/{job_id}"


def test_a_job_says_what_was_asked_and_what_happened_last(api: httpx2.Client, sqlite_url: str) -> None:
    spec = {"budget": {"size": "3MB"}, "strategy": {"name": "allocate", "preset": "higgs"}, "objective": "perplexity"}
    with Store.open(sqlite_url) as store:
        asked = store.add_job(NewJob(name="asked", spec=spec))[0].id
        bare = store.add_job(NewJob(name="bare", spec={}))[0].id
        listed = {job["id"]: JobView(**job) for job in api.get("/jobs").json()["items"]}
        assert (listed[asked].budget, listed[asked].strategy, listed[asked].objective) == (
            {"size": "3MB"},
            "higgs",
            "perplexity",
        )
        assert (listed[bare].budget, listed[bare].strategy, listed[bare].objective) == ({}, "trust-region", "kl")
        for kind, payload, text in EVENTS:
            store.add_event(asked, kind, payload)
            last = JobView.model_validate_json(api.get(f"/jobs/{asked}").content).last_event
            assert last is not None
            assert (last.kind, last.text) == (kind, text)


EVENTS: list[tuple[str, dict[str, Any], str]] = [
    ("state", {"state": "paused", "wish": "pause", "reason": "", "message": "resume it"}, "paused: resume it"),
    ("state", {"state": "running", "message": ""}, "running"),
    ("phase", {"phase": "search"}, "search begins"),
    ("progress", {"phase": "search", "label": "round 1", "done": 30, "total": 40}, "round 1, 75% of the phase"),
    ("progress", {"phase": "search", "label": "", "done": 3, "total": 0}, "search"),
    ("candidates", {"seqs": [1, 2], "entered": [2], "left": []}, "2 candidates measured, 1 on the front"),
    ("log", {"message": "a worker died\nTraceback"}, "a worker died"),
    ("log", {"message": "x" * 500}, "x" * 200),
    ("log", {}, "log"),
    ("of a later release", {"message": "words"}, "of a later release"),
]


def test_a_job_says_how_long_it_takes_while_it_is_at_work(api: httpx2.Client, sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        job_id = store.add_job(NewJob(name="job", spec={}))[0].id
        claimed = store.claim_job("host:1:abc", 60)
        assert claimed is not None
        store.move_job(job_id, claimed.attempt, "running")
        store.note_progress(job_id, claimed.attempt, {"phase": "search", "eta_s": 62.5, "num_failed": 1})
        job = JobView.model_validate_json(api.get(f"/jobs/{job_id}").content)
        assert job.progress is not None
        assert (job.eta_s, job.progress.num_failed) == (62.5, 1)
        store.wish_job(job_id, "pause")
        store.move_job(job_id, claimed.attempt, "paused")
    assert api.get(f"/jobs/{job_id}").json()["eta_s"] is None


def test_a_job_that_succeeded_says_what_it_found(api: httpx2.Client, sqlite_url: str) -> None:
    answer = {"configuration_id": "c1", "size_bytes": 300, "kl_validation": 0.25, "perplexity_validation": 9.0}
    plain = [{"kl_validation": 0.75}, {"kl_validation": 0.5}, {"kl_validation": None}]
    with Store.open(sqlite_url) as store:
        reports = ({"answer": answer, "baselines": plain}, {"answers": [answer]}, {"answer": {"name": "of old"}})
        jobs = [_succeeded(store, report) for report in reports]
    for shown in (api.get("/jobs").json()["items"], [api.get(f"/jobs/{job_id}").json() for job_id in jobs]):
        answers = {job["id"]: job["answer"] for job in shown}
        found = {"seq": None, "size_bytes": 300, "loss": 0.25, "uniform_loss": 0.5, "verdict": "It is better."}
        assert answers == {jobs[0]: found, jobs[1]: None, jobs[2]: None}


def _succeeded(store: Store, report: dict[str, Any]) -> str:
    job_id = store.add_job(NewJob(name="job", spec={}))[0].id
    claimed = store.claim_job("host:1:abc", 60)
    assert claimed is not None
    store.move_job(job_id, claimed.attempt, "running")
    store.move_job(job_id, claimed.attempt, "succeeded", message="It is better.", report=report)
    return job_id
