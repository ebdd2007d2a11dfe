"""The leases that this process holds in the store: renewed while the work goes on, given back when it ends."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import psutil

from store.store import Store

LEASE_S = 60.0
HEARTBEAT_S = LEASE_S / 3
BUSY_POLL_S = 0.5

Release = Callable[[list[str], str], int]  # keys and owner
Heartbeat = Callable[[list[str], str, float], int]  # keys, owner and seconds


def name_owner() -> str:
    """This process, for ever: no other has this name."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def release_the_dead(store: Store) -> None:
    """Give back the leases of processes of this machine that are no more, rather than wait for their end."""
    for owner in store.holders():
        host, pid, _ = owner.split(":")
        if host == socket.gethostname() and not psutil.pid_exists(int(pid)):
            store.release_all(owner)


class Leases:
    """Those of one kind of work."""

    def __init__(self, owner: str, release: Release, heartbeat: Heartbeat) -> None:
        self._owner = owner
        self._release = release
        self._heartbeat = heartbeat
        self._held: list[str] = []
        self._last_beat = 0.0

    @contextmanager
    def held(self, keys: Iterable[str]) -> Iterator[None]:
        """Hold leases for a while; whatever is left of them is given back, on Ctrl-C too."""
        self._held = list(keys)
        self._last_beat = time.monotonic()
        try:
            yield
        finally:
            self._release(self._held, self._owner)
            self._held = []

    def beat(self) -> None:
        """Renew them where it is time to."""
        if time.monotonic() - self._last_beat >= HEARTBEAT_S:
            self._heartbeat(self._held, self._owner, LEASE_S)
            self._last_beat = time.monotonic()
