"""The banks within a home folder: one for each model whose compressed weights are kept, and how much room it takes.

Looking needs no torch, so that the API's own process may.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from service.pictures.replacement import replace_file
from spaces.option import Banked

if TYPE_CHECKING:
    from compressors.bank import Bank

BANKS = "bank"  # within the home folder
SUFFIX = ".safetensors"
NAME_FILE = "model.json"  # says which model a bank is of: its folder's name is a hash
LARGEST_NAME_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class BankFolder:
    """The compressed weights of one model."""

    key: str  # the beginning of the hash of the model's weights
    model: str | None  # as the latest job named it; None where none has since banks are named
    num_entries: int
    size_bytes: int
    updated_at: datetime


def find_banks(home: Path) -> list[BankFolder]:
    """Every bank that has entries, by its model's name. It looks at every file: many take a while."""
    found = [bank for folder in _folders(home / BANKS) if (bank := _bank_in(folder)) is not None]
    return sorted(found, key=lambda bank: (bank.model or "", bank.key))


def name_bank(bank: Bank, model: str, entries: dict[str, tuple[Banked, ...]]) -> None:
    """Note in a bank's folder which model it is of, for people: a full disk is no fault."""
    for layer, options in entries.items():
        folder = bank.path(layer, options[0]).parents[1]
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(folder / NAME_FILE, json.dumps({"model": model}).encode())
        return


def _folders(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _bank_in(folder: Path) -> BankFolder | None:
    sizes, latest_s = [], 0.0
    for layer in _folders(folder):
        with suppress(OSError), os.scandir(layer) as files:  # one that is pruned meanwhile
            for file in files:
                if file.name.endswith(SUFFIX):
                    status = file.stat()
                    sizes.append(status.st_size)
                    latest_s = max(latest_s, status.st_mtime)
    if not sizes:
        return None
    return BankFolder(
        key=folder.name,
        model=_model_of(folder / NAME_FILE),
        num_entries=len(sizes),
        size_bytes=sum(sizes),
        updated_at=datetime.fromtimestamp(latest_s, UTC),
    )


def _model_of(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            content = json.loads(opened.read(LARGEST_NAME_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    model = content.get("model") if isinstance(content, dict) else None
    return model if isinstance(model, str) else None
