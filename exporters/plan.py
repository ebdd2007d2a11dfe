"""Which layers of an export are stored as codes, under which names, and which stay as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from exporters.removal import Removal
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.layer import Layer
from spaces.option import DROP, KEEP, Option, Quantize


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One layer that is stored as codes."""

    layer: Layer  # of the model
    name: str  # in the export, which differs behind removed blocks
    option: Quantize

    @property
    def scheme(self) -> tuple[int, int, bool]:
        """Bits, group size (-1: one group for each output) and symmetry: all that a format says of a layer."""
        return self.option.bits_per_code, self.option.group_size or -1, self.option.symmetric


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A configuration as a checkpoint sees it."""

    anatomy: Anatomy
    removal: Removal
    quantized: tuple[Planned, ...]  # in the model's order
    dense: tuple[str, ...]  # other layers that are multiplied, by their names in the export
    lookups: tuple[str, ...]  # embeddings that stay dense
    foreign: tuple[tuple[str, Option], ...]  # layers with options of other kinds than keep, quantize and drop

    @classmethod
    def of(cls, anatomy: Anatomy, configuration: Configuration, *, keeps_hollow: bool = False) -> Plan:
        """Read a configuration; layers that it does not name stay dense. ``keeps_hollow``: see `Removal.of`."""
        removal = Removal.of(anatomy, configuration, keeps_hollow=keeps_hollow)
        chosen = dict(configuration.options)
        quantized: list[Planned] = []
        dense: list[str] = []
        lookups: list[str] = []
        foreign: list[tuple[str, Option]] = []
        for layer in (*anatomy.weights, *anatomy.outside):
            option = chosen.get(layer.name, KEEP)
            name = removal.renamed(layer.name)
            if name is None:
                continue
            if isinstance(option, Quantize):
                quantized.append(Planned(layer=layer, name=name, option=option))
            elif option not in (KEEP, DROP):
                foreign.append((layer.name, option))
            else:
                (lookups if layer.is_lookup else dense).append(name)
        return cls(
            anatomy=anatomy,
            removal=removal,
            quantized=tuple(quantized),
            dense=tuple(dense),
            lookups=tuple(lookups),
            foreign=tuple(foreign),
        )

    @property
    def blocks(self) -> str:
        """The dotted name of the list of blocks."""
        return self.anatomy.blocks[0].rpartition(".")[0]

    @cached_property
    def is_tied(self) -> bool:
        """Whether the output head shares its matrix with the embedding."""
        heads = [layer for layer in self.anatomy.outside if not layer.is_lookup]
        return bool(heads) and len(heads) == len(self.anatomy.outside)

    @cached_property
    def usual(self) -> tuple[int, int, bool]:
        """The scheme of most weights, for formats that name one and its exceptions; 4 bits where there is none."""
        weights: Counter[tuple[int, int, bool]] = Counter()
        for each in self.quantized:
            weights[each.scheme] += each.layer.num_weights
        return min(weights, key=lambda scheme: (-weights[scheme], scheme)) if weights else (4, 128, True)

    def refuse(self, is_wrong: Callable[[Planned], bool], rule: str, way_out: str) -> list[str]:
        """A sentence for each quantized layer that a format has no room for."""
        return [
            f"{each.layer.name}: {rule}, got {each.option.slug}; {way_out}" for each in self.quantized if is_wrong(each)
        ]

    def refuse_foreign(self, format_: str, kinds: str = "keep, quantize and drop") -> list[str]:
        """A sentence for each layer whose option is of a kind that packed formats do not hold."""
        return [
            f"{name}: {format_} holds {kinds} alone, got {option.slug}; export it as gguf or dense"
            for name, option in self.foreign
        ]

    def refuse_lookups(self, format_: str) -> list[str]:
        """Sentences for an embedding, and for a head that shares its matrix: codes of a look-up have no place."""
        lookups = self.refuse(
            lambda each: each.layer.is_lookup,
            f"{format_} keeps embeddings dense",
            "keep it, or export mlx, gguf or dense",
        )
        heads = self.refuse(
            lambda each: each.layer.block is None and self.is_tied,
            f"{format_} keeps a head that shares its matrix with the embedding dense",
            "keep it, or export mlx, gguf or dense",
        )
        return lookups + heads

    def refuse_transposed(self, format_: str) -> list[str]:
        """Sentences for GPT-2's ``Conv1D``: its (in, out) weights are no linear layers elsewhere."""
        return self.refuse(
            lambda each: each.layer.is_transposed,
            f"{format_} holds linear layers alone, and this one is a Conv1D as in GPT-2",
            "keep it, or export it as dense",
        )

    def refuse_drops(self, format_: str) -> list[str]:
        """A sentence where anything is dropped, for recipes: a quantizer's recipe has no word for it."""
        parts = [self.removal.zeroed[0].name] if self.removal.zeroed else []
        blocks = [name for name in self.anatomy.blocks if self.removal.renamed(name) is None]
        return [
            f"{name}: {format_} has no word for drop; export the dropped model as dense, and write the recipe for that"
            for name in (blocks + parts)[:1]
        ]


def tied_groups(names: Iterable[str], groups: Iterable[tuple[str, ...]]) -> list[list[str]]:
    """Names of one module whose last parts a runtime fuses, together; every other name alone."""
    of_last = {last: number for number, group in enumerate(groups) for last in group}
    members: dict[tuple[str, int | str], list[str]] = {}
    for name in names:
        parent, _, last = name.rpartition(".")
        members.setdefault((parent, of_last.get(last, last)), []).append(name)
    return list(members.values())
