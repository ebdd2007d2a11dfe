"""Checkpoints that the API was asked for: written one at a time by a process of their own, and kept on disk.

What is done is known from the disk alone, so a restart loses what was under way and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from service.sidecar.keeper import Sidecar
from spaces.errors import ConflictError, LayerpressError

logger = logging.getLogger(__name__)

FOLDER = "exports"  # of the home folder
LONGEST_S = 24 * 3600.0  # of one export; a large model whose bank is gone is compressed again
MOST_QUEUED = 8
PROGRESS_FILE = "progress.json"

State = Literal["queued", "writing", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """How far one export is."""

    state: State
    phase: str = ""  # what is being done, in words
    done: int = 0  # of ``total``, which is 0 where it is not known
    total: int = 0
    error: str = ""  # of one that failed


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One export: a folder of that name, kept under a key that is the hash of all that is written into it."""

    name: str
    about: tuple[str, ...]
    content: Mapping[str, Any]  # of the task

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps(self.about).encode()).hexdigest()[:32]


class Exports:
    """The exports of one home folder. Threads may share it."""

    def __init__(self, home: Path, make_sidecar: Callable[[], Sidecar] = Sidecar) -> None:
        self._root = home / FOLDER
        self._make_sidecar = make_sidecar
        self._lock = Lock()
        self._moments: dict[str, Moment] = {}  # of those that this process was asked for and that are not done
        self._sidecar: Sidecar | None = None
        self._is_closed = False
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="export")

    def folder(self, wanted: Wanted) -> Path:
        """Where it is once it is done."""
        return self._root / wanted.key / wanted.name

    def moment(self, wanted: Wanted) -> Moment | None:
        """How far it is; None where nobody asked for it, or it was removed."""
        if self.folder(wanted).is_dir():  # it appears whole
            return Moment(state="done")
        with self._lock:
            known = self._moments.get(wanted.key)
        if known is None or known.state != "writing":
            return known
        return self._told(wanted) or known

    def begin(self, wanted: Wanted) -> Moment:
        """Let it be written, unless it is, or is about to be; one that failed is tried again.

        Raises:
            ConflictError: too many wait already.
        """
        moment = self.moment(wanted)
        if moment is not None and moment.state != "failed":
            return moment
        with self._lock:
            waiting = [key for key, each in self._moments.items() if each.state in ("queued", "writing")]
            if wanted.key not in waiting:
                if len(waiting) >= MOST_QUEUED:
                    raise ConflictError(f"{MOST_QUEUED} exports wait already, and one is written at a time; try later")
                self._moments[wanted.key] = Moment(state="queued")
                self._worker.submit(self._write, wanted)
            return self._moments[wanted.key]

    def remove(self, wanted: Wanted) -> bool:
        """Remove what was written; whether there was anything.

        Raises:
            ConflictError: it is being written, or waits to be.
        """
        with self._lock:
            known = self._moments.get(wanted.key)
            if known is not None and known.state in ("queued", "writing"):
                raise ConflictError(f"{wanted.name} is {known.state}; remove it when it is done")
            self._moments.pop(wanted.key, None)
        place = self.folder(wanted).parent
        was_there = place.is_dir()
        shutil.rmtree(place, ignore_errors=True)
        return was_there or known is not None

    def close(self) -> None:
        """Break off what is under way; drafts are removed by whoever exports the same again, or by retention."""
        with self._lock:
            self._is_closed = True
            sidecar = self._sidecar
        if sidecar is not None:
            sidecar.close()
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _write(self, wanted: Wanted) -> None:
        """In the one thread that there is."""
        with self._lock:
            if self._is_closed:
                return
            self._sidecar = self._make_sidecar()
            self._moments[wanted.key] = Moment(state="writing", phase="begins")
        try:
            self._call(wanted, self._sidecar)
            failed = None if self.folder(wanted).is_dir() else "nothing was written; the service's log says why"
        except (LayerpressError, OSError) as error:
            # a twin service with the same home may have been faster
            failed = None if self.folder(wanted).is_dir() else str(error)
            logger.warning("export %s: %s", wanted.name, error)
        finally:
            self._sidecar.close()
        with self._lock:
            self._sidecar = None
            self._moments.pop(wanted.key, None)
            if failed is not None:
                self._moments[wanted.key] = Moment(state="failed", error=failed)

    def _call(self, wanted: Wanted, sidecar: Sidecar) -> None:
        out = self.folder(wanted)
        out.parent.mkdir(parents=True, exist_ok=True)
        progress = out.parent / PROGRESS_FILE
        progress.unlink(missing_ok=True)
        content = {**wanted.content, "out": str(out), "progress": str(progress)}
        try:
            sidecar.call("checkpoint", content, timeout_s=LONGEST_S)
        finally:
            progress.unlink(missing_ok=True)

    def _told(self, wanted: Wanted) -> Moment | None:
        """What the process at work wrote down last; its file is replaced whole."""
        try:
            content = json.loads((self.folder(wanted).parent / PROGRESS_FILE).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return Moment(state="writing", phase=content["phase"], done=content["done"], total=content["total"])
