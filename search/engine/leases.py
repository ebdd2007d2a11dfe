"""The leases that this process holds in the store: renewed while the work goes on, given back when it ends."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import psutil

from store.leases import HOLDERS_DIED, MAX_ATTEMPTS, Key
from store.records import Claim, Failed, Result
from store.store import Store

LEASE_S = 60.0
HEARTBEAT_S = LEASE_S / 3
BUSY_POLL_S = 0.5
CLOCK_S = 2.0  # that the machine's clock may be set, or rounded, between two looks at when a process began

MOST_HOLDERS = 8  # processes that may end with a lease before the work counts as what ended them

Release = Callable[[list[str], str], int]  # keys and owner
Heartbeat = Callable[[list[str], str, float], int]  # keys, owner and seconds


def name_owner() -> str:
    """This process, for ever: no other has this name, not even one that is given its number later."""
    begun_s = round(psutil.Process().create_time())
    return f"{socket.gethostname()}:{os.getpid()}:{begun_s:x}-{uuid.uuid4().hex[:8]}"


def is_dead(owner: str) -> bool:
    """Whether this names a process of this machine that is no more; of other machines' nobody here knows.

    In a container the numbers of processes come again soon, and nobody may be there to bury those that ended.
    """
    host, pid, mark = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        begun_s, dash, _ = mark.partition("-")
        return bool(dash) and abs(process.create_time() - int(begun_s, 16)) > CLOCK_S
    except psutil.NoSuchProcess:
        return True


def release_the_dead(store: Store) -> None:
    """Give back the leases of processes of this machine that are no more, rather than wait for their end."""
    for owner in filter(is_dead, store.holders()):
        store.release_all(owner)


def claimed(
    claim: Callable[[Sequence[Key], int], dict[str, Claim[Result]]], keys: Sequence[Key]
) -> dict[str, Claim[Result]]:
    """Claim with ``claim``, which is given keys and how many attempts they may have had.

    A process that ends takes all leases that it held along, of sound work and of what may have ended it: what was lost
    so may be leased more often than what failed. What kills workers is found by the pool, and fails.
    """
    claims = claim(keys, MAX_ATTEMPTS)
    lost = [key for key in keys if _is_lost(claims[key.key])]
    return claims | claim(lost, MOST_HOLDERS) if lost else claims


def _is_lost(claim: Claim[Result]) -> bool:
    return isinstance(claim, Failed) and claim.error == HOLDERS_DIED


class Leases:
    """Those of one kind of work."""

    def __init__(self, owner: str, release: Release, heartbeat: Heartbeat) -> None:
        self._owner = owner
        self._release = release
        self._heartbeat = heartbeat
        self._held: set[str] = set()
        self._last_beat = 0.0

    @contextmanager
    def held(self, keys: Iterable[str]) -> Iterator[None]:
        """Hold leases for a while; whatever is left of them is given back, on Ctrl-C too."""
        self._held = set(keys)
        self._last_beat = time.monotonic()
        try:
            yield
        finally:
            if self._held:
                self._release(sorted(self._held), self._owner)
            self._held = set()

    def end(self, keys: Iterable[str]) -> None:
        """These are completed: nothing of them is left to renew or to give back."""
        self._held.difference_update(keys)

    def beat(self) -> None:
        """Renew them where it is time to."""
        if time.monotonic() - self._last_beat >= HEARTBEAT_S:
            self._heartbeat(sorted(self._held), self._owner, LEASE_S)
            self._last_beat = time.monotonic()
