"""``layerpress solve``: another budget from a finished run's stored scores, in seconds."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from search.engine.plan import Plan
from search.engine.progress import Watch
from search.engine.resolve import resolve_and_measure
from search.spec import JobSpec, read_spec
from service.commands.planning import planned
from service.commands.run import show_report
from service.outputs import full_report, write_configuration, write_outputs
from service.solving import Wanted, check_same, pose, solve_stored
from spaces.budget import show_size
from spaces.errors import InputError
from store.store import Store


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asked for."""

    run: Path
    budget: dict[str, Any]  # empty: the run's own
    score: str | None  # None: the run's own
    solver: str
    max_loss: float | None
    measure: bool
    out: Path | None


def parse_budget(pairs: list[str]) -> dict[str, Any]:
    """``name=value`` pairs as a job's ``budget`` holds them.

    Raises:
        InputError: one is not such a pair.
    """
    budget = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name or not value:
            raise InputError(f"--budget takes NAME=VALUE, got {pair!r}; write, say, nominal_bits_per_weight=3.5")
        budget[name] = value
    return budget


def solve_command(asked: Request, store_asked: str | None, *, as_json: bool, quiet: bool) -> None:
    """Solve, and measure where asked to.

    Raises:
        InputError, JobError: the run does not read, its scores are gone, or the budget cannot be met.
    """
    wanted = Wanted(budget=asked.budget, score=asked.score, solver=asked.solver, max_loss=asked.max_loss)
    spec, hashes = _read_run(asked.run)
    with planned(spec, store_asked, out=asked.out, quiet=quiet or not asked.measure) as (plan, store, watch):
        check_same(plan, hashes, str(asked.run))
        content = _solved(plan, asked, wanted, store, watch)
    if as_json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    elif asked.measure:
        show_report(content, asked.out)
    else:
        _show(content, asked.out)


def _read_run(folder: Path) -> tuple[JobSpec, dict[str, str]]:
    """The job that a run's folder tells of, and the hashes of what it read."""
    path = folder / "report.json"
    if not path.is_file():
        raise InputError(f"{str(folder)!r} has no report.json; give the folder that `layerpress run --out` wrote")
    try:
        content = json.loads(path.read_text("utf-8"))
        return read_spec(content["spec"], str(path)), dict(content["hashes"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not the report of a finished run ({error!r}); run the job again") from error


def _solved(plan: Plan, asked: Request, wanted: Wanted, store: Store, watch: Watch) -> dict[str, Any]:
    posed = pose(plan, wanted, str(asked.run))
    if not asked.measure:
        solved = solve_stored(plan, posed, store)
        if asked.out is not None:
            write_configuration(asked.out, solved.configuration, plan)
        return solved.content
    outcome = resolve_and_measure(plan, posed.problem, posed.strategy, store, watch)
    spec = plan.spec.model_copy(update={"budget": posed.budget, "strategy": "solve"})
    own = replace(plan, problem=posed.problem, spec=spec)
    # the run's own spec: this folder can be solved again, from the same scores
    content = {**posed.method, **full_report(own, outcome), "spec": plan.spec.model_dump(mode="json")}
    if asked.out is not None:
        write_outputs(asked.out, content, own, outcome)
    return content


def _show(content: dict[str, Any], out: Path | None) -> None:
    console, answer = Console(highlight=False), content["answer"]
    budget = ", ".join(f"{name} {value}" for name, value in content["budget"].items())
    console.print(f"[bold]{answer['name']}[/] at {budget}  {answer['configuration_id']}")
    console.print(
        f"{show_size(answer['size_bytes'])}, {answer['bits_per_weight']:.4f} bits per weight, "
        f"{answer['nominal_bits_per_weight']:.4f} nominal"
    )
    counts: dict[str, int] = {}
    for slug in content["configuration"].values():
        counts[slug] = counts.get(slug, 0) + 1
    console.print(", ".join(f"{count} x {slug}" for slug, count in sorted(counts.items())))
    console.print("Not measured: add --measure to evaluate and validate it.", style="dim")
    if out is not None:
        console.print(f"Answer: {out / 'configuration.json'}", soft_wrap=True)
