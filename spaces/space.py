"""A space: the ordered layers, the options open to each, ties and pins, and the exact cost of any choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from spaces.carriers import Carrier
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.errors import InputError
from spaces.layer import Layer
from spaces.option import DROP, KEEP, NO_BITS, Bits, Drop, Option
from spaces.tables import check_name

Levels = tuple[int, ...]  # for each unit of a space, the number of its option, smallest first


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Layers that share one decision: one layer, or several that are tied. Options are sorted by size."""

    layers: tuple[int, ...]
    options: tuple[Option, ...]


Pair = tuple[str, Option]  # of a layer's name and what is done to it


class _Place(NamedTuple):
    """One layer's place in every configuration of a space. Its pairs are made once: each configuration holds one."""

    unit: int
    pairs: tuple[Pair, ...]  # for each level
    dropped: Pair
    inside: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What budgets limit, as whole numbers. ``stored_bits`` is the whole exported checkpoint's tensors."""

    stored_bits: int
    nominal_bits: int  # codes of the space's layers alone
    parameters: int  # kept, of the whole model
    flops: int  # for a token, of the linear layers kept, the head among them: see ``Space.num_multiplied``
    attentions: int  # kept
    mlps: int  # kept

    @property
    def size_bytes(self) -> int:
        return -(-self.stored_bits // 8)


@dataclass(frozen=True, kw_only=True)
class Space:
    """See the module. ``layers`` are in the model's order; ``units`` partition their indices."""

    anatomy: Anatomy
    layers: tuple[Layer, ...]
    units: tuple[Unit, ...]
    ties: str
    target: str = "any"  # the runtime it is searched for
    carrier: Carrier | None = None  # how the target's files store options; None: as options say themselves

    def bits(self, layer: Layer, option: Option) -> Bits:
        """What an option of a layer costs in the export."""
        if self.carrier is not None:
            return self.carrier.stored(option, layer, self.anatomy.dense_bits)
        return option.bits(layer.rows, layer.columns, self.anatomy.dense_bits)

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.layers]

    @cached_property
    def num_weights(self) -> int:
        """Weights of the space's own layers: what nominal bits are averaged over."""
        return sum(layer.num_weights for layer in self.layers)

    @cached_property
    def num_multiplied(self) -> int:
        """Weights that each token is multiplied with, at 2 FLOPs each: those of all linear layers, in the space or not.

        A head that shares its matrix with the embedding counts, an embedding's look-up does not. Nor does what
        attention scores add, which depends on the length. Experts that are layers of their own count in full, though
        a token passes through some of them; experts that a model stacks in one tensor are no layers and count nothing.
        """
        linear = [*self.anatomy.weights, *(layer for layer in self.anatomy.outside if not layer.is_lookup)]
        return sum(layer.num_weights for layer in linear)

    def configure(self, levels: Sequence[int]) -> Configuration:
        """The canonical configuration of one level per unit: what lies in a dropped part is dropped with it."""
        if len(levels) != len(self.units):
            raise ValueError(f"levels must be one for each of the {len(self.units)} units, got {len(levels)}")
        pairs = [place.pairs[levels[place.unit]] for place in self._places]
        dropped = {name for name, option in pairs if isinstance(option, Drop)}
        if dropped:
            pairs = [
                place.dropped if dropped.intersection(place.inside) else pair
                for place, pair in zip(self._places, pairs, strict=True)
            ]
        return Configuration(tuple(pairs))

    def levels(self, configuration: Configuration) -> Levels:
        """The levels of a configuration, checked against this space.

        Raises:
            InputError: a layer is missing or unknown, has an option that is not open to it, or parts with a tie.
        """
        options = dict(configuration.options)
        self._check_names(options)
        return tuple(self._level(unit, options) for unit in self.units)

    def _check_names(self, options: Mapping[str, Option]) -> None:
        if options.keys() == self._name_set:
            return
        for name in options:
            check_name(name, self.names, "layer")
        missing = [name for name in self.names if name not in options]
        raise InputError(
            f"the configuration leaves out {len(missing)} of {len(self.layers)} layers, the first {missing[0]!r}; "
            f"give every layer an option, keep to leave it as it is"
        )

    def _level(self, unit: Unit, options: Mapping[str, Option]) -> int:
        names = [self.layers[index].name for index in unit.layers]
        chosen = {options[name] for name in names}
        if len(chosen) > 1:
            slugs = ", ".join(f"{name}: {options[name].slug}" for name in names)
            raise InputError(f"{slugs} are tied (ties: {self.ties}) and must have one option; make them equal")
        option = chosen.pop()
        if option in unit.options:
            return unit.options.index(option)
        if option == DROP and self._is_inside_dropped(unit, options):
            return 0
        open_to = ", ".join(option.slug for option in unit.options)
        raise InputError(f"option {option.slug} is not open to {names[0]}; its options are {open_to}")

    def _is_inside_dropped(self, unit: Unit, options: Mapping[str, Option]) -> bool:
        holders = self.layers[unit.layers[0]].inside
        return any(options.get(name) == DROP for name in holders)

    def measure(self, levels: Sequence[int]) -> Measures:
        """The exact cost of one level per unit."""
        costs = [bits[level] for bits, level in zip(self.unit_bits, levels, strict=True)]
        units = list(zip(self._first_layers, costs, strict=True))
        dropped = {layer.name for layer, cost in units if cost is None}
        left = [cost for layer, cost in units if cost is not None and dropped.isdisjoint(layer.inside)]
        return self._measures(left, dropped)

    def measure_options(self, options: Mapping[str, Option]) -> Measures:
        """The exact cost of an option for every layer; what lies in a dropped part costs nothing."""
        dropped = {name for name, option in options.items() if option == DROP}
        kept = (layer for layer in self.layers if layer.name not in dropped and dropped.isdisjoint(layer.inside))
        return self._measures([self.bits(layer, options[layer.name]) for layer in kept], dropped)

    def _measures(self, costs: Sequence[Bits], dropped: set[str]) -> Measures:
        """What the layers that are left cost together, and the model around them without the named parts."""
        rest = self._without(dropped) if dropped else self._surroundings
        return replace(
            rest,
            stored_bits=rest.stored_bits + sum(cost.stored for cost in costs),
            nominal_bits=sum(cost.nominal for cost in costs),
        )

    @cached_property
    def _surroundings(self) -> Measures:
        return self._without(set())

    def _without(self, dropped: set[str]) -> Measures:
        """The model without the named parts, less the bits of the space's own layers."""
        gone = self._gone(dropped)
        lost = sum(layer.num_weights for layer in gone)
        others = sum(layer.other_parameters for layer in gone)
        not_ours = sum(layer.num_weights for layer in gone if layer.name not in self._name_set)
        names = {layer.name for layer in gone}
        attentions, mlps = (self._kept(part, names) for part in ("attention", "mlp"))
        return Measures(
            stored_bits=self._rest_bits - (not_ours + others) * self.anatomy.dense_bits,
            nominal_bits=0,
            parameters=self.anatomy.num_parameters - lost - others,
            flops=2 * (self.num_multiplied - lost),
            attentions=attentions,
            mlps=mlps,
        )

    @cached_property
    def unit_bits(self) -> tuple[tuple[Bits | None, ...], ...]:
        """What the layers of each unit cost at each level, unless what they lie in is dropped; None for a drop."""
        return tuple(
            tuple(
                None if option == DROP else sum((self.bits(self.layers[n], option) for n in unit.layers), NO_BITS)
                for option in unit.options
            )
            for unit in self.units
        )

    @cached_property
    def larger(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """For each unit and level, the levels of the next larger size: several where options are equally large."""
        return tuple(_next_sizes([-1 if bits is None else bits.stored for bits in own]) for own in self.unit_bits)

    @cached_property
    def _first_layers(self) -> tuple[Layer, ...]:
        """Of each unit; what is tied to it lies in the same parts, and a part is tied to nothing."""
        return tuple(self.layers[unit.layers[0]] for unit in self.units)

    def _gone(self, dropped: set[str]) -> list[Layer]:
        """Every weight and part of the model that dropping the named parts removes, each once."""
        if not dropped:
            return []
        everything = (*self.anatomy.weights, *self.anatomy.parts)
        return [layer for layer in everything if layer.name in dropped or dropped.intersection(layer.inside)]

    def _kept(self, part: str, gone: set[str]) -> int:
        return sum(layer.part == part and layer.name not in gone for layer in self.anatomy.parts)

    @cached_property
    def _rest_bits(self) -> int:
        """Everything of the checkpoint that is not a weight of one of the space's layers."""
        return (self.anatomy.num_parameters - self.num_weights) * self.anatomy.dense_bits

    @cached_property
    def _name_set(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _places(self) -> tuple[_Place, ...]:
        """In the order of a configuration."""
        unit_of = {index: number for number, unit in enumerate(self.units) for index in unit.layers}
        same = {option: option for unit in self.units for option in unit.options}  # equal ones are sent as one
        places = {
            layer.name: _Place(
                unit=unit_of[index],
                pairs=tuple((layer.name, same[option]) for option in self.units[unit_of[index]].options),
                dropped=(layer.name, DROP),
                inside=layer.inside,
            )
            for index, layer in enumerate(self.layers)
        }
        return tuple(places[name] for name in Configuration.of(dict.fromkeys(places, KEEP)).names)

    @cached_property
    def holders(self) -> tuple[int | None, ...]:
        """For each unit the innermost unit around its first layer that may be dropped.

        Layers that are tied by targets lie side by side; solvers refuse others that do not share it.
        """
        owner = {self.layers[unit.layers[0]].name: number for number, unit in enumerate(self.units)}
        may_drop = {name for name, number in owner.items() if DROP in self.units[number].options}
        arounds = [may_drop.intersection(self.layers[unit.layers[0]].inside) for unit in self.units]
        # the innermost has the longest name: an attention's extends its block's
        return tuple(owner[max(around, key=len)] if around else None for around in arounds)

    @cached_property
    def kept(self) -> Levels:
        """The levels of the dense model: ``keep`` wherever it is open (a pin may close it)."""
        return tuple(unit.options.index(KEEP) if KEEP in unit.options else len(unit.options) - 1 for unit in self.units)

    @cached_property
    def kept_measures(self) -> Measures:
        """What the levels ``kept`` cost."""
        return self.measure(self.kept)

    @cached_property
    def has_pinned_drop(self) -> bool:
        """Whether a part is dropped even in the levels ``kept``."""
        return any(unit.options[level] == DROP for unit, level in zip(self.units, self.kept, strict=True))


def _next_sizes(sizes: Sequence[int]) -> tuple[tuple[int, ...], ...]:  # rising
    """For each place, the places of the least size above its own."""
    least = [min((other for other in sizes if other > size), default=None) for size in sizes]
    return tuple(tuple(place for place, size in enumerate(sizes) if size == above) for above in least)
