"""``layerpress db``: the tables brought up to date, the database looked over, copied and cleared out."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from service.retention import PrunedFiles, prune_files, read_age
from spaces.budget import show_size
from store.records import Pruned
from store.store import Store


def upgrade_command(store_url: str, *, as_json: bool = False) -> None:
    """Bring the tables to this installation's revision.

    Raises:
        InputError: the address is wrong, or holds no store that is known here.
        UnreachableError: the database does not answer.
    """
    with Store.open(store_url) as store:
        url, before, after = store.url, store.revision_before, store.schema_revision()
    if as_json:
        _write({"url": url, "before": before, "after": after})
    elif before == after:
        _show(f"[green]✓[/] {url} is at revision {after} already")
    else:
        _show(f"[green]✓[/] {url} is at revision {after}, from {before or 'nothing'}")


def check_command(store_url: str, *, as_json: bool = False) -> bool:
    """Look the database over, changing nothing, and say what was found; True where it can be worked with.

    Raises:
        InputError, UnreachableError: as ``upgrade_command``.
    """
    with Store.open(store_url, upgrade=False) as store:
        url, revision, damage, warnings = store.url, store.schema_revision(), store.damage(), store.warnings()
    if as_json:
        _write({"url": url, "revision": revision, "problems": damage, "warnings": warnings})
        return not damage
    for problem in damage:
        _show(f"[red]✗[/] {problem}")
    for warning in warnings:
        _show(f"[yellow]![/] {warning}")
    if not damage:
        _show(f"[green]✓[/] {url} is sound, at revision {revision}")
    return not damage


def backup_command(store_url: str, target: Path, *, as_json: bool = False) -> None:
    """Copy a SQLite store into a new file, while jobs go on.

    Raises:
        InputError: there is such a file, it cannot be written, or the store is no SQLite file.
    """
    with Store.open(store_url, upgrade=False) as store:
        store.backup(target)
    num_bytes = target.stat().st_size
    if as_json:
        _write({"target": str(target), "bytes": num_bytes})
    else:
        _show(f"[green]✓[/] {target}, {show_size(num_bytes)}: open it with --store sqlite:///{target.absolute()}")


def prune_command(
    store_url: str, home: Path | None, *, older_than: str = "30d", dry_run: bool, as_json: bool = False
) -> None:
    """Remove what nobody needs: results that no kept job asked for, and files under ``home`` unused for so long.

    Without a ``home``, no files. What a job asked for is known of jobs of this version on.

    Raises:
        InputError: the age does not read, or is too short for files; the store is none that is known here.
    """
    older_than_s = read_age(older_than)
    files = PrunedFiles(bank_entries=0, dense_logits=0, exports=0, bytes=0)
    with Store.open(store_url, upgrade=False) as store:
        if home is not None:
            files = prune_files(home, older_than_s=older_than_s, dry_run=dry_run)
        pruned = store.prune(older_than_s=older_than_s, dry_run=dry_run)
    if as_json:
        _write({"dry_run": dry_run, "store": asdict(pruned), "files": asdict(files)})
    else:
        _show_pruned(pruned, files, dry_run=dry_run)


def _show_pruned(pruned: Pruned, files: PrunedFiles, *, dry_run: bool) -> None:
    verb = "would remove" if dry_run else "removed"
    _show(
        f"{verb} {pruned.evaluations:,} evaluations and {pruned.samples:,} samples that no kept job asked for "
        f"({show_size(pruned.bytes)}), {files.bank_entries:,} bank entries, {files.dense_logits:,} dense logits "
        f"and {files.exports:,} exports that were not used ({show_size(files.bytes)})"
    )
    if dry_run:
        _show("[dim]a dry run: nothing was removed[/]")
    elif pruned.bytes:
        _show("[dim]the database keeps the room for what comes next; its file does not shrink[/]")


def _show(line: str) -> None:
    Console(highlight=False).print(line, soft_wrap=True)


def _write(content: object) -> None:
    sys.stdout.write(json.dumps(content, indent=2) + "\n")
