"""Every call of the client against the real API: what is sent, what is read, and what is refused."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from running_service import RunningService
from scripted_server import AT_ONCE
from shown_job import FRONT, SPEC, finished_job, queued_job, running_job

from service.client import Address, Client, TokenError
from spaces.errors import ConflictError, InputError, UnknownError
from store.store import Store


def test_a_submission_is_one_job_however_often_it_is_sent(client: Client) -> None:
    first = client.submit(SPEC, name="mine", note="to see", priority=3, key="k1")
    again = client.submit(SPEC, name="mine", note="to see", priority=3, key="k1")
    assert (first.name, first.note, first.priority, first.state) == ("mine", "to see", 3, "queued")
    assert again.id == first.id
    assert [job.id for job in client.jobs()] == [first.id]
    with pytest.raises(ConflictError, match="k1"):
        client.submit({**SPEC, "seed": 1}, name="mine", note="to see", priority=3, key="k1")


def test_a_dry_run_stores_nothing(client: Client) -> None:
    preview = client.dry_run(SPEC)
    assert preview.num_layers == 84
    assert preview.feasible["nominal_bits_per_weight"].smallest == "2.0000"
    assert list(client.jobs()) == []


def test_what_the_service_refuses_is_said_in_its_words(client: Client) -> None:
    with pytest.raises(InputError, match=r"must be at least 2\.0000 for this space, got 1"):
        client.submit({**SPEC, "budget": {"nominal_bits_per_weight": 1}})
    with pytest.raises(InputError, match="/etc/passwd"):
        client.submit({**SPEC, "calibration": {"source": "/etc/passwd"}})


def test_jobs_are_listed_page_after_page(client: Client, store: Store) -> None:
    ids = {queued_job(store, f"job {number}", owner="ann" if number % 2 else "bob").id for number in range(205)}
    listed = list(client.jobs())
    assert len(listed) == 205
    assert {job.id for job in listed} == ids
    assert [job.created_at for job in listed] == sorted((job.created_at for job in listed), reverse=True)
    assert {job.owner for job in client.jobs(owner="ann")} == {"ann"}
    assert [job.name for job in client.jobs(search="job 204")] == ["job 204"]
    assert list(client.jobs(states=["running", "failed"])) == []


def test_a_job_is_steered_changed_cloned_extended_and_forgotten(client: Client, store: Store) -> None:
    job_id = client.submit(SPEC).id
    assert client.pause(job_id).state == "paused"
    assert client.pause(job_id).state == "paused"
    assert client.resume(job_id).state == "queued"
    with pytest.raises(ConflictError, match="cannot stop job"):
        client.stop(job_id)
    assert client.change(job_id, name="renamed", priority=9).priority == 9
    copy = client.clone(job_id, {"seed": 4}, name="copy")
    assert (copy.cloned_from, copy.spec["seed"], copy.name) == (job_id, 4, "copy")
    assert client.cancel(job_id).state == "cancelled"
    client.delete(job_id)
    with pytest.raises(UnknownError, match=job_id):
        client.job(job_id)


def test_a_job_that_has_ended_is_extended(client: Client) -> None:
    job_id = client.submit({**SPEC, "strategy": {"name": "evolution", "generations": 2}}).id
    client.cancel(job_id)
    more = client.extend(job_id, 3)
    assert (more.state, more.spec["strategy"]["generations"]) == ("queued", 5)


def test_what_a_job_found(client: Client, store: Store) -> None:
    job_id = running_job(store).id
    assert [each.seq for each in client.candidates(job_id)] == [1, 2, 3, 4, 5]
    assert [each.seq for each in client.candidates(job_id, order="loss", max_size=2500)] == [2, 3, 1]
    assert [each.seq for each in client.candidates(job_id, front=True, after_seq=1)] == FRONT[1:]
    assert client.candidate(job_id, 5).loss is None
    assert [each.seq for each in client.front(job_id).items] == FRONT
    assert [layer.option for layer in client.layers(job_id, 2)] == ["gptq-int2-g32-sym", "gptq-int3-g32-sym"]
    chosen = client.select(job_id, max_size="2.9kB")
    assert (chosen.candidate.seq, chosen.plain and chosen.plain.seq) == (2, 1)
    assert client.select(job_id, max_loss=0.3).candidate.seq == 2
    assert json.loads(client.configuration(job_id, 4)) == {
        "block.0.proj": "gptq-int3-g32-sym",
        "block.1.proj": "gptq-int3-g32-sym",
    }
    [compared] = client.compare([job_id]).items
    assert [each.seq for each in compared.items] == FRONT


def test_a_file_arrives_whole(client: Client, store: Store, tmp_path: Path) -> None:
    job_id = finished_job(store).id
    assert [each.name for each in client.artifacts(job_id)] == ["front.csv", "space.json"]
    assert client.download(job_id, "front.csv", tmp_path / "f.csv").read_text() == "size,loss\n"
    with pytest.raises(UnknownError, match=r"absent\.csv"):
        client.download(job_id, "absent.csv", tmp_path / "absent.csv")
    with pytest.raises(UnknownError, match="passwd"):
        client.download(job_id, "../../etc/passwd", tmp_path / "passwd")
    assert [path.name for path in tmp_path.glob("*.csv")] == ["f.csv"]


def test_the_cluster_and_the_cache(client: Client, store: Store) -> None:
    running_job(store)
    assert client.workers() == []
    assert client.cache().jobs["running"] == 1


def test_tokens_are_made_used_and_revoked(store_url: str, store: Store, tmp_path: Path) -> None:
    _, secret = store.add_token("root", "admin")
    with ExitStack() as opened:
        service = opened.enter_context(RunningService(store_url, tmp_path, requires_token=True))

        def asking(token: str | None) -> Client:
            return opened.enter_context(Client(Address(url=service.url, token=token), patience=AT_ONCE))

        with pytest.raises(TokenError, match="needs a token"):
            list(asking(None).jobs())
        admin = asking(secret)
        made = admin.create_token("ann", "read", expires_in_s=60)
        ann = asking(made.secret)
        assert list(ann.jobs()) == []
        with pytest.raises(TokenError, match="'ann' has scope read"):
            ann.submit(SPEC)
        admin.revoke_token(made.id)
        with pytest.raises(TokenError, match="revoked"):
            list(ann.jobs())
        assert {token.name: token.revoked_at is None for token in admin.tokens()} == {"root": True, "ann": False}
