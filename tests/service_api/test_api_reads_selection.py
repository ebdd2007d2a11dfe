"""Fronts, selections and comparisons over HTTP, against brute force over what was stored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from served import SPEC, candidate, non_dominated, points, running_job, serving

from search.front import LEAST_LOSS
from store.records import NewCandidate
from store.store import Store

FOUND, OTHERS = points(300, seed=2), points(120, seed=3)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as store:
        yield store


@pytest.fixture
def client(database_url: str, store: Store, tmp_path: Path) -> Iterator[httpx2.Client]:
    with serving(database_url, tmp_path) as client:
        yield client


def filled(store: Store, found: Sequence[NewCandidate], **changes: Any) -> str:
    job = running_job(store, **changes)
    for begin in range(0, len(found), 41):
        store.add_candidates(job.id, 1, found[begin : begin + 41])
    return job.id


def test_a_front_of_three_objectives_tells_what_it_weighs_and_covers_what_its_size_and_loss_do(
    client: httpx2.Client, store: Store
) -> None:
    rng = np.random.default_rng(4)
    found = [
        replace(each, flops=int(flops), parameters=9)
        for each, flops in zip(FOUND, rng.integers(1, 9, len(FOUND)), strict=True)
    ]
    strategy = {"name": "nsga3", "objectives": ["loss", "size", "flops"]}
    job = running_job(store, strategy=strategy)
    store.add_candidates(job.id, 1, found, ("flops",))
    wide, flat = client.get(f"/jobs/{job.id}/front").json(), client.get(f"/jobs/{filled(store, FOUND)}/front").json()
    assert (wide["weighs"], flat["weighs"]) == (["loss", "size", "flops"], ["loss", "size"])
    assert client.get(f"/jobs/{job.id}").json()["objectives"] == strategy["objectives"]
    assert {row["seq"] for row in wide["items"]} > {row["seq"] for row in flat["items"]}
    assert all(row["flops"] == found[row["seq"] - 1].flops and row["parameters"] == 9 for row in wide["items"])
    assert all(row["flops"] is None for row in flat["items"])
    assert wide["hypervolume"] == flat["hypervolume"]
    size = sorted(each.size_bytes for each in found)[len(found) // 2]
    chosen = client.post(f"/jobs/{job.id}:select", json={"max_size": size}).json()
    assert (chosen["candidate"]["size_bytes"], chosen["candidate"]["loss"]) == best(found, size, None)
    assert chosen["smaller"]["seq"] in {row["seq"] for row in flat["items"]}
    compared = client.post("/jobs:compare", json={"ids": [job.id]}).json()["items"][0]
    assert (compared["weighs"], len(compared["items"])) == (wide["weighs"], len(wide["items"]))


def test_errors_on_tasks_are_told_and_weighed(client: httpx2.Client, store: Store) -> None:
    found = [replace(each, task_errors={"next": (number % 5) / 8}) for number, each in enumerate(FOUND)]
    strategy = {"name": "nsga2", "objectives": ["loss", "size", "task:next"]}
    job = running_job(store, strategy=strategy, tasks=[{"source": "next.jsonl"}])
    store.add_candidates(job.id, job.attempt, found, ("task:next",))
    front = client.get(f"/jobs/{job.id}/front").json()
    assert front["weighs"] == strategy["objectives"]
    values = [(row["size_bytes"], row["loss"], row["task_errors"]["next"]) for row in front["items"]]
    assert len({error for _, _, error in values}) > 1
    for one, other in pairwise(values):
        assert not all(a <= b for a, b in zip(one, other, strict=True)) or one == other
    flat = client.get(f"/jobs/{filled(store, FOUND)}/front").json()["items"]
    assert {row["seq"] for row in flat} < {row["seq"] for row in front["items"]}
    assert all(row["task_errors"] == {} for row in flat)


def area(sizes: Sequence[float], losses: Sequence[float], size: float, loss: float) -> float:
    """The area under a reference that a set of points covers, over log loss, stripe by stripe."""
    edges = sorted({*(each for each in sizes if each < size), size})
    total = 0.0
    for left, right in pairwise(edges):
        best = min(other for each, other in zip(sizes, losses, strict=True) if each <= left)
        total += (right - left) * max(0.0, math.log(loss) - math.log(max(best, LEAST_LOSS)))
    return total


def test_the_front_is_what_no_other_beats(client: httpx2.Client, store: Store) -> None:
    job_id = filled(store, FOUND)
    front = client.get(f"/jobs/{job_id}/front").json()
    assert {row["seq"] for row in front["items"]} == non_dominated(FOUND)
    sizes = [row["size_bytes"] for row in front["items"]]
    assert sizes == sorted(sizes)
    assert front["objective"] == "kl"
    rates, losses = ([row[key] for row in front["items"]] for key in ("bits_per_weight", "loss"))
    step = (max(rates) - min(rates)) / (len({*zip(rates, losses, strict=True)}) - 1)
    volume = front["hypervolume"]
    assert volume["reference"] == pytest.approx({"bits_per_weight": max(rates) + step, "loss": max(losses)})
    assert volume["value"] == pytest.approx(area(rates, losses, max(rates) + step, max(losses)))
    given = {"reference_bits_per_weight": 1.0, "reference_loss": 2.0}
    chosen = client.get(f"/jobs/{job_id}/front", params=given).json()["hypervolume"]
    assert chosen["value"] == pytest.approx(area(rates, losses, 1.0, 2.0))


def test_fronts_of_few_points_have_no_hypervolume_but_from_a_reference(client: httpx2.Client, store: Store) -> None:
    broken = candidate(0, size=1000, loss=None)
    for found, num in (([], 0), ([broken], 0), ([broken, candidate(1, size=1000, loss=0.5)], 1)):
        job_id = filled(store, found)
        front = client.get(f"/jobs/{job_id}/front").json()
        assert (len(front["items"]), front["hypervolume"]) == (num, None)
    given = {"reference_bits_per_weight": 0.108, "reference_loss": 0.5 * math.e}
    volume = client.get(f"/jobs/{job_id}/front", params=given).json()["hypervolume"]
    assert volume["value"] == pytest.approx(0.1)  # 0.108 - 0.008 bits wide, one nat high


def test_half_a_reference_is_refused(client: httpx2.Client, store: Store) -> None:
    job_id = filled(store, FOUND[:5])
    refused = client.get(f"/jobs/{job_id}/front", params={"reference_loss": 2.0})
    assert refused.status_code == 422
    assert "needs both reference_bits_per_weight and reference_loss, got None and 2.0" in refused.json()["detail"]


def best(found: Sequence[NewCandidate], size: int | None, loss: float | None) -> tuple[int, float] | None:
    """The size and loss of the candidate to take, by looking at every one."""
    fitting = [
        (each.size_bytes, each.loss)
        for each in found
        if each.loss is not None and (size is None or each.size_bytes <= size) and (loss is None or each.loss <= loss)
    ]
    rule = (lambda each: each) if size is None else (lambda each: (each[1], each[0]))
    return min(fitting, key=rule, default=None)


def test_selection_is_the_best_of_all_that_fit(client: httpx2.Client, store: Store) -> None:
    job_id = filled(store, FOUND)
    plain = [each for each in FOUND if each.kind == "plain"]
    front = sorted((FOUND[seq - 1].size_bytes, FOUND[seq - 1].loss) for seq in non_dominated(FOUND))
    rng = np.random.default_rng(4)
    num_chosen = 0
    for number in range(40):
        size = None if number % 3 == 0 else int(rng.integers(99_990, 101_010))
        loss = None if number % 3 == 1 else float(rng.uniform(0, 0.4))
        answer = client.post(f"/jobs/{job_id}:select", json={"max_size": size, "max_loss": loss})
        wanted = best(FOUND, size, loss)
        if wanted is None:
            assert answer.status_code == 409
            continue
        num_chosen += 1
        content = answer.raise_for_status().json()
        assert (content["candidate"]["size_bytes"], content["candidate"]["loss"]) == wanted
        assert point(content["plain"]) == best(plain, size, loss)
        assert point(content["smaller"]) == max((each for each in front if each[0] < wanted[0]), default=None)
        assert point(content["larger"]) == min((each for each in front if each[0] > wanted[0]), default=None)
        assert (content["max_size_bytes"], content["max_loss"], content["metric"]) == (size, loss, "kl")
    assert num_chosen > 20


def point(row: dict[str, Any] | None) -> tuple[int, float] | None:
    return None if row is None else (row["size_bytes"], row["loss"])


def test_where_nothing_fits_the_problem_says_what_there_is(client: httpx2.Client, store: Store) -> None:
    found = [candidate(0, size=1_000_000, loss=0.5), candidate(1, size=2_000_000, loss=0.25)]
    job_id = filled(store, found)
    refused = client.post(f"/jobs/{job_id}:select", json={"max_size": "0.5 MB", "max_loss": 0.1})
    assert refused.status_code == 409
    assert refused.json()["detail"] == (
        f"no candidate of job {job_id} has a size of at most 500,000 bytes and a loss of at most 0.1: "
        f"the smallest has 1,000,000 bytes (loss 0.5), and the least loss is 0.25 (at 2,000,000 bytes); "
        f"ask for something between"
    )
    empty = client.post(f"/jobs/{filled(store, [])}:select", json={"max_loss": 1})
    assert "has measured no candidate yet" in empty.json()["detail"]


def test_selections_that_mean_nothing_are_refused(client: httpx2.Client, store: Store) -> None:
    job_id = filled(store, FOUND[:5])
    cases: list[tuple[str, int, str]] = [
        ("{}", 422, "select needs max_size, max_loss or both"),
        ('{"max_size": 1e400}', 422, "finite"),
        ('{"max_loss": NaN}', 422, "NaN"),
        ('{"max_loss": 1e999}', 422, "finite"),
        ('{"max_size": -1}', 422, "greater than or equal to 0"),
        ('{"max_size": 99999999999999999999999}', 422, "2**53"),
        ('{"max_size": "four"}', 422, "pattern"),
        ('{"max_size": true}', 422, "max_size"),
        ('{"max_sise": 1}', 422, "max_sise"),
        ('{"max_loss": 1, "metric": "perplexity"}', 409, "measured kl, got metric perplexity"),
    ]
    for body, status, detail in cases:
        answer = client.post(f"/jobs/{job_id}:select", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, body
        assert detail in answer.json()["detail"], body


def test_jobs_are_compared_from_one_reference(client: httpx2.Client, store: Store) -> None:
    one, other = filled(store, FOUND), filled(store, OTHERS, seed=8)
    compared = client.post("/jobs:compare", json={"ids": [other, one, other]}).raise_for_status().json()
    assert [each["id"] for each in compared["items"]] == [other, one]
    assert (compared["is_comparable"], compared["message"]) == (True, "")
    assert [each["seed"] for each in compared["items"]] == [8, 7]
    assert {each["strategy"] for each in compared["items"]} == {"higgs"}
    rows = [(row["bits_per_weight"], row["loss"]) for each in compared["items"] for row in each["items"]]
    rates = sorted({rate for rate, _ in rows})
    reference = compared["items"][0]["hypervolume"]["reference"]
    assert reference["loss"] == max(loss for _, loss in rows)
    assert reference["bits_per_weight"] == pytest.approx(rates[-1] + (rates[-1] - rates[0]) / (len({*rows}) - 1))
    for each, found in zip(compared["items"], (OTHERS, FOUND), strict=True):
        assert {row["seq"] for row in each["items"]} == non_dominated(found)
        assert each["hypervolume"]["reference"] == reference
        own = [(row["bits_per_weight"], row["loss"]) for row in each["items"]]
        covered = area([rate for rate, _ in own], [loss for _, loss in own], *reference.values())
        assert each["hypervolume"]["value"] == pytest.approx(covered)


def test_jobs_of_different_kinds_say_so(client: httpx2.Client, store: Store) -> None:
    one = filled(store, FOUND[:20])
    perplexity = filled(store, OTHERS[:20], objective="perplexity")
    text = filled(store, OTHERS[:20], calibration={**SPEC["calibration"], "tokens": 4096})
    compared = client.post("/jobs:compare", json={"ids": [one, perplexity]}).json()
    assert "differ in objective" in compared["message"]
    assert [each["hypervolume"] for each in compared["items"]] == [None, None]
    assert "differ in calibration" in client.post("/jobs:compare", json={"ids": [one, text]}).json()["message"]
    written = filled(store, OTHERS[:20], objective="kl")  # as it is without
    assert client.post("/jobs:compare", json={"ids": [one, written]}).json()["is_comparable"]
    defaults = {"split": "train", "field": "text", "sequence_length": 512}
    spelled = filled(store, OTHERS[:20], calibration=SPEC["calibration"] | defaults, evaluation={"dtype": "float32"})
    assert client.post("/jobs:compare", json={"ids": [one, spelled]}).json()["message"] == ""
    narrow = filled(store, OTHERS[:20], evaluation={"dtype": "bfloat16"})
    assert "differ in evaluation" in client.post("/jobs:compare", json={"ids": [one, narrow]}).json()["message"]
    assert client.post("/jobs:compare", json={"ids": [one, "nobody"]}).status_code == 404
    assert client.post("/jobs:compare", json={"ids": []}).status_code == 422
    assert client.post("/jobs:compare", json={"ids": [one] * 17}).status_code == 422
