"""Options that are tensor types of ggml, llama.cpp's format: what each costs, and which weights it can hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

from spaces.errors import InputError
from spaces.layer import Layer
from spaces.option import Banked, Bits, Option
from spaces.tables import check_name

PREFIX = "ggml-"
Indivisible = Literal["error", "keep", "fallback"]
INDIVISIBLE: tuple[Indivisible, ...] = ("error", "keep", "fallback")


@dataclass(frozen=True, kw_only=True)
class Ggml(Banked):
    """Stores the weight as blocks of one ggml type, made by ggml's own code, as a GGUF file holds them.

    A block is ``block_size`` neighbouring inputs of one output, and takes ``block_bytes`` with all its scales. The
    nominal bits are the number in the type's name, whatever else a block stores.
    """

    type_name: str
    bits_per_code: int
    block_size: int
    block_bytes: int
    fallback: str = ""  # the type that llama-quantize stores instead where the blocks do not fill a row
    needs_inputs: bool = False  # ggml refuses to make it without an importance of each input
    solver: str = "ggml"
    kind: ClassVar[str] = "ggml"
    to_divide: ClassVar[str] = (
        "offer them types with blocks of 32 (say q8_0, q5_0, q4_0, iq4_nl), exclude them, or set indivisible: fallback "
        "(what llama-quantize stores instead) or indivisible: keep (leave them as they are)"
    )
    to_pin: ClassVar[str] = "pin it to a type with blocks of 32, say ggml-q8_0 or ggml-q4_0"
    to_look_up: ClassVar[str] = (
        "ggml has no importance of its inputs, which this type needs; give those types layers that leave it out, and "
        "it others, say types: [q4_k]"
    )

    @cached_property
    def slug(self) -> str:
        return f"{PREFIX}{self.type_name}"

    @property
    def unit(self) -> str:
        return f"the block of {self.block_size}"

    def divides(self, columns: int) -> bool:
        return columns % self.block_size == 0

    def row_bytes(self, columns: int) -> int:
        """The bytes of one row of ``columns`` weights."""
        return columns // self.block_size * self.block_bytes

    def bits(self, rows: int, columns: int, dense_bits: int) -> Bits:
        return Bits(stored=8 * rows * self.row_bytes(columns), nominal=rows * columns * self.bits_per_code)

    @classmethod
    def named(cls, type_name: str) -> Ggml:
        """The option of that type.

        Raises:
            InputError: there is none.
        """
        return TYPES[check_name(type_name, TYPES, "ggml type")]

    @classmethod
    def parse(cls, slug: str) -> Option | None:
        return cls.named(slug.removeprefix(PREFIX)) if slug.startswith(PREFIX) else None


def _type(name: str, bits: int, block_size: int, block_bytes: int, fallback: str = "", needs: bool = False) -> Ggml:
    return Ggml(
        type_name=name,
        bits_per_code=bits,
        block_size=block_size,
        block_bytes=block_bytes,
        fallback=fallback,
        needs_inputs=needs,
    )


# Sizes are those of ggml's block structs. Types of one bit are left out: nothing that a search compares comes near.
_ALL = (
    _type("iq2_xxs", 2, 256, 66, "iq4_nl", needs=True),
    _type("iq2_xs", 2, 256, 74, "iq4_nl", needs=True),
    _type("iq2_s", 2, 256, 82, "iq4_nl"),
    _type("q2_k", 2, 256, 84, "q4_0"),
    _type("iq3_xxs", 3, 256, 98, "iq4_nl"),
    _type("iq3_s", 3, 256, 110, "iq4_nl"),
    _type("q3_k", 3, 256, 110, "q4_0"),
    _type("iq4_xs", 4, 256, 136, "iq4_nl"),
    _type("iq4_nl", 4, 32, 18),
    _type("q4_0", 4, 32, 18),
    _type("q4_k", 4, 256, 144, "q5_0"),
    _type("q4_1", 4, 32, 20),
    _type("q5_0", 5, 32, 22),
    _type("q5_k", 5, 256, 176, "q5_1"),
    _type("q5_1", 5, 32, 24),
    _type("q6_k", 6, 256, 210, "q8_0"),
    _type("q8_0", 8, 32, 34),
)
TYPES = {each.type_name: each for each in _ALL}


@dataclass(frozen=True, kw_only=True)
class GgmlSpec:
    """Offers the listed ggml types to the layers that ``layers`` matches."""

    types: tuple[str, ...]
    layers: tuple[str, ...] = ("*",)
    # what a layer gets whose columns the blocks of a type do not fill: an error, no such option, or the type that
    # llama-quantize would store instead
    indivisible: Indivisible = "error"

    def __post_init__(self) -> None:
        for name in self.types:
            Ggml.named(name)
        if self.indivisible not in INDIVISIBLE:
            raise InputError(f"indivisible must be {', '.join(INDIVISIBLE)} for ggml types, got {self.indivisible}")

    def options(self) -> list[Ggml]:
        """What is asked for, whatever the layer."""
        return [Ggml.named(name) for name in self.types]

    def offered(self, layer: Layer) -> list[Option]:
        """What of it suits ``layer``."""
        return [option for each in self.options() if (option := self._suiting(each, layer.columns)) is not None]

    def _suiting(self, option: Ggml, columns: int) -> Ggml | None:
        if option.divides(columns):
            return option
        if self.indivisible != "fallback" or not option.fallback:
            return None
        other = Ggml.named(option.fallback)
        return other if other.divides(columns) else None
