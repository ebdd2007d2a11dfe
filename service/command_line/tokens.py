"""``layerpress token``: who may ask a service."""

from __future__ import annotations

from typing import Annotated

import typer

from service.command_line.arguments import ADMINISTRATION, Output, OutputAs

commands = typer.Typer()
token = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Make, list and revoke the tokens that let people and programs in.",
    epilog="The first one, on the service's own machine: `layerpress token create ann --scope admin --store URL`",
)
commands.add_typer(token, name="token", rich_help_panel=ADMINISTRATION)

Database = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Work on this database instead of asking a service."),
]


@token.command(epilog="Example: `layerpress token create ann --scope submit --expires 90d`")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom it is for; jobs are theirs under this name.")],
    scope: Annotated[str, typer.Option(help="read; submit: jobs of their own too; admin: everything.")] = "submit",
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="After 12h, 90d, ... Default: never.")] = None,
    store: Database = None,
    output: OutputAs = Output.text,
) -> None:
    """Make a token and print its secret, this once: only a hash of it is kept."""
    from service.commands.remote.tokens import create_command

    create_command(name, scope, expires, store, as_json=output is Output.json)


@token.command("list", epilog="Example: `layerpress token list --output json`")
def list_(store: Database = None, output: OutputAs = Output.text) -> None:
    """List the tokens, without their secrets."""
    from service.commands.remote.tokens import list_command

    list_command(store, as_json=output is Output.json)


@token.command(epilog="Example: `layerpress token revoke 3f9c2a7d`")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it, not the secret.")],
    store: Database = None,
    output: OutputAs = Output.text,
) -> None:
    """End a token at once."""
    from service.commands.remote.tokens import revoke_command

    revoke_command(token_id, store, as_json=output is Output.json)
