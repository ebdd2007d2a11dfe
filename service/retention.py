"""Which files of the home folder nobody used for long: entries of the bank, dense logits, and written exports.

No job says which files it reads, so the time of last use decides: file systems note it, if only once a day. Whatever
goes is made anew when a job needs it.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import InputError

UNITS_S = {"h": 3600.0, "d": 86_400.0, "w": 604_800.0}
LEAST_S = UNITS_S["d"]  # what relatime, the usual way of file systems to note reading, can tell apart
BANK_ENTRIES = "bank/*/*/*.safetensors"
DENSE_FOLDERS = "dense/*"
EXPORT_FOLDERS = "exports/*"


@dataclass(frozen=True, kw_only=True)
class PrunedFiles:
    """What ``prune_files`` removed, or would remove."""

    bank_entries: int
    dense_logits: int
    exports: int
    bytes: int


def read_age(text: str) -> float:
    """Seconds of an age such as ``12h``, ``30d`` or ``2w``.

    Raises:
        InputError: it is none.
    """
    form = re.fullmatch(r"(?P<number>\d{1,6}) ?(?P<unit>[hdw])", text.strip())
    if form is None:
        raise InputError(f"an age must be a number of hours, days or weeks, got {text!r}; write 12h, 30d or 2w")
    return int(form["number"]) * UNITS_S[form["unit"]]


def prune_files(home: Path, *, older_than_s: float, dry_run: bool) -> PrunedFiles:
    """Remove the bank entries, dense logits and exports under ``home`` that nobody used for so long.

    Raises:
        InputError: the age is less than a day, or a file cannot be removed.
    """
    if older_than_s < LEAST_S:
        raise InputError(
            f"files must have been unused for a day at least, got {older_than_s / UNITS_S['h']:g} hours: file systems "
            f"note their use no oftener; take an age of 1d or more"
        )
    before_s = time.time() - older_than_s
    entries = [path for path in sorted(home.glob(BANK_ENTRIES)) if _last_use_s(path) < before_s]
    dense, exports = (
        [path for path in sorted(home.glob(folders)) if _last_use_s(path) < before_s]
        for folders in (DENSE_FOLDERS, EXPORT_FOLDERS)
    )
    num_bytes = sum(path.stat().st_size for place in (*entries, *dense, *exports) for path in _files(place))
    if not dry_run:
        try:
            _remove(entries, [*dense, *exports])
        except OSError as error:
            raise InputError(f"cannot remove {error.filename}: {error.strerror}; run as the owner of it") from error
    return PrunedFiles(bank_entries=len(entries), dense_logits=len(dense), exports=len(exports), bytes=num_bytes)


def _remove(entries: list[Path], folders: list[Path]) -> None:
    for entry in entries:
        entry.unlink(missing_ok=True)
    for layer in {entry.parent for entry in entries}:
        if not any(layer.iterdir()):
            layer.rmdir()
    for folder in folders:
        doomed = folder.rename(folder.with_name(f".{folder.name}.{secrets.token_hex(4)}"))  # gone at once, and whole
        shutil.rmtree(doomed)


def _files(place: Path) -> Iterator[Path]:
    yield from [place] if place.is_file() else (path for path in place.rglob("*") if path.is_file())


def _last_use_s(place: Path) -> float:
    """When the file, or the last one of a folder, was read or written; a folder without any counts as in use."""
    return max((max(path.stat().st_atime, path.stat().st_mtime) for path in _files(place)), default=float("inf"))
