"""``layerpress submit``: a job file becomes a job of the service."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.api.views import JobDetail, Preview
from service.client import Client
from service.commands.remote.answers import note, say, say_json, show_table, table
from service.commands.remote.states import state_text
from service.commands.remote.watch import follow
from service.intake.jobfile import read_raw
from spaces.errors import InputError
from spaces.quantities import show_size


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A job file and what is said beside it."""

    file: Path
    changes: list[str]
    name: str | None
    note: str | None
    priority: int


def submit_command(asked: Submission, *, dry_run: bool, watch: bool, as_json: bool, quiet: bool) -> int:
    """Submit, say the id, and watch if asked to; returns the exit code.

    Raises:
        InputError, TokenError, UnreachableError: the file does not read, or what the service says.
    """
    spec = _content(asked)
    with Client() as client:
        if dry_run:
            _show_preview(client.dry_run(spec), as_json=as_json)
            return 0
        job = client.submit(
            spec, name=asked.name or spec.get("name") or asked.file.stem, note=asked.note, priority=asked.priority
        )
        if not watch:
            _show_submitted(job, as_json=as_json)
            return 0
        note(f"submitted as {job.id}")
        return follow(client, job.id, as_json=as_json, quiet=quiet)


def _content(asked: Submission) -> dict[str, Any]:
    """What the file says, after the changes. What it means is the service's to judge: its models and versions count.

    Raises:
        InputError: it does not read, or says what JSON cannot.
    """
    raw = read_raw(asked.file, asked.changes)
    if not isinstance(raw, dict):
        raise InputError(f"{asked.file} must be a mapping of keys such as model, calibration and budget, got {raw!r}")
    try:
        json.dumps(raw, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{asked.file} holds what JSON cannot say ({error}); write dates as text in quotes") from error
    return raw


def _show_submitted(job: JobDetail, *, as_json: bool) -> None:
    if as_json:
        say_json(job)
        return
    say(job.id)
    note(state_text(job))
    note(f"`layerpress watch {job.id}` shows how it goes")


def _show_preview(preview: Preview, *, as_json: bool) -> None:
    if as_json:
        say_json(preview)
        return
    say(
        f"{preview.num_layers} layers ({preview.num_units} decisions), {preview.num_options} options; "
        f"dense {show_size(preview.dense_size_bytes)}, "
        f"{show_size(preview.smallest.size_bytes)} to {show_size(preview.largest.size_bytes)} compressed"
    )
    ranges = table("budget", "smallest", "largest", right=("smallest", "largest"))
    for name, each in preview.feasible.items():
        ranges.add_row(name, each.smallest, each.largest)
    show_table(ranges)
    say(
        f"about {preview.planned_tokens / 1e6:.1f} M tokens to read, {show_size(preview.bank_bytes)} of compressed "
        f"weights and {show_size(preview.dense_logits_bytes)} of dense logits on disk"
    )
