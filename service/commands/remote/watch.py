"""``layerpress watch``: a job of the service as if it ran here; Ctrl-C leaves it alone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from search.engine.progress import PHASES, Progress, Watch
from service import interruption
from service.api.views import EventView, JobDetail
from service.client import Client
from service.commands.remote.answers import note, say, say_json
from service.commands.remote.states import state_text
from service.watching import watching
from store.records import FINAL_STATES


def watch_command(job_id: str, *, as_json: bool, quiet: bool) -> int:
    """Show a job until it ends; returns the exit code."""
    with Client() as client:
        return follow(client, job_id, as_json=as_json, quiet=quiet)


def follow(client: Client, job_id: str, *, as_json: bool, quiet: bool) -> int:
    """Show a job until it ends or Ctrl-C is pressed; its verdict is the answer.

    Raises:
        UnknownError, TokenError, UnreachableError: what the service says, or that it says nothing for long.
    """
    try:
        job = client.job(job_id)
        while job.state not in FINAL_STATES:
            job = _watched(client, job, quiet=quiet)
    except interruption.Interrupted:
        note(
            f"detached: job {job_id} goes on; `layerpress watch {job_id}` comes back to it, "
            f"`layerpress jobs stop {job_id}` or `layerpress jobs cancel {job_id}` ends it"
        )
        return interruption.EXIT_CODE
    _show_end(job, as_json=as_json)
    return 0 if job.state == "succeeded" else 1


class _UnsuccessfulError(Exception):
    """Leaves the view without its phases ticked off."""


def _watched(client: Client, job: JobDetail, *, quiet: bool) -> JobDetail:
    """The job when its events have ended."""
    with suppress(_UnsuccessfulError), watching(quiet=quiet) as see:
        _show_events(client, job, see)
        job = client.job(job.id)
        if job.state != "succeeded":
            raise _UnsuccessfulError
    return job


def _show_events(client: Client, job: JobDetail, see: Watch) -> None:
    moment = _Moment(job)

    def trouble(_reason: str) -> None:
        see(moment.say("the service does not answer: trying again"))

    see(moment.now)
    for event in client.events(job.id, after=job.last_seq, on_trouble=trouble):
        see(moment.after(event))


class _Moment:
    """What the view shows: the job's progress, and while it does not run, why."""

    def __init__(self, job: JobDetail) -> None:
        self.now = Progress(phase="prepare", label="")
        if job.progress is not None:
            self._take(job.progress.model_dump())
        if job.state != "running":
            self.say(job.message or job.state)

    def after(self, event: EventView) -> Progress:
        if event.kind == "progress":
            self._take(event.payload)
        elif event.kind == "phase" and event.payload.get("phase") in PHASES:
            self.now = replace(self.now, phase=event.payload["phase"], label="", done=0, total=0)
        elif event.kind == "state":
            self.say(event.payload.get("message") or event.payload.get("state") or "")
        return self.now

    def say(self, label: str) -> Progress:
        self.now = replace(self.now, label=label)
        return self.now

    def _take(self, payload: dict[str, object]) -> None:
        """Keys and phases of a newer service are left aside."""
        if payload.get("phase") in PHASES:
            known = {key: value for key, value in payload.items() if key in Progress.__dataclass_fields__}
            self.now = Progress(**known)  # type: ignore[arg-type]


def _show_end(job: JobDetail, *, as_json: bool) -> None:
    if as_json:
        say_json(job)
        return
    verdict = str((job.report or {}).get("verdict") or "")
    say(f"{job.state}: {verdict}" if verdict else state_text(job))
    if job.state == "succeeded":
        note(f"`layerpress front {job.id} --out DIR` fetches its pictures and files")
