"""Ties: layers that must share one option, as named presets for the runtimes that fuse them."""

from __future__ import annotations

from collections.abc import Sequence

from spaces.layer import Layer
from spaces.tables import check_name

# Each preset lists groups of last names; layers of one block whose last names share a group are tied.
TIES: dict[str, tuple[tuple[str, ...], ...]] = {
    "none": (),
    "vllm": (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj")),
}


def broken_tie(layers: Sequence[Layer], everything: Sequence[Layer], preset: str) -> tuple[list[str], list[str]] | None:
    """The names in and out of ``layers`` of the first group of ``everything`` that only some of ``layers`` belong to.

    A runtime that fuses a group needs one format for all of it: none of it may stay behind.
    """
    chosen = {layer.name for layer in layers}
    for indices in tie(everything, preset):
        names = [everything[index].name for index in indices]
        outside = [name for name in names if name not in chosen]
        if outside and len(outside) < len(names):
            return [name for name in names if name in chosen], outside
    return None


def tie(layers: Sequence[Layer], preset: str) -> list[tuple[int, ...]]:
    """Partition the indices of ``layers`` into tied groups, in the order of their first member.

    Raises:
        InputError: there is no such preset.
    """
    groups = TIES[check_name(preset, TIES, "tie preset")]
    of_name = {name: number for number, names in enumerate(groups) for name in names}
    members: dict[tuple[object, ...], list[int]] = {}
    for index, layer in enumerate(layers):
        parent, _, last = layer.name.rpartition(".")
        number = of_name.get(last) if layer.part is None else None
        members.setdefault((index,) if number is None else (parent, number), []).append(index)
    return [tuple(indices) for indices in members.values()]
