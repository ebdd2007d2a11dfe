"""The process beside the API: its answers and errors come through, it is replaced when it hangs or dies, and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from service.sidecar.keeper import MOST_WAITING, Sidecar, TooSlowError
from spaces.errors import BudgetError, JobError, UnreachableError

# answers each task by its name: what is sent, the process's number, an error of ours, noise and silence
PROGRAM = """
import json, os, sys, threading
for line in sys.stdin:
    request = json.loads(line)
    task, content = request["task"], request["content"]
    if task == "die":
        os._exit(3)
    if task == "hang":
        threading.Event().wait()
    answers = {
        "echo": {"result": content},
        "pid": {"result": os.getpid()},
        "refuse": {"error": "BudgetError", "message": "at least 2"},
        "odd": {"error": "print", "message": "no such error"},
        "large": {"result": "x" * 1_000_000},
    }
    print(json.dumps(answers[task]), flush=True)
"""


@pytest.fixture
def sidecar() -> Iterator[Sidecar]:
    made = Sidecar(("-c", PROGRAM))
    yield made
    made.close()


def test_answers_come_back(sidecar: Sidecar) -> None:
    assert sidecar.pid is None  # nothing is started before it is needed
    content = {"budget": {"size": "3MB"}, "note": "line\nline ümläut"}
    assert sidecar.call("echo", content, timeout_s=30) == content
    assert sidecar.call("large", {}, timeout_s=30) == "x" * 1_000_000
    assert sidecar.call("pid", {}, timeout_s=30) == sidecar.pid


def test_errors_come_back_as_they_were(sidecar: Sidecar) -> None:
    with pytest.raises(BudgetError, match="at least 2"):
        sidecar.call("refuse", {}, timeout_s=30)
    with pytest.raises(JobError, match="no such error"):
        sidecar.call("odd", {}, timeout_s=30)


def test_one_that_hangs_is_replaced(sidecar: Sidecar) -> None:
    before = sidecar.call("pid", {}, timeout_s=30)
    with pytest.raises(TooSlowError, match=r"hang took longer than 0\.2 s"):
        sidecar.call("hang", {}, timeout_s=0.2)
    assert not psutil.pid_exists(before)
    assert sidecar.call("pid", {}, timeout_s=30) != before


def test_one_that_dies_is_replaced(sidecar: Sidecar) -> None:
    with pytest.raises(JobError, match="the process of die died"):
        sidecar.call("die", {}, timeout_s=30)
    killed = sidecar.call("pid", {}, timeout_s=30)
    os.kill(killed, signal.SIGKILL)
    psutil.Process(killed).wait()  # reaped here, so that the next call finds it gone
    assert sidecar.call("pid", {}, timeout_s=30) != killed


def test_too_many_are_sent_away(sidecar: Sidecar) -> None:
    refusals = []

    def ask() -> None:
        try:
            sidecar.call("hang", {}, timeout_s=3)
        except UnreachableError as error:
            refusals.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(MOST_WAITING + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(f"{MOST_WAITING} requests wait" in refusal for refusal in refusals) == 4
    assert len(refusals) == MOST_WAITING + 4
    assert sidecar.call("echo", {"again": 1}, timeout_s=30) == {"again": 1}


@pytest.mark.parametrize("delay_s", [0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 0.1])  # before, while and after it is asked
def test_closing_waits_for_no_task(sidecar: Sidecar, delay_s: float) -> None:
    errors = []

    def ask() -> None:
        try:
            sidecar.call("hang", {}, timeout_s=600)
        except JobError as error:
            errors.append(str(error))

    pid = sidecar.call("pid", {}, timeout_s=30)
    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(delay_s)
    sidecar.close()
    asking.join()
    assert len(errors) == 1
    assert not psutil.pid_exists(pid)
    with pytest.raises(JobError, match="echo"):
        sidecar.call("echo", {}, timeout_s=30)


def test_it_ends_when_whoever_started_it_is_killed() -> None:
    """In the midst of a task too: nobody is left to end it."""
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from service.sidecar.keeper import Sidecar; Sidecar().call('catalogue', {}, timeout_s=600)",
        ],
    )
    try:
        child = _child_of(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    child.wait(timeout=60)  # raises where it still lives


def _child_of(pid: int) -> psutil.Process:
    parent, found = psutil.Process(pid), []
    waiting = threading.Event()
    for _ in range(1200):
        found = [each for each in parent.children() if "service.sidecar.process" in each.cmdline()]
        if found:
            break
        waiting.wait(0.05)
    return found[0]
