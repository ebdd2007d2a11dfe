"""Every command explains itself with an example that the command line takes, and costs nothing to ask for help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from command_lines import check_arguments, commands_in, leaves

from service.cli import app
from service.command_line.arguments import ADMINISTRATION, HERE, REMOTE

ROOT = Path(__file__).parents[2]
HEAVY = "{'torch', 'ray', 'transformers', 'sqlalchemy', 'numpy', 'httpx2', 'fastapi', 'uvicorn', 'yaml', 'search'}"
LEAVES = dict(leaves())
EXPECTED = {"run", "submit", "watch", "front", "show", "select", "serve", "jobs list", "token create", "db upgrade"}


def test_the_commands_are_there() -> None:
    assert set(LEAVES) >= EXPECTED


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_every_command_has_help_and_an_example_that_works(name: str) -> None:
    command = LEAVES[name]
    assert command.help
    assert command.epilog
    assert command.epilog.startswith("Example: ")
    examples = list(commands_in(command.epilog))
    assert examples
    for example in examples:
        assert " ".join(example).startswith(name)
        check_arguments(example)


def test_help_lists_the_commands_in_panels() -> None:
    group: Any = typer.main.get_command(app)
    panels = {name: command.rich_help_panel for name, command in group.commands.items()}
    assert set(panels.values()) == {HERE, REMOTE, ADMINISTRATION}
    assert {panels[name] for name in ("submit", "jobs", "watch")} == {REMOTE}
    assert {panels[name] for name in ("serve", "db", "token", "doctor")} == {ADMINISTRATION}


def test_help_and_parsing_import_nothing_heavy() -> None:
    help_ = "service.cli.app(['--help'], standalone_mode=False)"
    program = f"import sys, service.cli; {help_}; print({HEAVY} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout.splitlines()[-1] == "set()"


def test_commands_against_a_service_need_no_torch() -> None:
    names = sorted(path.stem for path in (ROOT / "service/commands/remote").glob("[a-z]*.py"))
    imports = ", ".join(f"service.commands.remote.{name}" for name in names)
    program = f"import sys, {imports}; print({{'torch', 'ray', 'sqlalchemy', 'fastapi'}} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout.strip() == "set()"


def test_a_command_or_an_option_that_does_not_exist_is_found() -> None:
    with pytest.raises(AssertionError, match="'submitt'"):
        check_arguments(["submitt", "a.yaml"])
    with pytest.raises(Exception, match="--prioritty"):
        check_arguments(["submit", "a.yaml", "--prioritty", "3"])
    assert list(
        commands_in("A=1 layerpress serve --host \\\n  0.0.0.0 && echo # layerpress x\nno layerpress here")
    ) == [["serve", "--host", "0.0.0.0"]]
