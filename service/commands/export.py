"""``layerpress export``: a candidate of a run, or of a job, in files that other tools load."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from exporters.export import Exported
from exporters.formats import EXPORTERS, export_text, formats
from service.choosing import Wanted, choose
from service.client.address import URL_VARIABLE
from service.commands.exchange import read_text
from service.commands.planning import silence_libraries
from service.commands.remote.answers import say, show_table, table
from service.exported import OnTensor, export_found, recipe_text
from service.found import Found, found_in_folder, found_in_store
from service.home import home_folder, store_url
from service.text_files import check_new, write_text
from service.watching import watching
from spaces.configuration import Configuration
from spaces.errors import InputError, UnknownError
from spaces.quantities import show_size
from spaces.tables import check_name
from store.store import Store


def list_command(*, as_json: bool) -> None:
    """Show every format: what it is, what loads it, its limits, and how it was checked."""
    known = formats()
    if as_json:
        sys.stdout.write(json.dumps({"items": [asdict(info) for info in known]}, indent=2) + "\n")
        return
    made = table("format", "kind", "what it is", "loads in", whole=("format", "kind"))
    for info in known:
        made.add_row(info.name, info.kind, info.summary, ", ".join(info.loads_in))
    show_table(made)
    for info in known:
        say()
        say(info.name, style="bold")
        for limit in info.limits:
            say(f"  {limit}")
        say(f"  Checked: {info.checked}.")


def export_command(
    source: str,
    format_: str,
    out: Path | None,
    wanted: Wanted,
    store_asked: str | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a candidate of a run's folder or of a job; a recipe without ``out`` is printed.

    Raises:
        UnknownError: there is no such job or candidate.
        InputError, JobError: as `service.exported.export_found`.
    """
    check_name(format_, EXPORTERS, "export format")
    path = Path(source)
    if path.is_file():
        _export_file(path, format_, out, wanted, as_json=as_json)
        return
    silence_libraries()
    if not path.is_dir() and os.environ.get(URL_VARIABLE):
        from service.commands.remote.export import export_job_command

        export_job_command(source, format_, out, wanted, as_json=as_json)
        return
    home = home_folder()
    found = found_in_folder(path) if path.is_dir() else _found_here(source, wanted, store_url(store_asked, home))
    row = choose(found.rows, wanted, found.answers)
    if out is None:
        sys.stdout.write(recipe_text(found, row, format_))
        return
    with watching(quiet=quiet) as watch, _bar(quiet=quiet) as on_tensor:
        exported = export_found(found, row, format_, out, home, watch, on_tensor, max_bytes=wanted.max_size_bytes)
    show_exported(exported, as_json=as_json)


def _found_here(job_id: str, wanted: Wanted, address: str) -> Found:
    """What a job of this machine's store has found."""
    try:
        with Store.open(address) as store:
            found = found_in_store(store, job_id, wanted.pick)
            row = choose(found.rows, wanted, found.answers)
            configuration = found.read(row)  # as long as the store is open
    except UnknownError as error:
        raise UnknownError(
            f"{error}; a run is named by its folder, and a job of a service needs {URL_VARIABLE}"
        ) from error
    return Found(
        place=found.place,
        spec=found.spec,
        report=found.report,
        rows=found.rows,
        read=lambda _row: configuration,
        picture=found.picture,
    )


def _export_file(path: Path, format_: str, out: Path | None, wanted: Wanted, *, as_json: bool) -> None:
    """A configuration alone, of which no model is known; ``out`` is a file."""
    asked = {
        "--pick": wanted.pick,
        "--max-size": wanted.max_size_bytes,
        "--max-kl": wanted.max_kl,
        "--output json": as_json or None,
    }
    given = ", ".join(name for name, value in asked.items() if value is not None)
    if given:
        raise InputError(f"{path} is one configuration, of which nothing was measured; leave {given} out")
    check_new(out)
    write_text(export_text(Configuration.parse(read_text(path)), format_), out)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[OnTensor]:
    """Shows how many tensors are written, on a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda done, total: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("write tensors", total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


def show_exported(exported: Exported, *, as_json: bool) -> None:
    """Where it is, how large it became beside what was predicted, and what drops saved."""
    if as_json:
        content = asdict(exported) | {"folder": str(exported.folder), "deviation": exported.deviation}
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return
    say(f"wrote {exported.folder} ({exported.format}, {len(exported.files)} files)")
    if exported.deviation is not None:
        close = "within" if exported.is_as_predicted else "NOT within"
        say(
            f"weights  {show_size(exported.file_bytes)} on disk, {exported.deviation:+.2%} against the "
            f"{show_size(exported.predicted_bytes)} predicted: {close} 1 %"
        )
        if not exported.is_as_predicted:
            say("         (headers of a very small model's many tensors can take that much)")
    for sentence in exported.savings:
        say(f"dropped  {sentence}")
