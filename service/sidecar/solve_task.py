"""The service's ``:solve`` as a task: from plain JSON to plain JSON, with what it opened kept for the next one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from search.engine.plan import Plan, make_plan
from search.spec import JobSpec, read_spec
from service.commands.planning import silence_libraries
from service.intake.roots import check_paths
from service.solving import Wanted, check_same, pose, solve_stored
from store.store import Store

Stamp = tuple[str, int, int]  # path, bytes, time of the last change in ns


def solve_task(content: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration from the stored scores of a job.

    ``content`` holds what ``planned_job`` reads, and what is ``wanted``, by the fields of ``Wanted``.

    Raises:
        InputError: the budget cannot be met, the scores are not stored, model or text have changed or lie elsewhere.
    """
    wanted = Wanted(**content["wanted"])
    store, plan, where = planned_job(content)
    solved = solve_stored(plan, pose(plan, wanted, where), store)
    predicted = solved.predicted if isfinite(solved.predicted) else None
    return {**solved.content, "predicted": predicted, "unit": solved.unit}


def planned_job(content: Mapping[str, Any]) -> tuple[Store, Plan, str]:
    """The store, the plan of a job in it, and what messages call it.

    ``content`` holds ``store_url``, ``home``, ``roots``, ``allow_hub`` and ``job_id``.

    Raises:
        InputError: model or text have changed since the job finished, or lie elsewhere.
    """
    silence_libraries()
    store = _opened(content["store_url"])
    job = store.job(content["job_id"])
    where = f"job {job.id}"
    roots = [Path(root) for root in content["roots"]]
    spec = check_paths(read_spec(job.spec, where), roots, allow_hub=content["allow_hub"])
    plan = _planned(spec.model_dump_json(), Path(content["home"]), tuple(_stamps(spec)))
    if job.report is not None:
        check_same(plan, dict(job.report)["hashes"], where)  # type: ignore[arg-type]
    return store, plan, where


@lru_cache(maxsize=4)
def _opened(url: str) -> Store:
    return Store.open(url, upgrade=False)


@lru_cache(maxsize=2)
def _planned(spec: str, home: Path, stamps: tuple[Stamp, ...]) -> Plan:
    """The plan, made anew where a file changed: hashing the weights of a large model takes a while."""
    return make_plan(read_spec(json.loads(spec)), home)


def _stamps(spec: JobSpec) -> Iterator[Stamp]:
    """Every file that the job reads from this machine, with its size and the time of its last change."""
    for source in (spec.model, spec.calibration.source, spec.validation.source):
        path = Path(source).expanduser()
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                status = file.stat()
                yield str(file), status.st_size, status.st_mtime_ns
