"""A folder that appears whole or not at all: written under a hidden name beside its place, then renamed."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from spaces.errors import InputError, JobError


def check_free(out: Path) -> None:
    """Refuse a folder with something in it: an export never mixes with what is there.

    Raises:
        InputError: it is a file, or not empty, or the root of a volume, which no folder can take the place of.
    """
    if out.is_dir() and out.resolve().is_mount():
        raise InputError(f"--out must be a new or empty folder, got the volume {str(out)!r}; name a new folder in it")
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() or out.is_symlink():
        raise InputError(f"--out must be a new or empty folder, got {str(out)!r}; name another, or remove it first")


@contextmanager
def draft_of(out: Path) -> Iterator[Path]:
    """A new folder on the file system of ``out``, which it becomes at the end, unless an error comes before.

    A process that is killed leaves nothing at ``out``; what it leaves beside is removed by the next one to write there.

    Raises:
        InputError: something is at ``out`` by then.
        JobError: the disk is full, or the folder cannot be written.
    """
    out = out.resolve()  # where a link leads, for it cannot be replaced by a folder
    draft = out.with_name(f".{out.name}.{socket.gethostname()}.{os.getpid()}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(out)
        draft.mkdir()
        yield draft
        _flush(draft)
        check_free(out)  # somebody else may have written there in the meantime
        draft.rename(out)  # onto an empty folder as well
    except OSError as error:
        raise JobError(
            f"cannot write the export {str(out)!r} ({error.strerror or error}); nothing is left there: make room or "
            f"name another --out, and run the command again"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_abandoned(out: Path) -> None:
    """Drafts of this machine's processes that are no more (kill -9); those of the living are left to them."""
    for draft in out.parent.glob(f".{out.name}.{socket.gethostname()}.*.partial"):
        pid = draft.name.split(".")[-2]
        if pid.isdecimal() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid))):
            shutil.rmtree(draft, ignore_errors=True)


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
