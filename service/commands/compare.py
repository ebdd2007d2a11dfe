"""``layerpress compare``: several methods at several budgets, on one bank and one text."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from search.engine.compare import Trial, make_trials, run_trials
from search.engine.plan import Plan
from search.report import Measured, Objective, Outcome, describe, losses, paired, shown, standard_error
from search.strategies.allocate import PRESETS
from service.commands.planning import planned
from service.intake.jobfile import read_job
from service.outputs import write_files
from service.pictures.comparison import Comparison, ComparisonPoint, Line, comparison_csv
from service.pictures.comparison_page import draw_comparison_page
from service.pictures.comparison_png import draw_comparison_png
from spaces.budget import show_size
from spaces.budgets import at_budgets
from spaces.errors import InputError

ALL = "all"
UNIFORM = "best uniform choice"


def compare_command(
    job: Path,
    changes: list[str],
    methods: str,
    budgets: list[str],
    out: Path,
    store_asked: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure every method at every budget, and write table and pictures.

    Raises:
        InputError, JobError: the job does not read, a method does not fit, or measuring failed.
    """
    spec = read_job(job, changes)
    with planned(spec, store_asked, out=out, quiet=quiet) as (plan, store, watch):
        asked = parse_budgets(budgets, plan.spec.budget) or at_budgets(plan.spec.budget, plan.budgets)
        trials, left_out = _trials(plan, methods, asked)
        found = list(run_trials(trials, store, watch))
    comparison = make_comparison(plan, found)
    content = {"model": spec.model, "objective": spec.objective, "left_out": left_out, "rows": _rows(comparison)}
    write_files(
        out,
        texts={
            "compare.csv": comparison_csv(comparison),
            "compare.json": json.dumps(content, indent=2, allow_nan=False) + "\n",
        },
        pictures={
            "compare.png": lambda path: draw_comparison_png(comparison, path),
            "compare.html": lambda path: draw_comparison_page(comparison, path),
        },
    )
    if as_json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        _show(comparison, left_out, out)


def parse_budgets(asked: Sequence[str], own: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One budget for each value of ``NAME=V1,V2,...``; without a name it is the job's one limit.

    Raises:
        InputError: no name where the job has several limits, or no values.
    """
    budgets = []
    for text in asked:
        name, equals, values = text.rpartition("=")
        if not equals and len(own) != 1:
            raise InputError(f"--budgets {text!r} needs a name, as the job has {len(own)} limits; write NAME={text}")
        listed = [value.strip() for value in values.split(",") if value.strip()]
        if not listed:
            raise InputError(
                f"--budgets takes [NAME=]V1,V2,..., got {text!r}; write, say, nominal_bits_per_weight=2.5,3"
            )
        budgets += [{name.strip() or next(iter(own)): value} for value in listed]
    return budgets


def _trials(plan: Plan, methods: str, budgets: Sequence[Mapping[str, Any]]) -> tuple[list[Trial], dict[str, str]]:
    """The trials asked for; of ``all``, those that fit, and why the others do not."""
    names = [name.strip() for name in methods.split(",") if name.strip()]
    if not names:
        raise InputError(
            f"--methods takes names separated by commas, got {methods!r}; known presets: {', '.join(PRESETS)}"
        )
    if names != [ALL]:
        return make_trials(plan, names, budgets), {}
    left_out: dict[str, str] = {}
    for name in PRESETS:
        try:
            make_trials(plan, [name], budgets)
        except InputError as error:
            left_out[name] = str(error)
    fitting = [name for name in PRESETS if name not in left_out]
    if not fitting:
        raise InputError(f"no preset fits this job; the first: {next(iter(left_out.values()))}")
    return make_trials(plan, fitting, budgets), left_out


def make_comparison(plan: Plan, found: Sequence[tuple[Trial, Outcome]]) -> Comparison:
    """What the pictures and the table show: each method a line, the best plain choice of each budget first."""
    objective: Objective = plan.spec.objective
    points: dict[str, list[ComparisonPoint]] = {}
    for trial, outcome in found:
        best = _best(outcome, objective)
        if best is not None and not any(p.budget == _label(trial) for p in points.get(UNIFORM, [])):
            points.setdefault(UNIFORM, []).append(_point(best, None, trial, outcome, objective))
        points.setdefault(trial.method, []).append(_point(outcome.found, best, trial, outcome, objective))
    text = plan.streams["validation"]
    return Comparison(
        title=f"{Path(plan.spec.model).name}: methods compared",
        subtitle=f"{text.num_tokens:,} tokens of unseen text",
        objective_name="KL divergence, nats per token" if objective == "kl" else "perplexity",
        lines=tuple(Line(name=name, points=tuple(own), is_baseline=name == UNIFORM) for name, own in points.items()),
    )


def _label(trial: Trial) -> str:
    return ", ".join(str(value) for value in trial.budget.values())


def _best(outcome: Outcome, objective: Objective) -> Measured | None:
    return min(outcome.baselines, key=lambda each: _mean(each, objective), default=None)


def _mean(measured: Measured, objective: Objective) -> float:
    return float("inf") if measured.validation is None else float(losses(measured.validation, objective).mean())


def _point(
    measured: Measured, best: Measured | None, trial: Trial, outcome: Outcome, objective: Objective
) -> ComparisonPoint:
    row = describe(measured.name, measured.configuration, outcome.space)
    loss = shown(_mean(measured, objective), objective)
    scale = loss if objective == "perplexity" else 1.0  # the delta method: d exp(x) = exp(x) dx
    values = np.empty(0) if measured.validation is None else losses(measured.validation, objective)
    point = ComparisonPoint(
        budget=_label(trial),
        configuration_id=row["configuration_id"],
        size_bytes=row["size_bytes"],
        bits_per_weight=row["bits_per_weight"],
        nominal_bits_per_weight=row["nominal_bits_per_weight"],
        loss=loss,
        loss_se=scale * standard_error(values),
        note=measured.name if best is None else "",
    )
    if best is None or measured.validation is None or best.validation is None:
        return point
    difference = paired(measured.validation, best.validation, objective)
    return replace(
        point,
        difference=loss - shown(_mean(best, objective), objective),
        difference_se=scale * difference.se,
        tokens=outcome.facts["asked_tokens"],
    )


def _rows(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "method": line.name,
            "budget": point.budget,
            "configuration_id": point.configuration_id,
            "size_bytes": point.size_bytes,
            "bits_per_weight": point.bits_per_weight,
            "nominal_bits_per_weight": point.nominal_bits_per_weight,
            **{
                name: value if value is not None and np.isfinite(value) else None
                for name, value in (
                    ("loss", point.loss),
                    ("loss_se", point.loss_se),
                    ("difference", point.difference),
                    ("difference_se", point.difference_se),
                    ("over_uniform", comparison.ratio(point)),
                )
            },
            "tokens": point.tokens,
        }
        for line in comparison.lines
        for point in line.points
    ]


def _show(comparison: Comparison, left_out: Mapping[str, str], out: Path) -> None:
    console = Console(highlight=False)
    for budget in comparison.budgets:
        table = Table(title=f"budget {budget}", title_justify="left", box=None, pad_edge=False, header_style="bold")
        for heading in ("", "size", "nominal", "unseen text", "over uniform", "tokens"):
            table.add_column(heading, justify="right" if heading else "left", overflow="fold")
        own = [(line, point) for line in comparison.lines for point in line.points if point.budget == budget]
        for line, point in sorted(own, key=lambda pair: (not pair[0].is_baseline, pair[1].loss)):
            table.add_row(*_cells(line, point, comparison), style="dim" if line.is_baseline else None)
        console.print(table, "")
    for name, reason in left_out.items():
        console.print(f"left out: {name}: {reason}", style="dim", soft_wrap=True)
    console.print(f"Pictures: {out / 'compare.html'}  {out / 'compare.png'}", soft_wrap=True)
    console.print(f"Table:    {out / 'compare.csv'}", soft_wrap=True)


def _cells(line: Line, point: ComparisonPoint, comparison: Comparison) -> list[str]:
    ratio = comparison.ratio(point)
    return [
        f"{line.name} ({point.note})" if point.note else line.name,
        show_size(point.size_bytes),
        f"{point.nominal_bits_per_weight:.3f}",
        "broken" if point.is_broken else f"{point.loss:.5f} ± {point.loss_se or 0:.5f}",
        "" if ratio is None or line.is_baseline else f"{ratio:.3f}",
        "" if point.tokens is None else f"{point.tokens:,}",
    ]
