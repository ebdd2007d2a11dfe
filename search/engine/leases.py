"""The leases that this process holds in the store: renewed while the work goes on, given back when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from store.holders import is_dead
from store.leases import HOLDERS_DIED, MAX_ATTEMPTS, Key
from store.records import Claim, Failed, Result
from store.store import Store

LEASE_S = 60.0
HEARTBEAT_S = LEASE_S / 3
BUSY_POLL_S = 0.5
MOST_HOLDERS = 8  # processes that may end with a lease before the work counts as what ended them

Release = Callable[[list[str], str], int]  # keys and owner
Heartbeat = Callable[[list[str], str, float], int]  # keys, owner and seconds


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
