"""Processes that belong to this one: started in sessions of their own, ended in order, gone when this one is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Event

LEASH = "service.runner.leash"
LOOK_S = 0.05


def start_process(
    command: Sequence[str],
    *,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    descriptors: Sequence[int] = (),
    is_heard: bool = False,
    is_guard: bool = False,
) -> subprocess.Popen[str]:
    """Start ``command`` with ``stdin`` to read; call it in a thread that lives as long as the process shall.

    What is secret goes through ``stdin``: command lines and environments are for others to see. ``descriptors``
    stay open in it; ``is_heard`` makes its output ours to read. A Ctrl-C on the terminal does not reach it.

    A guard has others to take with it when we die: it is not killed then, but its input, which else ends at once,
    ends with us.
    """
    leash = [] if is_guard else [sys.executable, "-m", LEASH, str(os.getpid())]
    process = subprocess.Popen(
        [*leash, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if is_heard else None,
        text=True,
        env=None if environment is None else {**os.environ, **environment},
        pass_fds=tuple(descriptors),
        start_new_session=True,
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended already, which whoever watches it will see
        process.stdin.write(stdin)
        process.stdin.flush()
        if not is_guard:
            process.stdin.close()
    return process


def role(name: str, *arguments: str) -> list[str]:
    """The command of one of the service's processes, see ``service.runner.__main__``."""
    return [sys.executable, "-m", "service.runner", name, *arguments]


def has_ended(process: subprocess.Popen[str]) -> bool:
    """Whether it ended; what it left in its group is killed, before its number can be another process's."""
    if process.returncode is not None:
        return True
    if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return False
    _kill_group(process)
    process.wait()
    return True


def end_processes(
    processes: Sequence[subprocess.Popen[str]], patience_s: float, by: signal.Signals = signal.SIGTERM
) -> None:
    """Ask all to end; those that still live after ``patience_s`` are killed, with what is in their groups."""
    for process in processes:
        if not has_ended(process):
            process.send_signal(by)
    deadline = time.monotonic() + patience_s
    while not all(has_ended(process) for process in processes) and time.monotonic() < deadline:
        Event().wait(LOOK_S)
    for process in processes:
        kill_process(process)


def kill_process(process: subprocess.Popen[str]) -> None:
    """End it now, with what is in its group."""
    if not has_ended(process):
        _kill_group(process)
        process.wait()


def _kill_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def describe_end(code: int) -> str:
    """How a process ended, for people: ``was killed by SIGKILL``."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"
