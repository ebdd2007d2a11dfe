"""Spaces made by hand, and random ones: small enough to try every configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from hypothesis import strategies as st

from spaces.discovery import Anatomy
from spaces.layer import Layer
from spaces.option import DROP, KEEP, Option, Quantize
from spaces.space import Levels, Space, Unit

Shape = tuple[int, int]


def quantize(bits: int, group: int | None = None, *, symmetric: bool = True, solver: str = "rtn") -> Quantize:
    return Quantize(bits_per_code=bits, group_size=group, symmetric=symmetric, solver=solver)


def weight(name: str, shape: Shape, *, block: int | None = None, inside: tuple[str, ...] = ()) -> Layer:
    return Layer(name=name, block=block, module=name, rows=shape[0], columns=shape[1], inside=inside)


def block_of(number: int, shapes: Sequence[Shape], *, biases: int) -> tuple[list[Layer], list[Layer]]:
    """The weights of a block, all in its attention, and its two parts."""
    name = f"block{number}"
    inside = (name, f"{name}.attn")
    weights = [weight(f"{name}.attn.w{n}", shape, block=number, inside=inside) for n, shape in enumerate(shapes)]
    attention = Layer(
        name=f"{name}.attn", block=number, module="attn", part="attention", other_parameters=biases, inside=(name,)
    )
    whole = Layer(name=name, block=number, module="block", part="block", other_parameters=biases + 1)
    return weights, [attention, whole]


def space_of(
    blocks: Sequence[tuple[Sequence[Shape], Sequence[Option]]],  # the shapes of each block's weights, their options
    *,
    drops: Sequence[str] = (),  # names of the parts that may be dropped
    rest: int = 10,  # parameters outside the blocks
    biases: int = 3,  # of each attention
    dense_bits: int = 16,
) -> Space:
    """One unit for each weight and droppable part; options in the given order, smallest first."""
    weights: list[Layer] = []
    parts: list[Layer] = []
    offered: dict[str, tuple[Option, ...]] = {}
    for number, (shapes, options) in enumerate(blocks):
        own, own_parts = block_of(number, shapes, biases=biases)
        weights += own
        parts += own_parts
        offered |= {layer.name: tuple(options) for layer in own}
    layers = (*weights, *(part for part in parts if part.name in drops))
    others = sum(part.other_parameters for part in parts)
    anatomy = Anatomy(
        blocks=tuple(f"block{number}" for number in range(len(blocks))),
        weights=tuple(weights),
        outside=(),
        parts=tuple(parts),
        num_parameters=sum(layer.num_weights for layer in weights) + others + rest,
        dense_bits=dense_bits,
        modules_of={part.name: (part.name,) for part in parts},
    )
    units = tuple(
        Unit(layers=(index,), options=offered.get(layer.name, (DROP, KEEP))) for index, layer in enumerate(layers)
    )
    return Space(anatomy=anatomy, layers=layers, units=units, ties="none")


def every(space: Space) -> Iterator[Levels]:
    return product(*(range(len(unit.options)) for unit in space.units))


OPTIONS: list[Option] = [
    quantize(2, 32, symmetric=False),
    quantize(3),
    quantize(2),
    quantize(4, 32, symmetric=False),
    KEEP,
]


@st.composite
def small_spaces(draw: st.DrawFn) -> Space:
    """One or two blocks of one or two weights, each with up to three options, and up to two droppable parts.

    Weights of one row pay much for groups, so that fewer bits can take more room: measures then pull apart.
    """
    shapes = st.tuples(st.integers(1, 3), st.sampled_from([32, 64]))
    options = st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=3, unique=True)
    blocks = draw(st.lists(st.tuples(st.lists(shapes, min_size=1, max_size=2), options), min_size=1, max_size=2))
    names = [f"block{number}{part}" for number in range(len(blocks)) for part in ("", ".attn")]
    return space_of(blocks, drops=draw(st.lists(st.sampled_from(names), max_size=2, unique=True)))
