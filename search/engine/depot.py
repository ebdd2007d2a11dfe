"""Hands files to workers whose machines do not share the job's storage, and takes what they made."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from spaces.errors import JobError

SHARED_STORAGE_VARIABLE = "LAYERPRESS_SHARED_STORAGE"  # 0: a node that shares nothing, whatever it looks like
CHUNK_BYTES = 16 << 20  # of a file, at once through the object store


class Stamp(NamedTuple):
    """A file of a folder as it is now."""

    name: str
    size: int
    changed_ns: int


def stamps(folder: Path) -> list[Stamp]:
    """The visible files of a folder, by name; of one that is not there, none."""
    if not folder.is_dir():
        return []
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return [Stamp(file.name, (found := file.stat()).st_size, found.st_mtime_ns) for file in files]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Tells a worker whether it sees the job's own storage: a fresh file in a folder, and the model as it is there."""

    mark: Path
    token: str
    model: Path
    stamps: tuple[Stamp, ...]  # of the model's files

    @classmethod
    def write(cls, folder: Path, model: Path) -> Probe:
        """Leave the file; those of processes of this machine that are no more are removed.

        Raises:
            JobError: the folder cannot be written.
        """
        host = socket.gethostname()
        mark = folder / f".probe.{host}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        probe = cls(mark=mark, token=uuid.uuid4().hex, model=model, stamps=tuple(stamps(model)))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(f".probe.{host}.*"):
                if not psutil.pid_exists(int(left.name.split(".")[-2])):
                    left.unlink(missing_ok=True)
            mark.write_text(probe.token)
        except OSError as error:
            raise JobError(f"cannot write in {folder}: {error.strerror}; make room and run the job again") from error
        return probe

    def is_seen(self) -> bool:
        """Asked on the worker's machine."""
        if os.environ.get(SHARED_STORAGE_VARIABLE) == "0":
            return False
        try:
            return self.mark.read_text() == self.token and tuple(stamps(self.model)) == self.stamps
        except OSError:
            return False

    def remove(self) -> None:
        self.mark.unlink(missing_ok=True)


class Depot:
    """Runs as an actor on the job's own machine: reads the model and some folders for others, and writes in these."""

    def __init__(self, folders: Sequence[Path], model: Path) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._model = {(model / stamp.name).resolve() for stamp in stamps(model)}  # links of a hub's cache lead far

    def stamps(self, folder: Path) -> list[Stamp]:
        """The files of a folder that may be read."""
        return [stamp for stamp in stamps(folder) if self._is_readable(folder / stamp.name)]

    def present(self, paths: Sequence[Path]) -> list[bool]:
        """Which of these files there are."""
        return [self._is_readable(path) and path.is_file() for path in paths]

    def read(self, path: Path, start: int = 0, size: int = CHUNK_BYTES) -> bytes:
        """Up to ``size`` bytes of a file, or all with -1; raises FileNotFoundError."""
        if not self._is_readable(path):
            raise PermissionError(f"{path} is neither in {self._named()} nor of the model")
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)

    def write(self, path: Path, data: bytes) -> None:
        """Make a file appear with all of ``data``, or not at all."""
        self._check_writable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            draft.write_bytes(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def write_array(self, path: Path, start: int, data: bytes) -> None:
        """Write into the numbers of an array's file that is there, from their byte ``start`` on."""
        self._check_writable(path)
        array = np.lib.format.open_memmap(path, mode="r+")
        array.reshape(-1).view(np.uint8)[start : start + len(data)] = np.frombuffer(data, np.uint8)
        array.flush()

    def _is_readable(self, path: Path) -> bool:
        """A worker is trusted with the job's files and no others."""
        return self._is_inside(path) or path.resolve() in self._model

    def _check_writable(self, path: Path) -> None:
        if not self._is_inside(path):
            raise PermissionError(f"{path} is not in {self._named()}")

    def _is_inside(self, path: Path) -> bool:
        resolved = path.resolve()
        return any(resolved.is_relative_to(folder) for folder in self._folders)

    def _named(self) -> str:
        return " or ".join(map(str, self._folders))
