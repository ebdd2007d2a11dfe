"""A folder as a tar file that is made as it is sent: nothing is copied, and its length is known before."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

BLOCK = tarfile.BLOCKSIZE
CHUNK_BYTES = 1 << 20
FORMAT: Literal[1] = tarfile.GNU_FORMAT  # files of any size; every tar reads it


@dataclass(frozen=True, kw_only=True)
class TarStream:
    """The files of a folder, in a folder of the same name."""

    members: tuple[tuple[Path, bytes, int], ...]  # file, header, size

    @classmethod
    def of(cls, folder: Path) -> TarStream:
        """Look at a folder, whose files must not change from now on."""
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        return cls(members=tuple(_member(path, folder) for path in files))

    @property
    def num_bytes(self) -> int:
        """Of the whole tar."""
        return sum(len(header) + _padded(size) for _, header, size in self.members) + 2 * BLOCK

    def chunks(self) -> Iterator[bytes]:
        """The tar, piece by piece.

        Raises:
            OSError: a file is gone, or shorter than it was.
        """
        for path, header, size in self.members:
            yield header
            yield from _content(path, size)
            yield bytes(_padded(size) - size)
        yield bytes(2 * BLOCK)


def _member(path: Path, folder: Path) -> tuple[Path, bytes, int]:
    status = path.stat()
    info = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}")
    info.size, info.mtime = status.st_size, int(status.st_mtime)
    return path, info.tobuf(format=FORMAT), status.st_size


def _content(path: Path, size: int) -> Iterator[bytes]:
    left = size
    with path.open("rb") as file:
        while left:
            chunk = file.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise OSError(f"{path} became shorter while it was sent")
            left -= len(chunk)
            yield chunk


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
