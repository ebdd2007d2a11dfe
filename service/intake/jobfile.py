"""Reads a job file: YAML, with single values replaced from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from spaces.errors import InputError

if TYPE_CHECKING:
    from search.spec import JobSpec


def read_job(path: Path, changes: list[str]) -> JobSpec:
    """The job in ``path`` after ``--set key.path=value`` for each of ``changes``; values read as YAML.

    Raises:
        InputError: see ``read_raw``, or the job does not read.
    """
    from search.spec import read_spec  # torch behind it: who only sends a job on does without

    return read_spec(read_raw(path, changes), str(path))


def read_raw(path: Path, changes: list[str]) -> Any:
    """What stands in ``path`` after the changes, whatever it means.

    Raises:
        InputError: no such file, not YAML, or a path that leads nowhere.
    """
    if not path.is_file():
        raise InputError(f"no job file {str(path)!r}; see examples/jobs for one to start from")
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # of a day that no calendar has, and of bytes that are no text
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    for change in changes:
        key, value = parse_change(change)
        raw = put(raw, key.split("."), value, f"--set {key}")
    return raw


def parse_change(change: str) -> tuple[str, Any]:
    """``key.path=value`` as the path and the value.

    Raises:
        InputError: there is no path, or the value is not YAML.
    """
    path, equals, text = change.partition("=")
    if not equals or not path:
        raise InputError(f"--set takes key.path=value, got {change!r}; write, say, --set strategy.generations=20")
    try:
        return path, yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # of a day that no calendar has
        raise InputError(f"--set {path}: the value is not YAML: {text!r}") from error


def put(node: Any, steps: list[str], value: Any, where: str) -> Any:
    """A copy of ``node`` with ``value`` at the end of ``steps``; mappings on the way are made where missing.

    Raises:
        InputError: the steps lead nowhere; the message begins with ``where``.
    """
    if not steps:
        return value
    first, rest = steps[0], steps[1:]
    if isinstance(node, list):
        if not first.isdecimal() or int(first) >= len(node):
            raise InputError(f"{where}: {first!r} is no place in a list of {len(node)}; count from 0")
        return [put(item, rest, value, where) if number == int(first) else item for number, item in enumerate(node)]
    if node is None or isinstance(node, dict):
        known = dict(node or {})
        known[first] = put(known.get(first), rest, value, where)
        return known
    if rest or first:
        raise InputError(f"{where}: {node!r} is a single value and has no {first!r}; set it as a whole")
    return value
