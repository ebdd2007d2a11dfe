"""Writes an answer where it was asked for: to stdout, or whole into a file."""

from __future__ import annotations

import sys
from pathlib import Path

from service.pictures.replacement import replace_file
from spaces.errors import InputError, JobError


def check_new(out: Path | None) -> None:
    """Refuse a file that is there: an export replaces nothing.

    Raises:
        InputError: it is.
    """
    if out is not None and (out.exists() or out.is_symlink()):
        raise InputError(f"--out must be a new file, got {str(out)!r}; name another, or remove it first")


def write_text(text: str, out: Path | None) -> None:
    """Write ``text`` into ``out``, whole or not at all; None is stdout.

    Raises:
        JobError: it cannot be written there.
    """
    if out is None:
        sys.stdout.write(text)
        return
    try:
        replace_file(out, text.encode())
    except OSError as error:
        raise JobError(f"cannot write {str(out)!r}: {error.strerror}; name another --out") from error
