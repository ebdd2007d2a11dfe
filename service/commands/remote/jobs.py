"""``layerpress jobs``: what a service's jobs do, and what is done with them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import cast, get_args

from service.api.views import JobDetail, JobView
from service.client import Client
from service.client.client import Verb
from service.commands.remote.answers import DASH, ago, note, say, say_json, show_table, table
from service.commands.remote.states import state_text, why_text
from service.intake.jobfile import parse_change
from spaces.errors import InputError
from store.records import JobState


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which jobs are listed; None is any."""

    states: str | None
    owner: str | None
    model: str | None
    search: str | None
    limit: int


def list_command(asked: Filter, *, as_json: bool) -> None:
    with Client() as client:
        found = client.jobs(states=_states(asked.states), owner=asked.owner, model=asked.model, search=asked.search)
        jobs = list(islice(found, asked.limit))
    if as_json:
        say_json(jobs)
    elif not jobs:
        note("no jobs; `layerpress submit JOB.yaml` makes one")
    else:
        _show_jobs(jobs)


def get_command(job_id: str, *, as_json: bool) -> None:
    with Client() as client:
        _show(client.job(job_id), as_json=as_json)


def steer_command(verb: Verb, job_id: str, *, as_json: bool) -> None:
    """Ask for a pause, a resumption, a stop or a cancellation; once it is wished, asking again changes nothing."""
    with Client() as client:
        _show_state(client.steer(job_id, verb), as_json=as_json)


def clone_command(
    job_id: str, changes: list[str], name: str | None, words: str, priority: int, *, as_json: bool
) -> None:
    with Client() as client:
        job = client.clone(job_id, dict(map(parse_change, changes)), name=name, note=words, priority=priority)
    if as_json:
        say_json(job)
    else:
        say(job.id)


def extend_command(job_id: str, more: int, *, as_json: bool) -> None:
    with Client() as client:
        _show_state(client.extend(job_id, more), as_json=as_json)


def delete_command(job_id: str, *, as_json: bool) -> None:
    with Client() as client:
        client.delete(job_id)
    if as_json:
        say_json({"id": job_id, "deleted": True})
    else:
        note(f"job {job_id} is deleted")


def _states(text: str | None) -> list[JobState]:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in names:
        if name not in get_args(JobState):
            raise InputError(f"--state must be among {', '.join(get_args(JobState))}, got {name!r}")
    return [cast(JobState, name) for name in names]


def _show_jobs(jobs: list[JobView]) -> None:
    has_owners = len({job.owner for job in jobs}) > 1
    numbers = ("best", "uniform", "cached", "age")
    owner = ["owner"] * has_owners
    made = table("id", "name", *owner, "state", "", *numbers, right=numbers, whole=("id", "state"))
    for job in jobs:
        made.add_row(job.id, job.name, *[job.owner] * has_owners, job.state, *_cells(job), ago(job.created_at))
    show_table(made)


def _cells(job: JobView) -> list[str]:
    """How far or why not, best against uniform, and how much of it the cache answered."""
    best, uniform = (None, None) if job.progress is None else (job.progress.best, job.progress.uniform)
    return [
        _how_far(job) if job.state == "running" and job.wish == "run" else why_text(job),
        DASH if best is None else f"{best:.5f}",
        DASH if uniform is None else f"{uniform:.5f}",
        DASH if job.cached_share is None else f"{job.cached_share:.0%}",
    ]


def _how_far(job: JobView) -> str:
    moment = job.progress
    if moment is None:
        return ""
    return f"{moment.phase} {moment.done:,}/{moment.total:,} {moment.unit}".rstrip() if moment.total else moment.phase


def _show(job: JobDetail, *, as_json: bool) -> None:
    if as_json:
        say_json(job)
        return
    _, best, uniform, cached = _cells(job)
    rows = {
        "job": f"{job.id}  {job.name}",
        "owner": job.owner,
        "model": job.model,
        "state": state_text(job),
        "progress": _how_far(job),
        "loss": f"best {best}, uniform {uniform}",
        "cached": cached,
        "workers": f"{job.workers.granted} of {job.workers.wanted}",
        "priority": str(job.priority),
        "submitted": f"{job.created_at:%Y-%m-%d %H:%M:%S %Z}, {ago(job.created_at)} ago",
        "finished": DASH if job.finished_at is None else f"{job.finished_at:%Y-%m-%d %H:%M:%S %Z}",
        "cloned from": job.cloned_from or "",
        "note": job.note,
    }
    made = table("", "")
    made.show_header = False
    for name, value in rows.items():
        if value:
            made.add_row(name, value)
    show_table(made)


def _show_state(job: JobView, *, as_json: bool) -> None:
    if as_json:
        say_json(job)
    else:
        say(state_text(job))
