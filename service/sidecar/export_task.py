"""What the API asks of the exporters, as tasks: which formats there are, a recipe's text, and a whole checkpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from exporters.formats import MODELLESS, exporter, formats
from search.engine.progress import Progress
from search.spec import read_spec
from service.choosing import Row, Wanted, choose
from service.commands.planning import silence_libraries
from service.exported import export_found, recipe_text
from service.found import Found, found_in_store
from service.intake.roots import check_paths
from service.pictures.replacement import replace_file
from spaces.errors import ConflictError, InputError, UnknownError
from spaces.skeleton import anatomy_of
from store.store import Store

TOLD_EVERY_S = 0.5
REASONS_SHOWN = 4

Tell = Callable[[str, int, int], None]  # the phase, and how much of it is done


def formats_task(_content: Mapping[str, object]) -> list[dict[str, Any]]:
    """Every format that ``exporters`` writes, as plain data."""
    return [asdict(info) for info in formats()]


def recipe_task(content: Mapping[str, Any]) -> str:
    """The text of a recipe's one file; ``content`` is what ``_asked`` reads, and the ``format``.

    Raises:
        ConflictError: the format cannot say what the candidate is, or its model has changed.
    """
    with _conflicts():
        found, row = _asked(content)
        is_modelless = content["format"] in MODELLESS
        return recipe_text(found if is_modelless else _within(found, content), row, content["format"])


def check_export_task(content: Mapping[str, Any]) -> dict[str, Any]:
    """The bytes of the tensors that a checkpoint will hold.

    Raises:
        ConflictError: the format is none of checkpoints, or cannot say what the candidate is.
    """
    with _conflicts():
        chosen = exporter(content["format"])
        if chosen.info.kind != "checkpoint":
            raise ConflictError(
                f"format {content['format']} is one file, which export?format={content['format']} answers at once"
            )
        found, row = _asked(content)
        anatomy, configuration = anatomy_of(str(_within(found, content).spec["model"])), found.read(row)
        reasons = chosen.refusals(anatomy, configuration)
        if reasons:
            more = f" (and {len(reasons) - REASONS_SHOWN} more of the kind)" if len(reasons) > REASONS_SHOWN else ""
            raise ConflictError(f"format {chosen.info.name}: {'; '.join(reasons[:REASONS_SHOWN])}{more}")
        return {"predicted_bytes": chosen.size_bytes(anatomy, configuration)}


def checkpoint_task(content: Mapping[str, Any]) -> dict[str, Any]:
    """Write a checkpoint into the new folder ``out``, telling the file ``progress`` how far it is.

    Raises:
        InputError, JobError: as `service.exported.export_found`.
    """
    tell = _telling(Path(content["progress"]))
    found, row = _asked(content)

    def watch(moment: Progress) -> None:
        tell(moment.label or moment.phase, moment.done, moment.total)

    exported = export_found(
        _within(found, content),
        row,
        content["format"],
        Path(content["out"]),
        Path(content["home"]),
        watch,
        lambda done, total: tell("tensors", done, total),
    )
    return {"file_bytes": exported.file_bytes, "savings": list(exported.savings)}


def _asked(content: Mapping[str, Any]) -> tuple[Found, Row]:
    """The candidate ``seq`` of the job ``job_id`` in the store at ``store_url``."""
    silence_libraries()
    found = found_in_store(_opened(content["store_url"]), content["job_id"], str(content["seq"]))
    return found, choose(found.rows, Wanted(pick=str(content["seq"])), found.answers)


@lru_cache(maxsize=4)
def _opened(url: str) -> Store:
    return Store.open(url, upgrade=False)


def _within(found: Found, content: Mapping[str, Any]) -> Found:
    """The same, its files within the service's ``roots``: links may have changed since the job was handed in."""
    roots = [Path(root) for root in content["roots"]]
    spec = check_paths(read_spec(dict(found.spec), found.place), roots, allow_hub=content["allow_hub"])
    return replace(found, spec=spec.model_dump(mode="json"))


def _telling(path: Path) -> Tell:
    """Writes each moment into the file, but not oftener than somebody would look."""
    told_s = float("-inf")

    def tell(phase: str, done: int, total: int) -> None:
        nonlocal told_s
        now = time.monotonic()
        if now - told_s >= TOLD_EVERY_S or done == total:
            told_s = now
            replace_file(path, json.dumps({"phase": phase, "done": done, "total": total}).encode())

    return tell


@contextmanager
def _conflicts() -> Iterator[None]:
    """What cannot be done is no fault of the words of whoever asks: the candidate, its model or the disk are so."""
    try:
        yield
    except UnknownError:
        raise
    except InputError as error:
        raise ConflictError(str(error)) from error
