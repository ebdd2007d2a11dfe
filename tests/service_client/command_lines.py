"""Finds the layerpress commands that a text names, and checks that the command line would take them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer

from service.cli import app

# commands begin a line, or stand in backticks or after a sign of the shell
IN_TEXT = re.compile(
    r"(?:^|`|\$ |&& |; |exec |run --rm admin )(layerpress [^`\n]+|(?<=run --rm admin )[^`\n]+)", re.MULTILINE
)
VARIABLE = re.compile(r"^(?:\s*[A-Z_]+=\S+ )+(?=layerpress)", re.MULTILINE)


def commands_in(text: str) -> Iterator[list[str]]:
    """The arguments of each ``layerpress ...`` in a text, continued lines joined, comments left aside."""
    joined = VARIABLE.sub("", text.replace("\\\n", " "))
    for found in IN_TEXT.findall(joined):
        words = shlex.split(found, comments=True)
        until = next((number for number, word in enumerate(words) if word in ("&&", ";", "|", "&", ">")), len(words))
        yield [word for word in words[:until] if word != "layerpress"]


def leaves(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command with its whole name."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def check_arguments(arguments: list[str]) -> None:
    """Fails with the parser's own error where a command or an option does not exist."""
    command: Any = typer.main.get_command(app)
    context: Any = None
    rest = list(arguments)
    while hasattr(command, "commands"):
        if rest in ([], ["--help"]):
            return  # a sentence about a whole group
        assert rest[0] in command.commands, f"{rest[0]!r} of {arguments} is none of {sorted(command.commands)}"
        command = command.commands[rest.pop(0)]
    context = command.make_context(command.name, rest)
    context.close()
