"""What a person asks of a space: options to offer, layers to take, leave out, pin and tie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal

from spaces.errors import InputError
from spaces.ggml import GgmlSpec
from spaces.layer import PARTS, Layer, Part
from spaces.option import DROP, Banked, Option, Quantize
from spaces.tables import check_name

Indivisible = Literal["error", "channel", "keep"]


@dataclass(frozen=True, kw_only=True)
class QuantizeSpec:
    """Offers every combination of the listed bits, group sizes and symmetries to the layers that ``layers`` matches."""

    bits: tuple[int, ...]
    group_sizes: tuple[int | None, ...] = (128,)
    symmetric: tuple[bool, ...] = (False,)
    solver: str = "gptq"
    layers: tuple[str, ...] = ("*",)
    # what a layer gets whose columns a group size does not divide: an error, one group per channel, or no such option
    indivisible: Indivisible = "error"

    def options(self) -> list[Quantize]:
        return [
            Quantize(bits_per_code=bits, group_size=group, symmetric=symmetric, solver=self.solver)
            for group in self.group_sizes
            for symmetric in self.symmetric
            for bits in self.bits
        ]

    def offered(self, layer: Layer) -> list[Option]:
        """What of it suits ``layer``."""
        return [option for each in self.options() if (option := self._suiting(each, layer.columns)) is not None]

    def _suiting(self, option: Quantize, columns: int) -> Quantize | None:
        if option.divides(columns):
            return option
        return replace(option, group_size=None) if self.indivisible == "channel" else None


@dataclass(frozen=True, kw_only=True)
class DropSpec:
    """Offers to drop the named kinds of part where ``layers`` matches the part's name."""

    parts: tuple[Part, ...] = ("attention", "mlp")
    layers: tuple[str, ...] = ("*",)

    def __post_init__(self) -> None:
        for part in self.parts:
            check_name(part, PARTS, "droppable part")


Request = QuantizeSpec | GgmlSpec | DropSpec


@dataclass(frozen=True, kw_only=True)
class SpaceSpec:
    """The whole request. Globs match layer names with case; every glob must match at least one layer."""

    options: tuple[Request, ...]
    include: tuple[str, ...] = ()  # beyond the linear layers inside the blocks: "lm_head", embeddings
    exclude: tuple[str, ...] = ()
    pin: Mapping[str, Option] = field(default_factory=dict)  # glob -> the only option
    ties: str | None = None  # None: those that the target needs
    target: str = "any"  # in `spaces.targets.TARGETS`


def matches(name: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def offer(layer: Layer, spec: SpaceSpec) -> list[Option]:
    """The options that ``spec`` offers to ``layer``, without ``keep`` and duplicates, in the order asked."""
    offered: list[Option] = []
    for request in spec.options:
        if not matches(layer.name, request.layers):
            continue
        if isinstance(request, DropSpec):
            offered += [DROP] if layer.part in request.parts else []
        elif layer.part is None:
            offered += request.offered(layer)
    return list(dict.fromkeys(offered))


def check_groups(layers: list[Layer], spec: SpaceSpec) -> None:
    """Refuse group sizes and blocks that do not divide a layer, unless the request says what to do instead.

    Raises:
        InputError: names the group size and the layers, and the ways out.
    """
    for request in spec.options:
        if isinstance(request, DropSpec) or request.indivisible != "error":
            continue
        for option in request.options():
            bad = [
                layer
                for layer in layers
                if layer.part is None and matches(layer.name, request.layers) and not option.divides(layer.columns)
            ]
            if bad:
                shown = ", ".join(f"{layer.name} ({layer.columns} columns)" for layer in bad[:4])
                more = f" and {len(bad) - 4} more" if len(bad) > 4 else ""
                raise InputError(
                    f"{option.unit} does not divide the input columns of {shown}{more}; {option.to_divide}"
                )


def check_lookups(layers: list[Layer], spec: SpaceSpec) -> None:
    """Refuse on embeddings what needs inputs: their rows are looked up and so have no input Hessian."""
    for layer in layers:
        for option in offer(layer, spec):
            if isinstance(option, Banked):
                _check_lookup(option, layer)


def check_option(option: Banked, layer: Layer) -> None:
    """Refuse a pinned option that its layer cannot have: nothing stands in for a pin.

    Raises:
        InputError: the group size does not divide the layer, or an embedding is pinned to what needs its inputs.
    """
    if not option.divides(layer.columns):
        raise InputError(
            f"pin: {option.unit} of {option.slug} does not divide the {layer.columns} input columns "
            f"of {layer.name}; {option.to_pin}"
        )
    _check_lookup(option, layer)


def _check_lookup(option: Banked, layer: Layer) -> None:
    if layer.is_lookup and option.needs_inputs:
        raise InputError(
            f"{layer.name} is an embedding: its rows are looked up, not multiplied, so {option.to_look_up} "
            f"and layers: [{layer.name!r}]"
        )
