"""``layerpress export`` of a service's job: a recipe's text, or a checkpoint that the service writes and sends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from exporters.formats import exporter
from service.api.export_views import ExportState
from service.choosing import Wanted, is_number
from service.client import Client
from service.commands.remote.answers import note, say
from service.commands.remote.checkpoint import fetch_checkpoint
from service.commands.remote.show import answer_of
from service.text_files import check_new, write_text
from spaces.errors import InputError, UnknownError
from spaces.quantities import show_size


def export_job_command(job_id: str, format_: str, out: Path | None, wanted: Wanted, *, as_json: bool) -> None:
    """Write a candidate of the service's, by default the job's answer; a recipe's ``out`` is a file.

    Raises:
        InputError: the format cannot say what the configuration says, or a checkpoint has no place to go.
        UnknownError: no such job or candidate.
        JobError: the service could not write it, or it arrived damaged.
    """
    kind = exporter(format_).info.kind
    if kind == "recipe":
        check_new(out)
    if kind == "checkpoint" and out is None:
        raise InputError(f"format {format_} is a folder of files; say where it goes with --out DIR")
    with Client() as client:
        seq = chosen(client, job_id, wanted)
        if kind == "recipe" or out is None:
            write_text(client.export(job_id, seq, format_), out)
        else:
            _show(fetch_checkpoint(client, job_id, seq, format_, out), out, wanted.max_size_bytes, as_json=as_json)


def _show(state: ExportState, out: Path, max_bytes: int | None, *, as_json: bool) -> None:
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    facts = json.loads((out / "compression.json").read_text("utf-8"))
    if max_bytes is not None and facts["size"]["file_bytes"] > max_bytes:
        note(
            f"{state.format} takes {show_size(facts['size']['file_bytes'])}, more than --max-size "
            f"{show_size(max_bytes)}, within which the candidate is by its packed size"
        )
    if as_json:
        content = {"folder": str(out), "format": state.format, **facts["size"], "files": files}
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return
    size = sum((out / name).stat().st_size for name in files)
    say(f"wrote {out} ({state.format}, {len(files)} files, {show_size(size)}); every SHA-256 sum agrees")


def chosen(client: Client, job_id: str, wanted: Wanted) -> int:
    """The number of the candidate asked for."""
    if wanted.pick is not None and is_number(wanted.pick):
        return int(wanted.pick)
    if wanted.pick is not None:
        start = wanted.pick.lower()
        found = {
            each.configuration_id: each.seq
            for each in client.candidates(job_id)
            if each.configuration_id.startswith(start)
        }
        if len(found) != 1:
            raise UnknownError(f"--pick {wanted.pick} is the beginning of {len(found)} ids of job {job_id}, not of one")
        return next(iter(found.values()))
    if not wanted.has_limits:
        return answer_of(client, job_id).seq
    if wanted.max_kl is not None and client.front(job_id).objective != "kl":
        raise InputError(f"job {job_id} measured perplexity, not KL; choose with --pick or --max-size")
    return client.select(job_id, max_size=wanted.max_size_bytes, max_loss=wanted.max_kl).candidate.seq
