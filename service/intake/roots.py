"""Which files a job may read: those within the service's roots, whatever links and dots say."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from evaluators.tasks import is_file
from evaluators.text import PATH_SUFFIXES
from search.spec import JobSpec, TaskModel, TextModel
from service.intake.fields import at
from spaces.errors import InputError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)


def check_paths(spec: JobSpec, roots: Sequence[Path], *, allow_hub: bool) -> JobSpec:
    """The job with its model and texts as absolute paths, links resolved; hub ids stay as they are.

    Called when a job is submitted, and again right before its files are read: links may change in between.

    Raises:
        FieldError: a path outside the roots, one that is not there, or a hub id where none is allowed.
    """
    with at("model"):
        model = _resolved("model", spec.model, roots, allow_hub and spec.model.count("/") == 1)
    texts = {}
    for key, text in (("calibration", spec.calibration), ("validation", spec.validation)):
        with at(key, "source"):
            texts[key] = _resolved(f"{key}.source", text.source, roots, allow_hub)
    read = {key: _at(getattr(spec, key), source) for key, source in texts.items()}
    return spec.model_copy(update={"model": model, **read, "tasks": _checked_tasks(spec, roots, allow_hub)})


def _checked_tasks(spec: JobSpec, roots: Sequence[Path], allow_hub: bool) -> list[TaskModel]:
    """Files as absolute paths, under the names that they had; a task of lm-eval reads its documents from the hub."""
    tasks = []
    for number, task in enumerate(spec.tasks):
        with at("tasks", number, "source"):
            what = f"tasks.{number}.source"
            if is_file(task.source):
                source = _resolved(what, task.source, roots, may_be_hub=False)
            elif allow_hub:
                source = task.source
            else:
                raise InputError(
                    f"{what} {task.source!r} is a task of lm-eval, which reads the hub: not allowed here "
                    f"(--allow-hub); give a file of JSON lines"
                )
        tasks.append(task.model_copy(update={"source": source, "name": task.called}))
    return tasks


def _at(text: TextModel, source: str) -> TextModel:
    return text.model_copy(update={"source": source})


def _resolved(what: str, written: str, roots: Sequence[Path], may_be_hub: bool) -> str:
    if not written.strip() or "\0" in written:
        raise InputError(f"{what} must name a folder or file, got {written!r}")
    resolved_roots = [root.resolve() for root in roots]
    try:
        asked = Path(written).expanduser()
        path = (resolved_roots[0] / asked).resolve()
        if may_be_hub and _is_hub_id(written) and not path.exists() and _is_within(path, resolved_roots):
            if not asked.exists():
                return written
            path = asked.resolve()  # what libraries would read in place of the hub
        _check_within(what, written, path, resolved_roots)
        _check_there(what, written, path, resolved_roots)
    except (OSError, RuntimeError) as error:  # a name too long; links in a circle; the home of nobody
        raise InputError(f"{what} cannot be read as a path, got {written[:200]!r}: {error}") from error
    return str(path)


def _is_hub_id(written: str) -> bool:
    return HUB_ID.fullmatch(written) is not None and not written.endswith(PATH_SUFFIXES)


def _is_within(path: Path, roots: Sequence[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)


def _check_within(what: str, written: str, path: Path, roots: Sequence[Path]) -> None:
    if not _is_within(path, roots):
        raise InputError(
            f"{what} must lie within the service's folders ({', '.join(map(str, roots))}), got {written!r}; "
            f"put it there, or start the service with another --root"
        )


def _check_there(what: str, written: str, path: Path, roots: Sequence[Path]) -> None:
    if not path.exists():
        is_id = " hub ids are not allowed here (--allow-hub):" if _is_hub_id(written) else ""
        raise InputError(f"{what} {written!r}:{is_id} there is no {path}; relative paths start at {roots[0]}")
    if not path.is_dir():
        return
    for folder, names, files in os.walk(path):
        for name in (*names, *files):
            inside = Path(folder) / name
            if inside.is_symlink():
                _check_within(what, str(inside), inside.resolve(), roots)
