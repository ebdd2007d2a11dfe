"""Where Layerpress keeps what it makes: banks, dense logits and, unless told otherwise, the store."""

from __future__ import annotations

import os
from pathlib import Path

from spaces.errors import InputError

HOME_VARIABLE = "LAYERPRESS_HOME"


def home_folder() -> Path:
    """``$LAYERPRESS_HOME``, or ``~/.layerpress``; made when missing.

    Raises:
        InputError: it cannot be made or written.
    """
    folder = Path(os.environ.get(HOME_VARIABLE) or "~/.layerpress").expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {folder} for banks and results ({error.strerror}); set {HOME_VARIABLE} to another"
        ) from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"the folder {folder} cannot be written; set {HOME_VARIABLE} to another")
    return folder


def store_url(asked: str | None, home: Path) -> str:
    """The database asked for, or the SQLite file in the home folder."""
    return asked or f"sqlite:///{home / 'store.db'}"
