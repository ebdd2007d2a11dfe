"""``layerpress run``: a job from file to results, with its record in the store."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from search.engine.front_run import run_front
from search.engine.plan import Plan
from search.engine.progress import Progress, Watch
from search.engine.run import run_job
from search.engine.steering import Steering
from search.report import Evaluated
from service.commands.costs import show_costs
from service.commands.front_table import show_front
from service.commands.planning import planned
from service.commands.tasks_table import show_tasks
from service.intake.jobfile import read_job
from service.interruption import was_pressed
from service.outputs import CONFIGURATIONS_FILE, full_report, write_outputs
from spaces.budget import show_size
from spaces.errors import LayerpressError
from store.jobs import LOCAL_LEASE_S
from store.records import Artifact, NewJob
from store.store import Store

RENEW_S = 600.0  # between two signs of life


def run_command(
    job: Path,
    changes: list[str],
    out: Path,
    store_asked: str | None,
    *,
    as_json: bool,
    quiet: bool,
    optuna: str | None = None,
) -> None:
    """Plan, run and write; the store records how the job ended, whichever way it did.

    ``optuna`` is where an Optuna study gets what was measured.

    Raises:
        InputError, JobError: see ``make_plan``, ``run_job`` and ``write_outputs``.
    """
    spec = read_job(job, changes)
    with planned(spec, store_asked, out=out, quiet=quiet) as (plan, store, watch):
        write_study = _study_writer(optuna, spec.name or job.stem, plan)
        content = _recorded(plan, store, out, watch, spec.name or job.stem, write_study)
    if as_json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    elif plan.budgets:
        show_front(content, out)
    else:
        show_report(content, out)


def _study_writer(address: str | None, name: str, plan: Plan) -> Callable[[Sequence[Evaluated]], int]:
    """What writes the measured configurations into an Optuna study; a study that cannot be opened is refused now."""
    if address is None:
        return len
    from search.sampling.objectives import objectives_asked, weighed_beside
    from service.optuna_storage import open_study, write_trials

    space, objective = plan.problem.space, plan.spec.objective
    weighed = weighed_beside(objectives_asked(plan.spec.strategy))
    study = open_study(address, name, space, objective, weighed)
    return lambda evaluated: write_trials(study, evaluated, space, objective, weighed)


def _recorded(
    plan: Plan, store: Store, out: Path, watch: Watch, name: str, write_study: Callable[[Sequence[Evaluated]], int]
) -> dict[str, Any]:
    """Run the plan as a job of the store, with an event for each phase that begins."""
    spec = plan.spec
    asked = NewJob(name=name, spec=spec.model_dump(mode="json"), origin="local", model=spec.model, workers=spec.workers)
    record, _ = store.add_job(asked)
    renewed_s = time.monotonic()
    seen: set[str] = set()
    subjects: set[str] = set()  # of the cache, which is kept as long as the job is

    def watched(moment: Progress) -> None:
        nonlocal renewed_s
        if record.holder is not None and time.monotonic() - renewed_s >= RENEW_S:
            store.renew_jobs([record.id], record.holder, LOCAL_LEASE_S)
            renewed_s = time.monotonic()
        if moment.phase not in seen:
            seen.add(moment.phase)
            store.add_event(record.id, "phase", {"phase": moment.phase})
        watch(moment)

    try:
        try:
            outcome = (run_front if plan.budgets else run_job)(plan, store, watched, Steering(subjects=subjects.update))
        finally:
            store.add_subjects(record.id, subjects)
        content = {"job": record.id, **full_report(plan, outcome)}
        write_outputs(out, content, plan, outcome)
        store.put_artifacts(record.id, record.attempt, _kept(out))
        write_study(outcome.evaluated)
    except BaseException as error:  # a bug as well: no job is left running by one that has ended
        if was_pressed():
            message = "interrupted by the user"
            store.move_job(record.id, record.attempt, "cancelled", reason="interrupted", message=message)
        else:
            message = str(error) if isinstance(error, LayerpressError) else f"an error nobody foresaw: {error!r}"
            store.move_job(record.id, record.attempt, "failed", reason="error", message=message)
        raise
    store.move_job(record.id, record.attempt, "succeeded", message=outcome.verdict, report=content)
    return content


def _kept(out: Path) -> list[Artifact]:
    """What the store keeps of the folder, so that the job can be exported by its id."""
    kinds = {CONFIGURATIONS_FILE: "application/json", "front.png": "image/png"}
    return [Artifact(name=name, media_type=kind, content=(out / name).read_bytes()) for name, kind in kinds.items()]


def show_report(content: dict[str, Any], out: Path | None) -> None:
    """The table of answer and baselines, the verdict, and where the pictures are."""
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "size", "bits/w", "nominal", "KL on unseen text", "perplexity"):
        table.add_column(heading, justify="right" if heading else "left", overflow="fold")
    answer, plain = content["answer"], content["baselines"]
    rows = [row for row in plain if row["configuration_id"] != answer["configuration_id"]]
    for row in [*rows, answer]:
        table.add_row(*_cells(row), style="bold green" if row is answer else None)
    console.print(table)
    show_tasks(console, {row["name"]: row for row in [*rows, answer]})
    console.print(f"\n{content['verdict']}", highlight=False)
    show_costs(console, content)
    if out is None:
        return
    console.print(f"\nPictures: {out / 'front.html'}  {out / 'front.png'}", highlight=False, soft_wrap=True)
    answer_file = out / "configuration.json"
    console.print(f"Answer:   {answer_file} ({answer['configuration_id']})", highlight=False, soft_wrap=True)


def _cells(row: dict[str, Any]) -> list[str]:
    loss, error, perplexity = (row[key] for key in ("kl_validation", "kl_validation_se", "perplexity_validation"))
    return [
        row["name"],
        show_size(row["size_bytes"]),
        f"{row['bits_per_weight']:.3f}",
        f"{row['nominal_bits_per_weight']:.3f}",
        "broken" if loss is None else f"{loss:.5f} ± {error or 0:.5f}",
        "broken" if perplexity is None else f"{perplexity:.2f}",
    ]
