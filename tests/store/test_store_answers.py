"""What lists of jobs read beside the jobs themselves: the latest event, and the answer out of the report."""

from __future__ import annotations

from typing import Any

from made_jobs import added, candidate, in_state, running

from store.store import Store

REPORT: dict[str, Any] = {
    "answer": {"configuration_id": "c2", "size_bytes": 300, "kl_validation": 0.25},
    "baselines": [{"configuration_id": "c0", "kl_validation": 0.5}, {"configuration_id": "c1", "kl_validation": None}],
    "front": [{"configuration_id": "c2"}] * 50,
}


def ended(store: Store, report: dict[str, Any], *kinds: str) -> str:
    """A job that succeeded, with candidate c2 of each of these kinds."""
    job = running(store)
    found = [candidate(1), *(candidate(2, kind=kind) for kind in kinds), candidate(3)]
    store.add_candidates(job.id, 1, found)
    store.move_job(job.id, 1, "succeeded", report=report)
    return job.id


def test_the_last_event_of_each_job_is_found_at_once(store: Store) -> None:
    jobs = [added(store) for _ in range(3)]
    for number, job in enumerate(jobs):
        for line in range(number):
            store.add_event(job.id, "log", {"message": f"line {line}"})
    found = store.last_events([job.id for job in jobs])
    assert {job_id: event.seq for job_id, event in found.items()} == {job.id: n + 1 for n, job in enumerate(jobs)}
    assert [found[job.id].kind for job in jobs] == ["state", "log", "log"]
    assert found[jobs[2].id].payload == {"message": "line 1"}
    assert store.last_events([]) == store.last_events(["nobody"]) == {}


def test_the_answer_is_read_out_of_the_report(store: Store) -> None:
    job_id = ended(store, REPORT, "candidate", "answer")
    answer = store.answers([job_id])[job_id]
    assert answer.seq == 3  # of the kind answer; 2 is the same configuration as the search met it
    assert answer.found == REPORT["answer"]
    assert list(answer.plain) == REPORT["baselines"]


def test_an_answer_that_is_no_candidate_has_no_number(store: Store) -> None:
    job_id = ended(store, REPORT, "candidate")
    assert store.answers([job_id])[job_id].seq is None


def test_jobs_without_one_answer_are_left_out(store: Store) -> None:
    several = ended(store, {"answers": [REPORT["answer"]], "baselines": []}, "answer")
    others = [in_state(store, state).id for state in ("succeeded", "failed", "paused")]
    one = ended(store, {"answer": REPORT["answer"]}, "answer")
    found = store.answers([several, *others, one, "nobody"])
    assert set(found) == {one}
    assert found[one].plain == ()
    assert store.answers([]) == {}


def test_a_job_that_is_extended_has_no_answer_until_it_ends_again(store: Store) -> None:
    job_id = ended(store, REPORT, "answer")
    store.extend_job(job_id, {"model": "m", "longer": True})
    assert store.answers([job_id]) == {}
