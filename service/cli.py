"""The command line: every command in its panel, and one message and exit code for every foreseen error."""

from __future__ import annotations

import sys

import typer

from service import interruption
from service.command_line import administration, database, files, jobs, local, remote, tokens
from service.command_line.exits import EXITS, exit_code
from spaces.errors import LayerpressError

app = typer.Typer(
    name="layerpress",
    help="Finds the best layer-by-layer compression of a language model under a budget.",
    epilog=f"Exit codes: {EXITS}.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for group in (local, files, remote, jobs, administration, database, tokens):
    app.add_typer(group.commands)


def main() -> None:
    """Run a command; every foreseen error ends in one message and its exit code."""
    interruption.listen()
    try:
        app(standalone_mode=True)
    except (Exception, interruption.Interrupted) as error:
        if interruption.was_pressed():
            _say("[yellow]interrupted:[/] what was finished is kept; the same command goes on from there")
            sys.exit(interruption.EXIT_CODE)
        if not isinstance(error, LayerpressError):
            raise
        _say(f"[bold red]error:[/] {_escaped(str(error))}")
        sys.exit(exit_code(error))


def _say(text: str) -> None:
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(text)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    main()
