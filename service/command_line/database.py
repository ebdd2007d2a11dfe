"""``layerpress db``: the database of a service, or of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.command_line.arguments import ADMINISTRATION, Output, OutputAs, StoreUrl
from service.home import home_folder, store_url

commands = typer.Typer()
db = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Upgrade, check, back up or clear out the database.",
    epilog="Example: `layerpress db upgrade --store postgresql+psycopg://layerpress@db/layerpress`",
)
commands.add_typer(db, name="db", rich_help_panel=ADMINISTRATION)


@db.command(epilog="Example: `layerpress db upgrade --store postgresql+psycopg://layerpress@db/layerpress`")
def upgrade(store: StoreUrl = None, output: OutputAs = Output.text) -> None:
    """Bring the tables to this version's; make them where there are none. Stop the service first."""
    from service.commands.db import upgrade_command

    upgrade_command(store_url(store, home_folder()), as_json=output is Output.json)


@db.command(epilog="Example: `layerpress db check --output json`")
def check(store: StoreUrl = None, output: OutputAs = Output.text) -> None:
    """Look the database over, changing nothing; exit code 1 where it is damaged."""
    from service.commands.db import check_command

    if not check_command(store_url(store, home_folder()), as_json=output is Output.json):
        raise typer.Exit(1)


@db.command(epilog="Example: `layerpress db backup store-copy.db`")
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes; nothing may be there.")],
    store: StoreUrl = None,
    output: OutputAs = Output.text,
) -> None:
    """Copy a SQLite database while jobs go on; PostgreSQL has pg_dump for that."""
    from service.commands.db import backup_command

    backup_command(store_url(store, home_folder()), target, as_json=output is Output.json)


@db.command(epilog="Example: `layerpress db prune --older-than 90d --dry-run`")
def prune(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="Only what is older: 30d, 12h, ...")] = "30d",
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="Banks and dense logits in $LAYERPRESS_HOME as well.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    store: StoreUrl = None,
    output: OutputAs = Output.text,
) -> None:
    """Remove measurements that no kept job asked for, and files that were not used for so long."""
    from service.commands.db import prune_command

    home = home_folder()
    prune_command(
        store_url(store, home),
        home if files else None,
        older_than=older_than,
        dry_run=dry_run,
        as_json=output is Output.json,
    )
