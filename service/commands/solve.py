"""``layerpress solve``: another budget from a finished run's stored scores, in seconds."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from search.engine.plan import Plan, in_nats
from search.engine.progress import Watch
from search.engine.resolve import Resolve, resolve, resolve_and_measure, score_of
from search.report import describe
from search.scores.score import name_of_score
from search.settings import make_score, make_solver
from search.spec import JobSpec, read_spec
from search.strategy import Problem
from service.commands.planning import planned
from service.commands.run import show_report
from service.outputs import full_report, source_hashes, write_configuration, write_outputs
from spaces.budget import make_budget, show_size
from spaces.budgets import nearest_budget, show_budgets
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
    if asked.max_loss is not None and not asked.max_loss > 0:
        raise InputError(f"max_loss must be above 0, got {asked.max_loss:g}; write, say, --max-loss 0.05")
    spec, hashes = _read_run(asked.run)
    with planned(spec, store_asked, out=asked.out, quiet=quiet or not asked.measure) as (plan, store, watch):
        _check_same(plan, hashes, asked.run)
        content = _solved(plan, asked, store, watch)
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


def _check_same(plan: Plan, hashes: dict[str, str], folder: Path) -> None:
    """Scores of other weights or another text say nothing of these."""
    now = source_hashes(plan)
    changed = [name for name, key in now.items() if hashes.get(name) != key]
    if changed:
        raise InputError(f"the {' and '.join(changed)} of {folder} have changed since that run; run the job again")


def _solved(plan: Plan, asked: Request, store: Store, watch: Watch) -> dict[str, Any]:
    begun = time.perf_counter()
    problem, budget = _problem(plan, asked)
    scored = plan.problems[nearest_budget(problem.budget, [each.budget for each in plan.problems])]
    score = score_of(plan.strategy) if asked.score is None else make_score(asked.score)
    strategy = Resolve(score=score, solver=make_solver(asked.solver), scored=scored)
    strategy.check(problem)
    method = {"score": name_of_score(score), "solver": asked.solver}
    if asked.measure:
        outcome = resolve_and_measure(plan, problem, strategy, store, watch)
        own = replace(plan, problem=problem, spec=plan.spec.model_copy(update={"budget": budget, "strategy": "solve"}))
        # the run's own spec: this folder can be solved again, from the same scores
        content = {**method, **full_report(own, outcome), "spec": plan.spec.model_dump(mode="json")}
        if asked.out is not None:
            write_outputs(asked.out, content, own, outcome)
        return content
    configuration = problem.space.configure(resolve(plan, problem, strategy, store))
    if asked.out is not None:
        write_configuration(asked.out, configuration, plan)
    return {
        "model": plan.spec.model,
        "budget": budget,
        **method,
        "answer": describe(f"{method['score']} x {method['solver']}", configuration, problem.space),
        "configuration": {name: option.slug for name, option in configuration.options},
        "evaluations": {"computed": 0},
        "seconds": {"prepare": plan.seconds, "solve": round(time.perf_counter() - begun, 3)},
    }


def _problem(plan: Plan, asked: Request) -> tuple[Problem, dict[str, Any]]:
    """The new problem; without a budget, the smallest size under a loss is looked for up to the dense model's."""
    budget, space, rules = asked.budget or plan.spec.budget, plan.problem.space, plan.problem.constraints
    if not asked.budget and plan.budgets and asked.max_loss is None:
        raise InputError(
            f"{asked.run} has answers at {show_budgets(str(plan.spec.front_limit), plan.budgets)}; "
            f"name another budget: --budget {plan.spec.front_limit}=VALUE"
        )
    if asked.max_loss is None:
        return replace(plan.problem, budget=make_budget(budget, space, rules)), budget
    if not asked.budget:
        budget = {"size": space.kept_measures.size_bytes}
    max_loss = in_nats(asked.max_loss, plan.spec.objective)
    return replace(plan.problem, budget=make_budget(budget, space, rules), max_loss=max_loss), budget


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
