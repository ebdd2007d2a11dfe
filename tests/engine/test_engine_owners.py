"""Whose leases are given back: those of processes of this machine that are no more, and nobody else's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import psutil

from store.holders import is_dead, name_owner

HOST = socket.gethostname()


def test_this_process_lives() -> None:
    assert not is_dead(name_owner())
    assert not is_dead(f"{HOST}:{os.getpid()}:3f9c2a7d")  # as ``layerpress run`` names itself


def test_nobody_knows_of_other_machines() -> None:
    assert not is_dead(f"elsewhere:{2**22 + 1}:0-3f9c2a7d")


def test_one_that_ended_is_dead_though_nobody_has_buried_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = f"{HOST}:{process.pid}:{round(psutil.Process(process.pid).create_time()):x}-3f9c2a7d"
        assert not is_dead(name)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # leaves a zombie
        assert psutil.pid_exists(process.pid)
        assert is_dead(name)
    assert is_dead(name)


def test_one_whose_number_another_has_now_is_dead() -> None:
    host, pid, mark = name_owner().rsplit(":", 2)
    begun_s, _, own = mark.partition("-")
    assert is_dead(f"{host}:{pid}:{int(begun_s, 16) - 3600:x}-{own}")
