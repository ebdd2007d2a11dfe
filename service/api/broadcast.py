"""One thread for each process reads the events of all jobs that somebody watches, and hands them out."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Thread

from spaces.errors import LayerpressError
from store.records import EventRecord
from store.store import Store

logger = logging.getLogger(__name__)

FASTEST_S, SLOWEST_S = 0.2, 2.0  # between looks: right after something happened, and while nothing does
FAILED_S = 5.0  # between looks while the store does not answer
MAX_WAITING = 500  # events kept for a client that reads slowly: it finds the others in the store


@dataclass(eq=False)
class Subscription:
    """One client's share. ``take`` is for its event loop, ``give`` and ``close`` for the thread."""

    job_id: str
    loop: asyncio.AbstractEventLoop
    _waiting: deque[EventRecord] = field(default_factory=lambda: deque(maxlen=MAX_WAITING))
    _something: asyncio.Event = field(default_factory=asyncio.Event)
    is_closed: bool = False

    async def take(self, timeout_s: float) -> list[EventRecord]:
        """What came since the last time; waits until something does, the service stops, or the time is over."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._something.wait(), timeout_s)
        self._something.clear()
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def give(self, event: EventRecord) -> None:
        self._waiting.append(event)
        self._wake()

    def close(self) -> None:
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed, and its clients are gone
            self.loop.call_soon_threadsafe(self._something.set)


class Broadcaster:
    """Reads with one query for all watched jobs; sleeps while nobody watches."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._changed = Condition()
        self._clients: dict[str, set[Subscription]] = {}
        self._marks: dict[str, int] = {}  # the last number handed out of each watched job
        self._thread: Thread | None = None
        self._is_closed = False

    def subscribe(self, job_id: str, last_seq: int) -> Subscription:
        """Hear of a job's events after ``last_seq``. What others heard already is to be read from the store."""
        client = Subscription(job_id, asyncio.get_running_loop())
        with self._changed:
            if self._is_closed:
                client.close()
                return client
            self._clients.setdefault(job_id, set()).add(client)
            self._marks.setdefault(job_id, last_seq)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="broadcaster", daemon=True)
                self._thread.start()
            self._changed.notify()
        return client

    def unsubscribe(self, client: Subscription) -> None:
        """Hear no more."""
        with self._changed:
            clients = self._clients.get(client.job_id, set())
            clients.discard(client)
            if not clients:
                self._clients.pop(client.job_id, None)
                self._marks.pop(client.job_id, None)

    def close(self) -> None:
        """End every stream: the process is about to stop."""
        with self._changed:
            self._is_closed = True
            for client in [client for clients in self._clients.values() for client in clients]:
                client.close()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        pause_s = FASTEST_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or bool(self._clients))
                if self._is_closed:
                    return
                marks = dict(self._marks)
            pause_s = self._look(marks, pause_s)
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed, pause_s)

    def _look(self, marks: dict[str, int], pause_s: float) -> float:
        """Hand out what is new; how long to wait before the next look."""
        try:
            events = self._store().events_after(marks)
        except LayerpressError as error:
            logger.warning("cannot read events: %s", error)
            return FAILED_S
        with self._changed:
            for event in events:
                if event.job_id in self._marks:
                    self._marks[event.job_id] = max(self._marks[event.job_id], event.seq)
                for client in self._clients.get(event.job_id, ()):
                    client.give(event)
        return FASTEST_S if events else min(2 * pause_s, SLOWEST_S)
