"""``layerpress doctor``: is this installation able to run a job?"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import psutil
from rich.console import Console

from service.home import home_folder, store_url
from spaces.budget import show_size
from spaces.errors import LayerpressError
from store.store import Store

Verdict = Literal["ok", "warning", "error"]
SMALL_DISK_BYTES = 5 * 10**9
SMALL_MEMORY_BYTES = 4 * 10**9
PACKAGES = ("torch", "transformers", "ray", "sqlalchemy", "alembic", "safetensors", "datasets")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    detail: str


def doctor_command(store_asked: str | None, *, as_json: bool) -> bool:
    """Print every finding; True when none is an error."""
    checks: list[Callable[[], list[Finding]]] = [
        _versions,
        _hardware,
        _folders,
        lambda: _store(store_asked),
        _ray,
    ]
    findings = [finding for check in checks for finding in check()]
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        marks = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]"}
        console = Console(highlight=False)
        for finding in findings:
            console.print(f"{marks[finding.verdict]} [bold]{finding.name}[/]  {finding.detail}")
    return all(finding.verdict != "error" for finding in findings)


def _versions() -> list[Finding]:
    found = [Finding(name="python", verdict="ok", detail=platform.python_version())]
    for name in PACKAGES:
        try:
            found.append(Finding(name=name, verdict="ok", detail=importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(name=name, verdict="error", detail="not installed; run make env"))
    return found


def _hardware() -> list[Finding]:
    import torch

    memory = psutil.virtual_memory().available
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [
        Finding(name="cores", verdict="ok", detail=str(os.cpu_count())),
        Finding(
            name="memory",
            verdict="ok" if memory > SMALL_MEMORY_BYTES else "warning",
            detail=f"{show_size(memory)} free",
        ),
        Finding(name="GPUs", verdict="ok", detail=", ".join(gpus) or "none; candidates run on the CPU"),
    ]


def _folders() -> list[Finding]:
    try:
        home = home_folder()
    except LayerpressError as error:
        return [Finding(name="home", verdict="error", detail=str(error))]
    free = shutil.disk_usage(home).free
    verdict: Verdict = "ok" if free > SMALL_DISK_BYTES else "warning"
    return [Finding(name="home", verdict=verdict, detail=f"{home}, {show_size(free)} free")]


def _store(asked: str | None) -> list[Finding]:
    try:
        with Store.open(store_url(asked, home_folder())) as store:
            problems = store.check()
            stats = store.evaluation_stats()
            detail = f"{store.url}, schema {store.schema_revision()}, {stats.done:,} evaluations"
    except LayerpressError as error:
        return [Finding(name="store", verdict="error", detail=str(error))]
    findings = [Finding(name="store", verdict="ok", detail=detail)]
    return findings + [Finding(name="store", verdict="warning", detail=problem) for problem in problems]


def _ray() -> list[Finding]:
    """Start Ray, run one task, stop it."""
    import ray

    from search.engine.cluster import start_ray

    try:
        started = start_ray(1)
        answer = ray.get(ray.remote(platform.node).remote(), timeout=60)
    except (LayerpressError, ray.exceptions.RayError, TimeoutError) as error:
        return [Finding(name="Ray runs", verdict="error", detail=str(error))]
    if started:
        ray.shutdown()
    return [Finding(name="Ray runs", verdict="ok", detail=f"a task ran on {answer}")]
