"""Reads a job file: YAML, with single values replaced from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from search.spec import JobSpec, read_spec
from spaces.errors import InputError


def read_job(path: Path, changes: list[str]) -> JobSpec:
    """The job in ``path`` after ``--set key.path=value`` for each of ``changes``; values read as YAML.

    Raises:
        InputError: no such file, not YAML, a path that leads nowhere, or a job that does not read.
    """
    if not path.is_file():
        raise InputError(f"no job file {str(path)!r}; see examples/jobs for one to start from")
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    for change in changes:
        raw = _changed(raw, change)
    return read_spec(raw, str(path))


def _changed(raw: Any, change: str) -> Any:
    path, equals, text = change.partition("=")
    if not equals or not path:
        raise InputError(f"--set takes key.path=value, got {change!r}; write, say, --set strategy.generations=20")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"--set {path}: the value is not YAML: {text!r}") from error
    return _put(raw, path.split("."), value, path)


def _put(node: Any, steps: list[str], value: Any, path: str) -> Any:
    """A copy of ``node`` with ``value`` at the end of ``steps``; mappings on the way are made where missing."""
    if not steps:
        return value
    first, rest = steps[0], steps[1:]
    if isinstance(node, list):
        if not first.isdigit() or int(first) >= len(node):
            raise InputError(f"--set {path}: {first!r} is no place in a list of {len(node)}; count from 0")
        return [_put(item, rest, value, path) if number == int(first) else item for number, item in enumerate(node)]
    if node is None or isinstance(node, dict):
        known = dict(node or {})
        known[first] = _put(known.get(first), rest, value, path)
        return known
    if rest or first:
        raise InputError(f"--set {path}: {node!r} is a single value and has no {first!r}; set it as a whole")
    return value
