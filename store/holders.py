"""The names of processes that hold jobs or leases, by which it is known whether they still live."""

from __future__ import annotations

import os
import socket
import uuid

import psutil

CLOCK_S = 2.0  # that the machine's clock may be set, or rounded, between two looks at when a process began


def name_owner() -> str:
    """This process, for ever: no other has this name, not even one that is given its number later."""
    begun_s = round(psutil.Process().create_time())
    return f"{socket.gethostname()}:{os.getpid()}:{begun_s:x}-{uuid.uuid4().hex[:8]}"


def place_of(owner: str) -> str:
    """Where the process of that name runs, in words."""
    host, pid, _ = owner.rsplit(":", 2)
    return f"on {host}, as process {pid}"


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
