"""SHA-256 sums of an export's files, as ``sha256sum -c`` reads them."""

from __future__ import annotations

import hashlib
from pathlib import Path

SUMS_FILE = "SHA256SUMS"
CHUNK_BYTES = 1 << 20


def write_sums(folder: Path) -> list[str]:
    """Write the sums of every file in ``folder``; gives the files' names, sorted."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    sums = "".join(f"{_sha256(folder / name)}  {name}\n" for name in files)
    (folder / SUMS_FILE).write_text(sums, encoding="utf-8")
    return files


def differing(folder: Path) -> list[str]:
    """The files that are not as their sums say, or not there."""
    lines = [line.partition("  ") for line in (folder / SUMS_FILE).read_text("utf-8").splitlines()]
    return [name for digest, _, name in lines if not (folder / name).is_file() or _sha256(folder / name) != digest]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
