"""Follows a job's events: server-sent while that works, by asking where it does not; never twice, never with a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import httpx2

from service.api.views import EventPage, EventView, JobView
from service.client.wire import Patience, Wire
from spaces.errors import UnreachableError
from store.records import FINAL_STATES

SILENCE_S = 45.0  # the service sends a comment every 15 s: after three missed ones the connection is dead
POLL_S = 1.0
PAGE = 200
CUTS = 3  # streams cut off one after the other without an event: something between lets none pass
OUTAGE = Patience(attempts=14, longest_s=15.0)  # about two minutes, for a service that is started again


class Follower:
    """Goes on after the last number it gave, whatever happens to the connection, until the job has ended.

    ``on_trouble`` hears each time that the service does not answer; what ``patience`` cannot wait for is raised.
    """

    def __init__(
        self,
        wire: Wire,
        job_path: str,
        after: int,
        on_trouble: Callable[[str], None],
        patience: Patience,
    ) -> None:
        self._wire = wire
        self._job_path = job_path
        self._last = after
        self._on_trouble = on_trouble
        self._patience = patience
        self._streams = True
        self._cuts = 0

    def events(self) -> Iterator[EventView]:
        """Every event once, in order.

        Raises:
            UnknownError, TokenError: the job is gone, or the token is not valid any more.
            UnreachableError: the service does not answer for longer than patience lasts.
        """
        failures = 0
        while True:
            before = self._last
            try:
                yield from self._streamed() if self._streams else self._polled()
                if self._has_ended():
                    return
                failures = 0
            except UnreachableError as error:
                failures = failures + 1 if self._last == before else 1
                self._streams = self._streams and self._cuts < CUTS
                if failures >= self._patience.attempts:
                    raise
                self._on_trouble(str(error))
                self._patience.wait(failures)
                continue
            if self._last == before:
                self._patience.sleep(POLL_S)

    def _streamed(self) -> Iterator[EventView]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store", "Last-Event-ID": str(self._last)}
        with self._wire.stream(f"{self._job_path}/events", headers, timeout_s=SILENCE_S) as response:
            self._streams = response.headers.get("Content-Type", "").startswith("text/event-stream")
            self._cuts += 1  # unless an event comes, or the stream ends in order
            if self._streams:
                sent = (event for event in httpx2.EventSource(response) if event.id and event.data)
                yield from self._new(self._wire.read(EventView, event.data, "an event") for event in sent)
                self._cuts = 0

    def _polled(self) -> Iterator[EventView]:
        page = self._wire.get(EventPage, f"{self._job_path}/events", {"after": self._last, "limit": PAGE})
        yield from self._new(page.items)

    def _new(self, events: Iterable[EventView]) -> Iterator[EventView]:
        for event in events:
            if event.seq > self._last:
                self._last, self._cuts = event.seq, 0
                yield event

    def _has_ended(self) -> bool:
        job = self._wire.get(JobView, self._job_path)
        return job.state in FINAL_STATES and job.last_seq <= self._last
