"""Everything a service can be asked, as Python calls that return the API's own views."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

from service.api.candidate_views import (
    CandidateDetail,
    CandidatePage,
    CandidateView,
    Comparison,
    FrontView,
    LayersView,
    LayerView,
    SelectionView,
    SensitivityView,
    SolveView,
)
from service.api.cluster_views import (
    ArtifactPage,
    ArtifactView,
    BankPage,
    BankView,
    CacheView,
    WorkerPage,
    WorkerView,
)
from service.api.export_views import ExportState, ExportsView, ExportView
from service.api.token_views import NewToken, TokenPage, TokenView
from service.api.views import EventView, JobDetail, JobPage, JobView, Preview, Version
from service.client.address import Address, address_from
from service.client.events import OUTAGE, Follower
from service.client.wire import Patience, Query, Wire
from service.pictures.replacement import replace_file
from spaces.errors import UnreachableError
from store.records import FINAL_STATES, JobState, Scope

Verb = Literal["pause", "resume", "stop", "cancel"]
Order = Literal["seq", "size_bytes", "loss"]
PAGE = 200  # the most that the service gives at once
P = TypeVar("P", JobPage, CandidatePage)


def _nothing(_trouble: str) -> None:
    """Trouble that nobody wants to hear of."""


class Client:
    """A connection to one service; without arguments, the one that the environment names.

    Every call raises the errors of ``spaces.errors`` as local work does: InputError (422 and the like), UnknownError
    (404), ConflictError (409), UnreachableError (no answer, or a failed one), and ``TokenError`` (401, 403, 429).
    What the network loses is sent again where that cannot do a thing twice.
    """

    def __init__(self, address: Address | None = None, *, patience: Patience | None = None) -> None:
        self.address = address or address_from()
        self._wire = Wire(self.address, patience=patience or Patience())

    def close(self) -> None:
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def version(self) -> Version:
        return self._wire.get(Version, "/version")

    # jobs

    def submit(
        self,
        spec: Mapping[str, Any],
        *,
        name: str | None = None,
        note: str | None = None,
        priority: int | None = None,
        key: str | None = None,
    ) -> JobDetail:
        """Submit a job file's content. One ``key`` is one job, however often it is sent; by default a new one."""
        body = {**spec, **({} if name is None else {"name": name})}
        query = {"note": note, "priority": priority}
        return self._wire.post(JobDetail, "/jobs", body, query=query, is_repeatable=True, key=key or uuid.uuid4().hex)

    def dry_run(self, spec: Mapping[str, Any]) -> Preview:
        """What the job would be; nothing is stored."""
        return self._wire.post(Preview, "/jobs", dict(spec), query={"dry_run": True}, is_repeatable=True)

    def jobs(
        self,
        *,
        states: Sequence[JobState] = (),
        owner: str | None = None,
        model: str | None = None,
        search: str | None = None,
    ) -> Iterator[JobView]:
        """Jobs, the newest first, page after page as they are read."""
        query = {"state": list(states), "owner": owner, "model": model, "search": search}
        for page in self._pages(JobPage, "/jobs", query):
            yield from page.items

    def job(self, job_id: str) -> JobDetail:
        return self._wire.get(JobDetail, _job(job_id))

    def steer(self, job_id: str, verb: Verb) -> JobView:
        """Pause, resume, stop or cancel a job; once that is wished, asking again changes nothing."""
        return self._wire.post(JobView, f"{_job(job_id)}:{verb}", is_repeatable=True)

    def pause(self, job_id: str) -> JobView:
        """Finish what is in flight, then wait."""
        return self.steer(job_id, "pause")

    def resume(self, job_id: str) -> JobView:
        return self.steer(job_id, "resume")

    def stop(self, job_id: str) -> JobView:
        """Search no further, and finish with the best that was found."""
        return self.steer(job_id, "stop")

    def cancel(self, job_id: str) -> JobView:
        """End it now; what was measured is kept."""
        return self.steer(job_id, "cancel")

    def clone(
        self,
        job_id: str,
        changes: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        note: str = "",
        priority: int = 0,
        key: str | None = None,
    ) -> JobDetail:
        """A new job from an old one's spec; ``changes`` names single values: ``{"budget.size": "3MB"}``."""
        body = {"changes": dict(changes or {}), "name": name, "note": note, "priority": priority}
        return self._wire.post(
            JobDetail, f"{_job(job_id)}:clone", body, is_repeatable=True, key=key or uuid.uuid4().hex
        )

    def extend(self, job_id: str, more: int) -> JobDetail:
        """Queue it again for so many more rounds, or whatever its strategy counts in."""
        return self._wire.post(JobDetail, f"{_job(job_id)}:extend", {"more": more}, is_repeatable=False)

    def change(
        self, job_id: str, *, name: str | None = None, note: str | None = None, priority: int | None = None
    ) -> JobDetail:
        """Name it, note something, or let it go before or after others; what is None stays."""
        given = {"name": name, "note": note, "priority": priority}
        body = {key: value for key, value in given.items() if value is not None}
        return self._wire.patch(JobDetail, _job(job_id), body)

    def delete(self, job_id: str) -> None:
        """Forget a job that has ended, with its candidates and files; what it measured stays in the cache."""
        self._wire.send("DELETE", _job(job_id))

    def events(
        self, job_id: str, *, after: int = 0, on_trouble: Callable[[str], None] = _nothing
    ) -> Iterator[EventView]:
        """A job's events after number ``after``, as they come, until it ends: each once, across lost connections.

        ``on_trouble`` hears why each time that the connection is lost; the last loss in a row is raised.
        """
        patience = replace(OUTAGE, sleep=self._wire.patience.sleep)
        yield from Follower(self._wire, _job(job_id), after, on_trouble, patience).events()

    def wait(self, job_id: str, *, on_trouble: Callable[[str], None] = _nothing) -> JobDetail:
        """The job when it has ended."""
        job = self.job(job_id)
        while job.state not in FINAL_STATES:
            for _ in self.events(job_id, after=job.last_seq, on_trouble=on_trouble):
                pass
            job = self.job(job_id)
        return job

    # what a job has found

    def candidates(
        self,
        job_id: str,
        *,
        after_seq: int | None = None,
        order: Order | None = None,
        front: bool | None = None,
        max_size: str | int | None = None,
        max_loss: float | None = None,
    ) -> Iterator[CandidateView]:
        """What it has measured, page after page as they are read."""
        query = {"after_seq": after_seq, "order": order, "front": front, "max_size": max_size, "max_loss": max_loss}
        for page in self._pages(CandidatePage, f"{_job(job_id)}/candidates", query):
            yield from page.items

    def candidate(self, job_id: str, seq: int) -> CandidateDetail:
        return self._wire.get(CandidateDetail, f"{_job(job_id)}/candidates/{seq}")

    def front(self, job_id: str) -> FrontView:
        """What no other candidate of the job beats in both size and loss, smallest first."""
        return self._wire.get(FrontView, f"{_job(job_id)}/front")

    def layers(self, job_id: str, seq: int) -> list[LayerView]:
        """The option of each layer in a candidate, in the model's order."""
        return self._wire.get(LayersView, f"{_job(job_id)}/candidates/{seq}/layers").root

    def configuration(self, job_id: str, seq: int) -> str:
        """A candidate as the text of a ``configuration.json``: layer name to option."""
        return self._wire.send("GET", f"{_job(job_id)}/candidates/{seq}/configuration").text

    def select(self, job_id: str, *, max_size: str | int | None = None, max_loss: float | None = None) -> SelectionView:
        """The best that was measured under a size, or the smallest with a loss."""
        body = {"max_size": max_size, "max_loss": max_loss}
        return self._wire.post(SelectionView, f"{_job(job_id)}:select", body, is_repeatable=True)

    def solve(
        self,
        job_id: str,
        budget: Mapping[str, Any] | None = None,
        *,
        score: str | None = None,
        solver: str = "knapsack",
        max_loss: float | None = None,
    ) -> SolveView:
        """Another budget from the job's stored scores; nothing is measured."""
        body = {"budget": dict(budget or {}), "score": score, "solver": solver, "max_loss": max_loss}
        return self._wire.post(SolveView, f"{_job(job_id)}:solve", body, is_repeatable=True)

    def compare(self, job_ids: Sequence[str]) -> Comparison:
        """The fronts of several jobs, side by side."""
        return self._wire.post(Comparison, "/jobs:compare", {"ids": list(job_ids)}, is_repeatable=True)

    def sensitivity(self, job_id: str) -> SensitivityView:
        """What each option would cost each layer, by the job's own score."""
        return self._wire.get(SensitivityView, f"{_job(job_id)}/sensitivity")

    def export(self, job_id: str, seq: int, format_: str = "configuration") -> str:
        """A candidate as the text of a file in one of the ``exports``."""
        path = f"{_job(job_id)}/candidates/{seq}/export"
        return self._wire.send("GET", path, query={"format": format_}).text

    def begin_export(self, job_id: str, seq: int, format_: str) -> ExportState:
        """Let a checkpoint of a candidate be written; the same one asked for again is the same export."""
        path = f"{_job(job_id)}/candidates/{seq}:export"
        return self._wire.post(ExportState, path, {"format": format_}, is_repeatable=True)

    def export_state(self, job_id: str, seq: int, format_: str) -> ExportState:
        """How far it is."""
        return self._wire.get(ExportState, _export(job_id, seq, format_))

    def download_export(self, job_id: str, seq: int, format_: str, target: Path) -> Path:
        """Write the tar file of one that is done to ``target``; what came in part is removed.

        Raises:
            UnreachableError: the connection ended before all of it had come.
        """
        try:
            with self._wire.stream(f"{_export(job_id, seq, format_)}/archive") as answer, target.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return target

    def artifacts(self, job_id: str) -> list[ArtifactView]:
        """The files that a job left."""
        return self._wire.get(ArtifactPage, f"{_job(job_id)}/artifacts").items

    def download(self, job_id: str, name: str, target: Path) -> Path:
        """Write one of a job's files to ``target``, whole or not at all.

        Raises:
            UnknownError: the job has no such file.
            UnreachableError: what came is not what the service says it has.
        """
        known = {each.name: each.sha256 for each in self.artifacts(job_id)}
        content = self._wire.send("GET", f"{_job(job_id)}/artifacts/{quote(name, safe='')}").content
        if hashlib.sha256(content).hexdigest() != known.get(name):
            raise UnreachableError(f"{name} of job {job_id} arrived damaged, or was just written anew; fetch it again")
        replace_file(target, content)
        return target

    # the cluster, the cache and tokens

    def workers(self) -> list[WorkerView]:
        return self._wire.get(WorkerPage, "/workers").items

    def banks(self) -> list[BankView]:
        """The compressed weights that are kept, by model; empty as long as the service still looks."""
        return self._wire.get(BankPage, "/banks").items

    def exports(self) -> list[ExportView]:
        """The formats that a candidate can be had in."""
        return self._wire.get(ExportsView, "/exports").root

    def cache(self) -> CacheView:
        return self._wire.get(CacheView, "/cache")

    def create_token(self, name: str, scope: Scope, *, expires_in_s: int | None = None) -> NewToken:
        """Make a token; its secret is in the answer, this once. Not sent twice: an answer that is lost is an error."""
        body = {"name": name, "scope": scope, "expires_in_s": expires_in_s}
        return self._wire.post(NewToken, "/tokens", body, is_repeatable=False)

    def tokens(self) -> list[TokenView]:
        return self._wire.get(TokenPage, "/tokens").items

    def revoke_token(self, token_id: str) -> None:
        self._wire.send("DELETE", f"/tokens/{quote(token_id, safe='')}")

    def _pages(self, page: type[P], path: str, query: Query) -> Iterator[P]:
        cursor: str | None = None
        while True:
            found = self._wire.get(page, path, {**query, "limit": PAGE, "cursor": cursor})
            yield found
            cursor = found.next_cursor
            if cursor is None:
                return


def _export(job_id: str, seq: int, format_: str) -> str:
    return f"{_job(job_id)}/candidates/{seq}/exports/{quote(format_, safe='')}"


def _job(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"
