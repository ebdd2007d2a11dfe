"""``layerpress space``: what could be chosen, and what it would weigh."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
from rich.console import Console
from rich.table import Table

from search.spec import SpaceModel
from service.commands.planning import silence_libraries
from service.intake.jobfile import read_job
from spaces.budget import BUDGETS, feasible_range, show_size
from spaces.build import build_space
from spaces.errors import InputError
from spaces.skeleton import anatomy_of
from spaces.space import Space

USUAL_BITS = "2,3,4,5,6,8"


def option_model(
    bits: str | None, types: str, group_size: str, symmetric: bool, solver: str, drop: str, indivisible: str
) -> list[Any]:
    """The options of the command line, as a job file has them; bits where neither they nor types are given."""
    options: list[Any] = []
    if bits is None:
        bits = "none" if types else USUAL_BITS
    if types:
        options.append({"kind": "ggml", "types": types.split(","), "indivisible": indivisible})
    if bits and bits != "none":
        options.append(
            {
                "kind": "quantize",
                "bits": [_number(text, "--bits") for text in bits.split(",")],
                "group_size": group_size if group_size == "channel" else _number(group_size, "--group-size"),
                "symmetric": symmetric,
                "solver": solver,
                "indivisible": indivisible,
            }
        )
    if drop:
        options.append({"kind": "drop", "parts": drop.split(",")})
    if not options:
        raise InputError("the space has no option; give --bits 2,3,4, --types q4_k,q6_k or --drop attention,mlp")
    return options


def space_model(
    options: list[Any], include: list[str], exclude: list[str], ties: str | None, target: str
) -> SpaceModel:
    """The space of the command line.

    Raises:
        InputError: a value that no job file could hold.
    """
    try:
        return SpaceModel.model_validate(
            {"options": options, "include": include, "exclude": exclude, "ties": ties, "target": target}
        )
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        raise InputError(f"{problem['loc'][-1]}: {problem['msg']}, got {problem['input']!r}") from error


def show_space(model: str, asked: SpaceModel, changes: list[str], *, as_json: bool) -> None:
    """Print the space of a model, or of a job file, from its config alone."""
    silence_libraries()
    if model.endswith((".yaml", ".yml")):
        spec = read_job(Path(model), changes)
        model, asked = spec.model, spec.space
    space = build_space(anatomy_of(model), asked.spec())
    content = describe(space, model)
    if as_json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        _print(content)


def describe(space: Space, model: str) -> dict[str, Any]:
    """The space as plain data: layers, options, sizes, feasible budgets."""
    owner = {index: unit for unit in space.units for index in unit.layers}
    layers = [
        {
            "name": layer.name,
            "part": layer.part,
            "rows": layer.rows,
            "columns": layer.columns,
            "tied_with": [space.layers[other].name for other in owner[index].layers if other != index],
            "options": {option.slug: space.bits(layer, option).stored // 8 for option in owner[index].options},
        }
        for index, layer in enumerate(space.layers)
    ]
    return {
        "model": model,
        "target": space.target,
        "format": space.carrier.format if space.carrier is not None else None,
        "ties": space.ties,
        "num_layers": len(space.layers),
        "num_units": len(space.units),
        "num_weights": space.num_weights,
        "num_parameters": space.anatomy.num_parameters,
        "dense_size_bytes": space.measure(space.kept).size_bytes,
        "feasible": _feasible(space),
        "layers": layers,
    }


def _feasible(space: Space) -> dict[str, dict[str, str]]:
    """For each kind of budget that the space can move, its smallest and largest value as a job file writes it."""
    ranges = {name: feasible_range(name, space) for name in BUDGETS}
    return {
        name: dict(zip(("smallest", "largest"), ends, strict=True))
        for name, ends in ranges.items()
        if len(set(ends)) > 1
    }


def _print(content: Mapping[str, Any]) -> None:
    console = Console()
    console.print(
        f"[bold]{content['model']}[/]: {content['num_layers']} layers ({content['num_units']} decisions), "
        f"{content['num_weights']:,} of {content['num_parameters']:,} parameters, "
        f"{show_size(content['dense_size_bytes'])} dense",
        highlight=False,
    )
    if content["format"]:
        tied = "" if content["ties"] == "none" else f", ties {content['ties']}"
        console.print(f"target {content['target']}: exported as {content['format']}{tied}", highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("layers", "kind", "shape", "count", "smallest", "dense"):
        table.add_column(heading, justify="left" if heading in ("layers", "kind") else "right", overflow="fold")
    groups = _alike(content["layers"])
    for (pattern, kind, shape, options), names in groups.items():
        sizes = [show_size(size) for _, size in options]
        table.add_row(pattern if len(names) > 1 else names[0], kind, shape, str(len(names)), sizes[0], sizes[-1])
    console.print(table)
    console.print("\n[bold]options[/], smallest first")
    for slugs in dict.fromkeys(tuple(slug for slug, _ in options) for _, _, _, options in groups):
        patterns = [pattern for pattern, _, _, options in groups if tuple(slug for slug, _ in options) == slugs]
        which = "all layers" if len(patterns) == len(groups) else ", ".join(patterns)
        console.print(f"  {which}: {', '.join(slugs)}", highlight=False)
    console.print("\n[bold]feasible budgets[/]")
    for name, ends in content["feasible"].items():
        console.print(f"  {name}: {ends['smallest']} to {ends['largest']}", highlight=False)


Alike = tuple[str, str, str, tuple[tuple[str, int], ...]]  # pattern, kind, shape, options


def _alike(layers: list[dict[str, Any]]) -> dict[Alike, list[str]]:
    """Layers grouped by what they are called within their block, their shape and their options."""
    groups: dict[Alike, list[str]] = {}
    for layer in layers:
        pattern = ".".join("*" if step.isdigit() else step for step in layer["name"].split("."))
        shape = f"{layer['rows']} x {layer['columns']}" if layer["part"] is None else "–"
        key = (pattern, layer["part"] or "weight", shape, tuple(layer["options"].items()))
        groups.setdefault(key, []).append(layer["name"])
    return groups


def _number(text: str, option: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InputError(f"{option} takes whole numbers, got {text!r}") from error
