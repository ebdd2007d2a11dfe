"""Options: the ways to compress one layer, each with a canonical slug and an exact cost in bits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import ClassVar, Protocol

from spaces.errors import InputError
from spaces.tables import check_name, load

WORD_BITS = 32  # codes are packed into rows of 32-bit words
SCALE_BITS = 16  # a scale is stored as float16 or bfloat16
BIT_WIDTHS = range(2, 9)
GROUP_SIZES = (32, 64, 128)
SOLVERS = ("gptq", "rtn")


@dataclass(frozen=True, kw_only=True)
class Bits:
    """What one layer's weight takes in the exported checkpoint, in whole bits.

    ``nominal`` is the share that papers quote: the codes alone, without padding.
    """

    stored: int
    nominal: int

    def __add__(self, other: Bits) -> Bits:
        return Bits(stored=self.stored + other.stored, nominal=self.nominal + other.nominal)


class Option(Protocol):
    """One way to compress a layer. Equal options have equal slugs, and a slug names one option."""

    kind: ClassVar[str]

    @property
    def slug(self) -> str:
        """The canonical short form, as written in ``configuration.json``."""

    def bits(self, rows: int, columns: int, dense_bits: int) -> Bits:
        """The cost of a ``(rows, columns)`` weight whose dense elements take ``dense_bits`` each."""

    @classmethod
    def parse(cls, slug: str) -> Option | None:
        """The option that ``slug`` names, or None where it is not of this kind."""


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Leaves the layer as it is."""

    kind: ClassVar[str] = "keep"

    @property
    def slug(self) -> str:
        return "keep"

    def bits(self, rows: int, columns: int, dense_bits: int) -> Bits:
        return Bits(stored=rows * columns * dense_bits, nominal=rows * columns * dense_bits)

    @classmethod
    def parse(cls, slug: str) -> Option | None:
        return KEEP if slug == "keep" else None


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Removes an attention, an MLP or a whole block: the residual stream passes by."""

    kind: ClassVar[str] = "drop"

    @property
    def slug(self) -> str:
        return "drop"

    def bits(self, rows: int, columns: int, dense_bits: int) -> Bits:
        return Bits(stored=0, nominal=0)

    @classmethod
    def parse(cls, slug: str) -> Option | None:
        return DROP if slug == "drop" else None


@dataclass(frozen=True, kw_only=True)
class Quantize:
    """Rounds each group of a row to integer codes that share one scale (and one zero point).

    ``group_size`` counts neighbouring input columns; None is one group per output channel.
    Asymmetric (``symmetric=False``) stores an integer zero point of ``bits`` bits for every group.
    """

    bits_per_code: int
    group_size: int | None
    symmetric: bool
    solver: str
    kind: ClassVar[str] = "quantize"

    def __post_init__(self) -> None:
        if self.bits_per_code not in BIT_WIDTHS:
            raise InputError(f"bits must be a whole number from 2 to 8, got {self.bits_per_code}")
        if self.group_size is not None and self.group_size not in GROUP_SIZES:
            raise InputError(
                f"group_size must be one of {', '.join(map(str, GROUP_SIZES))} or channel, got {self.group_size}"
            )
        check_name(self.solver, SOLVERS, "quantize solver")

    @property
    def slug(self) -> str:
        group = "channel" if self.group_size is None else f"g{self.group_size}"
        return f"{self.solver}-int{self.bits_per_code}-{group}-{'sym' if self.symmetric else 'asym'}"

    def divides(self, columns: int) -> bool:
        """Whether whole groups fill a row of ``columns`` weights."""
        return self.group_size is None or columns % self.group_size == 0

    def num_groups(self, columns: int) -> int:
        """Groups, and so scales, in one row of ``columns`` weights."""
        return 1 if self.group_size is None else columns // self.group_size

    def bits(self, rows: int, columns: int, dense_bits: int) -> Bits:
        groups = self.num_groups(columns)
        codes = WORD_BITS * rows * ceil(columns * self.bits_per_code / WORD_BITS)
        scales = SCALE_BITS * rows * groups
        zeros = 0 if self.symmetric else WORD_BITS * groups * ceil(rows * self.bits_per_code / WORD_BITS)
        return Bits(stored=codes + scales + zeros, nominal=rows * columns * self.bits_per_code)

    @classmethod
    def parse(cls, slug: str) -> Option | None:
        match = re.fullmatch(r"([a-z]+)-int(\d{1,4})-(channel|g\d{1,6})-(sym|asym)", slug)
        if match is None:
            return None
        solver, bits, group, symmetry = match.groups()
        return cls(
            bits_per_code=int(bits),
            group_size=None if group == "channel" else int(group[1:]),
            symmetric=symmetry == "sym",
            solver=solver,
        )


KEEP = Keep()
DROP = Drop()

OPTION_KINDS = {
    "keep": "spaces.option:Keep",
    "quantize": "spaces.option:Quantize",
    "drop": "spaces.option:Drop",
}


def parse_option(slug: str) -> Option:
    """The option that a slug names, of whatever kind.

    Raises:
        InputError: no option kind reads it.
    """
    for kind in OPTION_KINDS:
        option: Option | None = load(OPTION_KINDS, kind, "option kind").parse(slug)
        if option is not None:
            return option
    raise InputError(f"unknown option {slug!r}; write keep, drop or, say, gptq-int4-g128-asym or rtn-int8-channel-sym")
