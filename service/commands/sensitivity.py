"""``layerpress sensitivity``: scores as a heat map over layers and options, and as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from search.engine.plan import Plan
from search.engine.resolve import score_of
from search.engine.scoring import compute_scores
from search.scores.score import SCORES, Score, Scores, Table, name_of_score
from search.settings import make_score
from service.commands.planning import planned
from service.intake.jobfile import read_job
from service.outputs import write_files
from service.pictures.figure import Layer
from service.pictures.heatmap import Heatmap, heatmap_csv
from service.pictures.heatmap_page import draw_heatmap_page
from service.pictures.heatmap_png import draw_heatmap_png
from spaces.errors import InputError
from spaces.option import Option
from spaces.space import Space

ALL = "all"


def sensitivity_command(
    job: Path,
    changes: list[str],
    asked: str | None,
    out: Path,
    store_asked: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compute scores, and write a heat map and a table of each.

    Raises:
        InputError, JobError: the job does not read, a score does not fit, or computing it failed.
    """
    spec = read_job(job, changes)
    with planned(spec, store_asked, out=out, quiet=quiet) as (plan, store, watch):
        scores, left_out = _scores(plan, asked)
        found = compute_scores(plan, scores, store, watch)
    heatmaps = {
        name_of_score(score): make_heatmap(plan, score, computed, tokens)
        for score, (computed, tokens) in zip(scores, found, strict=True)
    }
    for name, heatmap in heatmaps.items():
        _write(out, name, heatmap)
    if as_json:
        content = {"model": spec.model, "left_out": left_out, "scores": {n: _content(h) for n, h in heatmaps.items()}}
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        _show(heatmaps, left_out, out)


def _scores(plan: Plan, asked: str | None) -> tuple[list[Score], dict[str, str]]:
    """The scores asked for, checked; of ``all``, those that fit, and why the others do not."""
    if asked is None:
        score = score_of(plan.strategy, plan.problem)
        score.check(plan.problem)
        return [score], {}
    names = [name.strip() for name in asked.split(",") if name.strip()]
    if not names:
        raise InputError(f"--scores takes names separated by commas, got {asked!r}; known: {', '.join(SCORES)}")
    left_out: dict[str, str] = {}
    fitting = []
    for name in SCORES if names == [ALL] else names:
        score = make_score(name)
        try:
            score.check(plan.problem)
            fitting.append(score)
        except InputError as error:
            if names != [ALL]:
                raise
            left_out[name] = str(error)
    if not fitting:
        raise InputError(f"no score fits this job; the first: {next(iter(left_out.values()))}")
    return fitting, left_out


def make_heatmap(plan: Plan, score: Score, scores: Scores, tokens: int) -> Heatmap:
    """One score over the layers of the space; tied layers show the cost of their unit."""
    space = plan.problem.space
    options = _options(space)
    return Heatmap(
        title=f"{Path(plan.spec.model).name}: sensitivity",
        subtitle=f"{len(space.layers)} layers, {len(options)} options",
        score_name=name_of_score(score),
        layers=tuple(
            Layer(name=layer.name, block=layer.block, module=layer.module, num_weights=layer.num_weights)
            for layer in space.layers
        ),
        options=tuple(option.slug for option in options),
        costs=_spread(space, options, scores.costs),
        errors=None if scores.errors is None else _spread(space, options, scores.errors),
        bits=tuple(
            tuple(_stored(layer_index, option, space) if option in unit.options else None for option in options)
            for layer_index, unit in _layers(space)
        ),
        unit=scores.unit,
        tokens=f"{tokens:,} tokens forward and backward" if tokens else "no forward pass",
    )


def _options(space: Space) -> list[Option]:
    """Every option that some layer has, in the order that the units list them."""
    return sorted(
        {option for unit in space.units for option in unit.options},
        key=lambda option: max(unit.options.index(option) for unit in space.units if option in unit.options),
    )


def _layers(space: Space) -> list[tuple[int, Any]]:
    return sorted(((index, unit) for unit in space.units for index in unit.layers), key=lambda pair: pair[0])


def _stored(index: int, option: Option, space: Space) -> int:
    return space.bits(space.layers[index], option).stored


def _spread(space: Space, options: Sequence[Option], table: Table) -> tuple[tuple[float | None, ...], ...]:
    """``table[unit][level]`` as layers by options."""
    rows: list[tuple[float | None, ...]] = [()] * len(space.layers)
    for unit, costs in zip(space.units, table, strict=True):
        known = {option: float(cost) for option, cost in zip(unit.options, costs, strict=True)}
        for index in unit.layers:
            rows[index] = tuple(known.get(option) for option in options)
    return tuple(rows)


def _write(out: Path, name: str, heatmap: Heatmap) -> None:
    write_files(
        out,
        texts={f"{name}.csv": heatmap_csv(heatmap)},
        pictures={
            f"{name}.png": lambda path: draw_heatmap_png(heatmap, path),
            f"{name}.html": lambda path: draw_heatmap_page(heatmap, path),
        },
    )


def _content(heatmap: Heatmap) -> dict[str, Any]:
    def plain(table: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
        return [[cost if cost is None or abs(cost) < float("inf") else None for cost in row] for row in table]

    return {
        "unit": heatmap.unit,
        "layers": [layer.name for layer in heatmap.layers],
        "options": list(heatmap.options),
        "costs": plain(heatmap.costs),
        "errors": None if heatmap.errors is None else plain(heatmap.errors),
        "cost": heatmap.tokens,
    }


def _show(heatmaps: dict[str, Heatmap], left_out: dict[str, str], out: Path) -> None:
    console = Console(highlight=False)
    for name, heatmap in heatmaps.items():
        console.print(f"[bold]{name}[/]  {heatmap.tokens}")
        console.print(heatmap.lead, soft_wrap=True)
        console.print(f"{out / name}.html  {out / name}.png  {out / name}.csv\n", style="dim", soft_wrap=True)
    for name, reason in left_out.items():
        console.print(f"left out: {name}: {reason}", style="dim", soft_wrap=True)
