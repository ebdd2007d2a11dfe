"""Imports point only downwards, in every file and inside functions too; optional heavy rooms stay where they belong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "spaces": set(),
    "compressors": {"spaces"},
    "evaluators": {"compressors", "spaces"},
    "store": {"spaces"},
    "search": {"store", "evaluators", "compressors", "spaces"},
    "exporters": {"evaluators", "compressors", "spaces"},
    "service": {"exporters", "search", "store", "evaluators", "compressors", "spaces"},
    "dashboards": set(),
    "benchmarks": {"service", "exporters", "search", "store", "evaluators", "compressors", "spaces"},
}
NUMERICS = ("spaces", "compressors", "evaluators")
FILES = [path for room in MAY_IMPORT for path in sorted((ROOT / room).rglob("*.py"))]


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """(top-level package, line) of every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield str(node.module).split(".")[0], node.lineno


def test_there_are_files_in_every_room() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    wrong = [
        f"line {line}: {package}"
        for package, line in imported(path)
        if package in MAY_IMPORT and package != room and package not in MAY_IMPORT[room]
    ]
    assert not wrong, f"{room} may import {sorted(MAY_IMPORT[room])}: {wrong}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_stay_in_their_rooms(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    packages = {package for package, _ in imported(path)}
    if parts[0] != "store":
        assert not packages & {"sqlalchemy", "alembic"}
    if parts[0] in NUMERICS:
        assert not packages & {"ray", "pydantic", "optuna", "typer", "rich"}
    is_engine = parts[:2] == ("search", "engine") or parts == ("service", "commands", "doctor.py")
    if not is_engine and parts[0] != "benchmarks":
        assert "ray" not in packages


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_begins_with_a_sentence(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert docstring, f"{path} has no docstring"
    assert docstring.split("\n")[0].endswith((".", "?", ":")), docstring
