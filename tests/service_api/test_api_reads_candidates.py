"""Candidates over HTTP, on both databases: every page, order and filter against a plain sort of what was stored."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import candidate, non_dominated, points, running_job, serving

from store.records import Artifact, NewCandidate
from store.store import Store

FOUND = points(230, seed=1)
DOCUMENT = {
    "version": 1,
    "ties": "none",
    "dense_bits": 16,
    "layers": [
        {"name": f"block.{i}", "block": i, "module": "proj", "part": None, "rows": 32, "columns": 64, "inside": []}
        for i in range(4)
    ],
    "units": [{"layers": [i], "options": ["gptq-int2-g32-sym", "gptq-int3-g32-sym", "keep"]} for i in range(4)],
}


@pytest.fixture
def job_id(database_url: str) -> str:
    """A job with every one of ``FOUND``, and its space."""
    with Store.open(database_url) as store:
        job = running_job(store)
        for begin in range(0, len(FOUND), 23):
            store.add_candidates(job.id, 1, FOUND[begin : begin + 23])
        content = json.dumps(DOCUMENT).encode()
        store.put_artifacts(job.id, 1, [Artifact(name="space.json", media_type="application/json", content=content)])
        return job.id


@pytest.fixture
def client(database_url: str, job_id: str, tmp_path: Path) -> Iterator[httpx2.Client]:
    with serving(database_url, tmp_path) as client:
        yield client


def pages(client: httpx2.Client, job_id: str, **query: Any) -> list[dict[str, Any]]:
    """Everything, page after page."""
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        given = query if cursor is None else {**query, "cursor": cursor}
        page = client.get(f"/jobs/{job_id}/candidates", params=given).raise_for_status().json()
        assert len(page["items"]) <= query.get("limit", 200)
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


def in_order(order: str, *, front: bool = False, max_size: float = math.inf, max_loss: float = math.inf) -> list[int]:
    """The seqs that a list must have, by sorting all there is."""

    def loss(each: NewCandidate) -> float:
        return math.inf if each.loss is None else each.loss

    on_front = non_dominated(FOUND)
    rows = [
        (seq, each)
        for seq, each in enumerate(FOUND, start=1)
        if each.size_bytes <= max_size
        and (max_loss == math.inf or loss(each) <= max_loss)
        and (not front or seq in on_front)
    ]
    keys = {"seq": lambda row: row[0], "size_bytes": lambda row: (row[1].size_bytes, row[0])}
    keys["loss"] = lambda row: (loss(row[1]), row[0])
    return [seq for seq, _ in sorted(rows, key=keys[order])]


@pytest.mark.parametrize("limit", [7, 200])
@pytest.mark.parametrize("order", ["seq", "size_bytes", "loss"])
def test_pages_are_the_sorted_list(client: httpx2.Client, job_id: str, order: str, limit: int) -> None:
    assert [row["seq"] for row in pages(client, job_id, order=order, limit=limit)] == in_order(order)
    on_front = [row["seq"] for row in pages(client, job_id, order=order, limit=limit, front=True)]
    assert on_front == in_order(order, front=True)
    limits = {"max_size": "100600", "max_loss": 0.2}
    within = [row["seq"] for row in pages(client, job_id, order=order, limit=limit, **limits)]
    assert within == in_order(order, max_size=100600, max_loss=0.2)


def test_a_row_says_what_was_stored(client: httpx2.Client, job_id: str) -> None:
    for row, stored in zip(pages(client, job_id), FOUND, strict=True):
        assert row["size_bytes"] == stored.size_bytes
        assert row["loss"] == stored.loss
        assert row["loss_se"] == stored.loss_se
        assert row["bits_per_weight"] == stored.bits_per_weight
        assert row["configuration_id"] == stored.configuration_id
        assert row["label"] == stored.label
        assert row["state"] == ("failed" if stored.loss is None else "done")
        assert row["is_on_front"] == (row["seq"] in non_dominated(FOUND))
        assert "levels" not in row


def test_what_is_new_is_after_the_last_seq(client: httpx2.Client, job_id: str, database_url: str) -> None:
    query = {"after_seq": len(FOUND)}
    assert pages(client, job_id, **query) == []
    with Store.open(database_url) as store:
        store.add_candidates(job_id, 1, [candidate(1000, size=99_000, loss=0.3)])
    assert [row["seq"] for row in pages(client, job_id, **query)] == [len(FOUND) + 1]


def test_one_candidate_with_its_layers_and_its_file(client: httpx2.Client, job_id: str) -> None:
    stored = FOUND[4]
    path = f"/jobs/{job_id}/candidates/5"
    assert client.get(path).json()["levels"] == list(stored.levels)
    slugs = [DOCUMENT["units"][i]["options"][level] for i, level in enumerate(stored.levels)]  # type: ignore[index]
    bits = {"gptq-int2-g32-sym": 2, "gptq-int3-g32-sym": 3, "keep": 16}
    # 32 rows of 64 codes in 32-bit words, and two 16-bit scales for each row
    num_bytes = {"gptq-int2-g32-sym": 640, "gptq-int3-g32-sym": 896, "keep": 4096}
    assert client.get(f"{path}/layers").json() == [
        {
            "name": f"block.{i}",
            "option": slug,
            "block": i,
            "module": "proj",
            "part": None,
            "rows": 32,
            "columns": 64,
            "bits": bits[slug],
            "size_bytes": num_bytes[slug],
        }
        for i, slug in enumerate(slugs)
    ]
    file = client.get(f"{path}/configuration")
    assert file.json() == {f"block.{i}": slug for i, slug in enumerate(slugs)}
    name = f'filename="configuration-{job_id}-{stored.configuration_id}.json"'
    assert file.headers["content-disposition"] == f"attachment; {name}"
    assert file.headers["content-type"] == "application/json"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"cursor": "bm9uc2Vuc2U"}, "cursor must be next_cursor of a page of this list"),
    ({"cursor": "WyJzaXplX2J5dGVzIiwgMSwgMV0"}, "got one of order='size_bytes'"),
    ({"cursor": "WyJzZXEiLCBOYU4sIDFd"}, "cursor must be"),  # ["seq", NaN, 1]
    ({"cursor": "WyJzZXEiLCAxLCA5OTk5OTk5OTk5OV0"}, "cursor must be"),  # a seq that no database holds
    ({"limit": 0}, "greater than or equal to 1"),
    ({"limit": 201}, "less than or equal to 200"),
    ({"order": "label"}, "'seq', 'size_bytes' or 'loss'"),
    ({"after_seq": 2**63}, "less than or equal to"),
    ({"max_loss": "nan"}, "finite"),
    ({"max_size": "4 parsecs"}, "pattern"),
    ({"max_size": "4iB"}, "pattern"),
]


def test_what_does_not_read_is_refused(client: httpx2.Client, job_id: str) -> None:
    for query, detail in REFUSED:
        refused = client.get(f"/jobs/{job_id}/candidates", params=query)
        assert refused.status_code == 422, query
        assert refused.headers["content-type"] == "application/problem+json"
        assert detail in refused.json()["detail"], query


UNKNOWN = [
    ("/jobs/nobody/candidates", "'nobody'"),
    ("/jobs/nobody/candidates/1", "'nobody'"),
    ("/jobs/{job_id}/candidates/231", "has no candidate 231; it has those up to 230"),
    ("/jobs/{job_id}/candidates/231/layers", "has no candidate 231"),
    ("/jobs/{job_id}/candidates/231/configuration", "has no candidate 231"),
]


def test_what_is_not_there_is_404(client: httpx2.Client, job_id: str) -> None:
    for path, detail in UNKNOWN:
        refused = client.get(path.format(job_id=job_id))
        assert refused.status_code == 404, path
        assert detail in refused.json()["detail"], path


def test_layers_wait_for_the_space(client: httpx2.Client, database_url: str) -> None:
    with Store.open(database_url) as store:
        job = running_job(store)
        store.add_candidates(job.id, 1, FOUND[:1])
    assert client.get(f"/jobs/{job.id}/candidates").json()["next_cursor"] is None
    for what in ("layers", "configuration"):
        refused = client.get(f"/jobs/{job.id}/candidates/1/{what}")
        assert refused.status_code == 409
        assert "has no space.json yet" in refused.json()["detail"]


def test_sizes_read_with_units(client: httpx2.Client, job_id: str) -> None:
    largest = 100 * 1024
    assert [row["seq"] for row in pages(client, job_id, max_size="100KiB")] == in_order("seq", max_size=largest)
    assert len(pages(client, job_id, max_size="0.1MB")) == len(in_order("seq", max_size=100_000))
    assert len(pages(client, job_id, max_size="9" * 19)) == len(FOUND)
