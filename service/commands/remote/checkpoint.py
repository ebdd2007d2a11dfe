"""A checkpoint that a service writes: asked for, waited for, fetched whole, and unpacked where it was asked for."""

from __future__ import annotations

import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from exporters.draft_folder import check_free, draft_of
from exporters.sums import SUMS_FILE, differing
from service.api.export_views import ExportState
from service.client import Client
from service.commands.remote.answers import note
from spaces.errors import JobError, UnreachableError

LOOK_EVERY_S = 1.0
PLACE = ".arriving"  # in the folder that is being made


def fetch_checkpoint(
    client: Client, job_id: str, seq: int, format_: str, out: Path, sleep: Callable[[float], None] = time.sleep
) -> ExportState:
    """Let the service write the candidate, and put it into the new folder ``out``, whole or not at all.

    Raises:
        InputError, ConflictError: ``out`` is in use, or the format cannot hold the candidate.
        JobError: writing it failed, there or here.
        UnreachableError: what came is damaged.
    """
    check_free(out)
    state = _waited(client, job_id, seq, format_, sleep)
    with draft_of(out) as draft:
        place = draft / PLACE
        place.mkdir()
        folder = _unpacked(client.download_export(job_id, seq, format_, place / "archive.tar"), state.name)
        for path in sorted(folder.iterdir()):
            path.rename(draft / path.name)
        shutil.rmtree(place)
    return state


def _unpacked(archive: Path, name: str) -> Path:
    """The folder ``name`` of an archive, beside it, every file of it as its sum says.

    Raises:
        UnreachableError: what came is damaged, or something else.
    """
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(archive.parent, filter="data")
    except tarfile.TarError as error:
        raise UnreachableError(f"{name} arrived damaged ({error}); fetch it again") from error
    folder = archive.parent / Path(name).name
    if not (folder / SUMS_FILE).is_file():
        raise UnreachableError(f"what arrived has no file {name}/{SUMS_FILE}; fetch it again")
    damaged = differing(folder)
    if damaged:
        raise UnreachableError(
            f"{damaged[0]} arrived damaged: its SHA-256 is not the one in {SUMS_FILE}; fetch it again"
        )
    return folder


def _waited(client: Client, job_id: str, seq: int, format_: str, sleep: Callable[[float], None]) -> ExportState:
    state, told = client.begin_export(job_id, seq, format_), ""
    while state.state in ("queued", "writing"):
        words = state.phase or "waits for another export"
        if words != told:
            note(words)
            told = words
        sleep(LOOK_EVERY_S)
        state = client.export_state(job_id, seq, format_)
    if state.state == "failed":
        raise JobError(f"the service could not write it: {state.error}")
    return state
