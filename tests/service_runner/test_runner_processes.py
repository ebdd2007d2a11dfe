"""Processes that die with whoever started them, what they are told, and what nobody else may read."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from service.api.settings import ApiSettings
from service.runner import web
from service.runner.logs import JobLog
from service.runner.process import describe_end, end_processes, has_ended, kill_process, start_process
from service.runner.secrets import without_secrets
from service.runner.settings import RunnerSettings

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
PARENT = f"""
import sys, threading
from service.runner.process import start_process
print(start_process({SLEEP!r}, is_heard=True).pid, flush=True)
threading.Event().wait()
"""


def test_a_process_dies_with_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    gone, _ = psutil.wait_procs([child], timeout=30)
    assert gone


def test_a_process_whose_parent_is_gone_does_not_begin(tmp_path: Path) -> None:
    made = tmp_path / "made"
    code = subprocess.run([sys.executable, "-m", "service.runner.leash", "1", "touch", str(made)]).returncode
    assert code == 70
    assert not made.exists()


def test_a_process_reads_what_it_is_told_and_nobody_else_does() -> None:
    process = start_process([sys.executable, "-c", "print(input())"], stdin="a secret\n", is_heard=True)
    assert process.stdout is not None
    assert process.stdout.read() == "a secret\n"
    assert "secret" not in str(process.args)
    process.stdout.close()
    assert process.wait() == 0


def test_what_does_not_end_in_time_is_killed_with_its_group() -> None:
    stubborn = "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    stubborn += f"print(subprocess.Popen({SLEEP!r}).pid, flush=True); signal.pause()"
    process = start_process([sys.executable, "-c", stubborn], is_heard=True)
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    end_processes([process], 0.1)
    assert process.returncode == -signal.SIGKILL
    assert psutil.wait_procs([child], timeout=30)[0]
    process.stdout.close()


def test_what_a_process_left_in_its_group_ends_when_it_is_found_dead() -> None:
    leaves = f"import subprocess; print(subprocess.Popen({SLEEP!r}).pid, flush=True)"
    process = start_process([sys.executable, "-c", leaves], is_heard=True)
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(process)
    assert psutil.wait_procs([child], timeout=30)[0]
    assert process.returncode == 0
    kill_process(process)  # once more does nothing
    process.stdout.close()


@pytest.mark.parametrize(
    ("code", "words"), [(0, "ended with code 0"), (-9, "was killed by SIGKILL"), (-64, "was killed by SIGRTMAX")]
)
def test_an_end_in_words(code: int, words: str) -> None:
    assert describe_end(code) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot open postgresql+psycopg://lab:s3cr:et@db/lp", "cannot open postgresql+psycopg://lab:***@db/lp"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("lp_7f3a_" + "x" * 43 + " was refused", "lp_7f3a_*** was refused"),
        ("HF_TOKEN=hf_" + "a" * 34, "HF_TOKEN=hf_***"),
        ("http://127.0.0.1:8765/api is up", "http://127.0.0.1:8765/api is up"),
    ],
)
def test_secrets_are_not_shown(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    lines: list[object] = []
    record = logging.LogRecord("a", logging.WARNING, "", 0, "%s", (text,), None)
    JobLog(lines.append).handle(record)
    assert lines == [{"level": "WARNING", "logger": "a", "message": shown}]


def test_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    settings = RunnerSettings(store_url="postgresql://u:secret@db/x", home=tmp_path, roots=(tmp_path,), max_cpus=1.5)
    assert RunnerSettings.read(settings.dump()) == settings
    assert "secret" not in repr(settings)
    api = ApiSettings(store_url="s", home=tmp_path, roots=(tmp_path,), allowed_hosts=("a", "b"))
    assert web.read(web.dump(api, 7)) == (api, 7)
    json.loads(settings.dump())


def test_the_access_log_holds_no_query() -> None:
    arguments = ("127.0.0.1:1", "GET", "/api/v1/jobs?search=mine", "1.1", 200)
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', arguments, None)
    assert web.without_query(record)
    assert record.getMessage() == '127.0.0.1:1 - "GET /api/v1/jobs HTTP/1.1" 200'
