"""The same jobs undisturbed: in this process, over a store and a bank of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.chaos.jobs import job
from search.engine.cluster import disconnect, start_ray
from search.engine.plan import make_plan
from search.engine.run import run_job
from search.report import report
from search.spec import read_spec
from store.store import Store

WORKERS = 2
Answer = dict[str, Any]


def calm_answers(model: Path, numbers: Iterable[int]) -> dict[int, Answer]:
    """What each job finds that nobody disturbs."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="layerpress-calm-") as folder:
        home = Path(folder)
        start_ray(WORKERS)  # once for all
        try:
            with Store.open(f"sqlite:///{home / 'store.db'}") as store:
                for number in numbers:
                    plan = make_plan(read_spec(job(model, number)), home)
                    found[number] = answer_of(report(run_job(plan, store, lambda moment: None)))
        finally:
            disconnect()
    return found


def answer_of(content: Mapping[str, Any]) -> Answer:
    """What of a report may not depend on how it came about."""
    return {
        "answer": content["answer"]["configuration_id"],
        "verdict": content["verdict"],
        "front": [row["configuration_id"] for row in content["front"]],
    }
