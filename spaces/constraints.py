"""Side constraints: rules beside the budget, that an answer keeps and an integer program can hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from spaces.errors import InputError
from spaces.option import DROP, Banked, Option
from spaces.program import Row
from spaces.space import Levels, Space
from spaces.spec import matches
from spaces.tables import check_name

Bound = Literal["at_most", "at_least"]
BOUNDS: tuple[Bound, ...] = ("at_most", "at_least")
COUNT_KEYS = (*BOUNDS, "option", "layers")
ORDER_KEYS = ("layer", "not_below")
EXAMPLES = '{at_most: 3, option: "*-int2-*", layers: "*.down_proj"} or {layer: lm_head, not_below: model.embed_tokens}'


class Constraint(Protocol):
    """One rule on a configuration, linear in its choices. Its text is what a job file says."""

    def holds(self, space: Space, levels: Levels) -> bool:
        """Whether the configuration keeps the rule."""

    def row(self, space: Space) -> Row:
        """The same in the options of all units, unit after unit; of what lies in a dropped part none is chosen."""

    def relaxed(self, excess: int) -> Constraint | None:
        """The rule that holds where this one's row is exceeded by so much, or None where there is none to name."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """At most, or at least, so many layers that match ``layers`` have an option that matches ``option``.

    Counted in the canonical configuration: what lies in a dropped part is dropped with it.
    """

    bound: Bound
    number: int
    option: tuple[str, ...]  # globs of slugs
    layers: tuple[str, ...]  # globs of names

    def __str__(self) -> str:
        return f"{{{self.bound}: {self.number}, option: {_shown(self.option)}, layers: {_shown(self.layers)}}}"

    def holds(self, space: Space, levels: Levels) -> bool:
        options = space.configure(levels).options
        count = sum(matches(name, self.layers) and matches(option.slug, self.option) for name, option in options)
        return count <= self.number if self.bound == "at_most" else count >= self.number

    def row(self, space: Space) -> Row:
        weights: list[int] = []
        sure = 0  # layers that count while none of their options is chosen: they lie in a dropped part
        for unit, holder in zip(space.units, space.holders, strict=True):
            count = sum(matches(space.layers[index].name, self.layers) for index in unit.layers)
            hidden = count if holder is not None and matches(DROP.slug, self.option) else 0
            weights += [count * matches(option.slug, self.option) - hidden for option in unit.options]
            sure += hidden
        sign = 1 if self.bound == "at_most" else -1
        return Row(weights=sign * np.array(weights, dtype=np.int64), limit=sign * (self.number - sure))

    def relaxed(self, excess: int) -> Constraint | None:
        return replace(self, number=self.number + (excess if self.bound == "at_most" else -excess))


@dataclass(frozen=True, kw_only=True)
class NotBelow:
    """``layer`` has at least the bits per code of ``floor``. ``keep`` counts as dense bits, a dropped layer as 0."""

    layer: str
    floor: str

    def __str__(self) -> str:
        return f"{{layer: {self.layer}, not_below: {self.floor}}}"

    def holds(self, space: Space, levels: Levels) -> bool:
        configuration = space.configure(levels)
        first, second = (_bits_per_code(configuration[name], space) for name in (self.layer, self.floor))
        return first >= second

    def row(self, space: Space) -> Row:
        weights: list[int] = []
        for unit in space.units:
            names = [space.layers[index].name for index in unit.layers]
            sign = (self.floor in names) - (self.layer in names)
            weights += [sign * _bits_per_code(option, space) for option in unit.options]
        return Row(weights=np.array(weights, dtype=np.int64), limit=0)

    def relaxed(self, excess: int) -> Constraint | None:
        return None


def _bits_per_code(option: Option, space: Space) -> int:
    if option == DROP:
        return 0
    return option.bits_per_code if isinstance(option, Banked) else space.anatomy.dense_bits


def make_constraints(asked: Sequence[object], space: Space) -> tuple[Constraint, ...]:
    """Read the constraints that a person wrote for ``space``: one mapping each.

    Raises:
        InputError: an unknown key, layer or option, with the nearest; or a value that does not read.
    """
    return tuple(_read(raw, space, f"constraints[{number}]") for number, raw in enumerate(asked))


def _read(raw: object, space: Space, where: str) -> Constraint:
    if not isinstance(raw, Mapping):
        raise InputError(f"{where} must be a mapping such as {EXAMPLES}, got {raw!r}")
    for key in raw:
        check_name(key, (*COUNT_KEYS, *ORDER_KEYS), f"key of {where}")
    return _order(raw, space, where) if set(ORDER_KEYS) & set(raw) else _count(raw, space, where)


def _order(raw: Mapping[str, object], space: Space, where: str) -> NotBelow:
    if set(raw) != set(ORDER_KEYS):
        raise InputError(f"{where} takes layer and not_below, and no other key, got {dict(raw)!r}; write {EXAMPLES}")
    for key in ORDER_KEYS:
        check_name(str(raw[key]), space.names, f"layer in {where}.{key}")
    if raw["layer"] == raw["not_below"]:
        raise InputError(f"{where} compares {raw['layer']} with itself; name two layers")
    return NotBelow(layer=str(raw["layer"]), floor=str(raw["not_below"]))


def _count(raw: Mapping[str, object], space: Space, where: str) -> Count:
    bounds = [bound for bound in BOUNDS if bound in raw]
    if len(bounds) != 1 or "option" not in raw:
        raise InputError(f"{where} needs option and one of at_most and at_least, got {dict(raw)!r}; write {EXAMPLES}")
    number = raw[bounds[0]]
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise InputError(f"{where}.{bounds[0]} must be a whole number of layers, 0 or more, got {number!r}")
    layers = _globs(raw.get("layers", "*"), f"{where}.layers")
    _check_globs(layers, space.names, "layer", f"{where}.layers")
    option = _globs(raw["option"], f"{where}.option")
    _check_globs(option, _slugs(space, layers), "option", f"{where}.option")
    return Count(bound=bounds[0], number=number, option=option, layers=layers)


def _globs(value: object, where: str) -> tuple[str, ...]:
    globs = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not globs or not all(isinstance(glob, str) and glob for glob in globs):
        raise InputError(
            f'{where} must be a glob such as "*-int2-*" or "*.down_proj", or a list of them, got {value!r}'
        )
    return globs


def _check_globs(globs: Iterable[str], names: Sequence[str], noun: str, where: str) -> None:
    for glob in globs:
        if any(matches(name, (glob,)) for name in names):
            continue
        if not set("*?[") & set(glob):
            check_name(glob, names, f"{noun} in {where}")
        raise InputError(f"{where}: {glob!r} matches no {noun}; there is, say, {names[0]!r}")


def _slugs(space: Space, layers: tuple[str, ...]) -> list[str]:
    """What the layers that match can have, each slug once."""
    found: dict[str, None] = {}
    for unit, holder in zip(space.units, space.holders, strict=True):
        if any(matches(space.layers[index].name, layers) for index in unit.layers):
            found |= dict.fromkeys(option.slug for option in unit.options)
            found |= {} if holder is None else {DROP.slug: None}
    return list(found)


def _shown(globs: tuple[str, ...]) -> str:
    quoted = [f'"{glob}"' for glob in globs]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"
