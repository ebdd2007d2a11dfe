"""A job's space as plain JSON, written once by the job, and its candidates' levels read back as layers.

Reading needs no torch, so that a process that only shows results never loads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spaces.carriers import CARRIERS
from spaces.errors import JobError
from spaces.layer import Layer
from spaces.option import DROP, Banked, Option, parse_option

if TYPE_CHECKING:
    from spaces.space import Space

SPACE_FILE = "space.json"  # the name of the artifact
SENSITIVITY_FILE = "sensitivity.json"  # the name of another, which says what each option costs each layer
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class LayerChoice:
    """What one configuration does with one layer."""

    name: str
    option: str  # its slug
    block: int | None
    module: str
    part: str | None  # attention, mlp, block: a part that is dropped or kept whole
    rows: int
    columns: int
    bits: float | None  # of the codes of a weight, 0 where it is dropped; a part has no weight of its own
    size_bytes: int  # in the exported checkpoint


def space_document(space: Space) -> dict[str, object]:
    """What ``layers_of`` needs to know of a space, as JSON takes it."""
    return {
        "version": VERSION,
        "target": space.target,
        "format": space.carrier.format if space.carrier is not None else None,  # that the target loads
        "ties": space.ties,
        "dense_bits": space.anatomy.dense_bits,
        "num_parameters": space.anatomy.num_parameters,
        "num_weights": space.num_weights,
        "num_blocks": len(space.anatomy.blocks),
        "layers": [
            {
                "name": layer.name,
                "block": layer.block,
                "module": layer.module,
                "part": layer.part,
                "rows": layer.rows,
                "columns": layer.columns,
                "inside": list(layer.inside),
            }
            for layer in space.layers
        ],
        "units": [
            {"layers": list(unit.layers), "options": [option.slug for option in unit.options]} for unit in space.units
        ],
    }


def layers_of(document: Mapping[str, Any], levels: Sequence[int]) -> list[LayerChoice]:
    """Every layer of the space in the model's order, with what the levels choose for it.

    Raises:
        JobError: the document is none of this version's, or the levels belong to another space.
    """
    options = _options(document, levels)
    dropped = {name for name, option in options.items() if option == DROP}
    return [
        _choice(layer, DROP if dropped.intersection(layer["inside"]) else options[layer["name"]], document)
        for layer in document["layers"]
    ]


def configuration_text(document: Mapping[str, Any], levels: Sequence[int]) -> str:
    """``configuration.json``, byte for byte as a run writes it."""
    mapping = {choice.name: choice.option for choice in layers_of(document, levels)}
    return json.dumps(mapping, indent=2) + "\n"


def _options(document: Mapping[str, Any], levels: Sequence[int]) -> dict[str, Option]:
    if document.get("version") != VERSION:
        raise JobError(
            f"{SPACE_FILE} must be of version {VERSION}, got {document.get('version')!r}; "
            f"ask a service of the release that ran the job"
        )
    layers, units = document["layers"], document["units"]
    fits = len(units) == len(levels) and all(
        0 <= level < len(unit["options"]) for unit, level in zip(units, levels, strict=True)
    )
    if not fits:
        raise JobError(
            f"the levels must choose among the options of {len(units)} units, got {list(levels)}; "
            f"they belong to another space: clone the job and run it again"
        )
    return {
        layers[index]["name"]: parse_option(unit["options"][level])
        for unit, level in zip(units, levels, strict=True)
        for index in unit["layers"]
    }


def _choice(layer: Mapping[str, Any], option: Option, document: Mapping[str, Any]) -> LayerChoice:
    rows, columns = layer["rows"], layer["columns"]
    carrier = CARRIERS.get(document.get("format") or "")
    whole = Layer(name=layer["name"], block=layer["block"], module=layer["module"], rows=rows, columns=columns)
    cost = (
        option.bits(rows, columns, document["dense_bits"])
        if carrier is None
        else carrier.stored(option, whole, document["dense_bits"])
    )
    return LayerChoice(
        name=layer["name"],
        option=option.slug,
        block=layer["block"],
        module=layer["module"],
        part=layer["part"],
        rows=rows,
        columns=columns,
        bits=_bits(option, document["dense_bits"]) if layer["part"] is None else None,
        size_bytes=-(-cost.stored // 8),
    )


def _bits(option: Option, dense_bits: int) -> float:
    if isinstance(option, Banked):
        return option.bits_per_code
    return 0 if option == DROP else dense_bits
