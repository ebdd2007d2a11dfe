"""Options: the ways to compress one layer, each with a canonical slug and an exact cost in bits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
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


NO_BITS = Bits(stored=0, nominal=0)


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


class Banked:
    """What options have in common that give a layer another weight: one that a solver makes and the bank holds."""

    kind: ClassVar[str]
    bits_per_code: int  # of one weight, without scales: the bit-width that people name
    solver: str  # in `compressors.solvers.SOLVERS`
    to_divide: ClassVar[str]  # ways out, for errors: where rows are not filled
    to_pin: ClassVar[str]  # where a pin does not fill them
    to_look_up: ClassVar[str]  # where an embedding has no inputs

    @property
    def slug(self) -> str:
        """As `Option` says."""
        raise NotImplementedError

    @property
    def needs_inputs(self) -> bool:
        """Whether the solver needs the layer's inputs, which an embedding has not."""
        raise NotImplementedError

    @property
    def unit(self) -> str:
        """What has to fill a row of weights, in words: "group_size 128"."""
        raise NotImplementedError

    def divides(self, columns: int) -> bool:
        """Whether whole units fill a row of ``columns`` weights."""
        raise NotImplementedError

    def bits(self, rows: int, columns: int, dense_bits: int) -> Bits:
        """As `Option` says."""
        raise NotImplementedError

    @classmethod
    def parse(cls, slug: str) -> Option | None:
        """As `Option` says."""
        raise NotImplementedError


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
        return NO_BITS

    @classmethod
    def parse(cls, slug: str) -> Option | None:
        return DROP if slug == "drop" else None


@dataclass(frozen=True, kw_only=True)
class Quantize(Banked):
    """Rounds each group of a row to integer codes that share one scale (and one zero point).

    ``group_size`` counts neighbouring input columns; None is one group per output channel.
    Asymmetric (``symmetric=False``) stores an integer zero point of ``bits`` bits for every group.
    """

    bits_per_code: int
    group_size: int | None
    symmetric: bool
    solver: str
    kind: ClassVar[str] = "quantize"
    to_divide: ClassVar[str] = (
        "choose another group_size, exclude them, or set indivisible: channel (one group per channel) "
        "or indivisible: keep (leave them as they are)"
    )
    to_pin: ClassVar[str] = "pin it to another group_size, or to channel"
    to_look_up: ClassVar[str] = (
        "solver gptq has no Hessian for it; give those options layers that leave it out, and it an option of its own "
        "with solver: rtn"
    )

    def __post_init__(self) -> None:
        if self.bits_per_code not in BIT_WIDTHS:
            raise InputError(f"bits must be a whole number from 2 to 8, got {self.bits_per_code}")
        if self.group_size is not None and self.group_size not in GROUP_SIZES:
            raise InputError(
                f"group_size must be one of {', '.join(map(str, GROUP_SIZES))} or channel, got {self.group_size}"
            )
        check_name(self.solver, SOLVERS, "quantize solver")

    @cached_property
    def slug(self) -> str:
        group = "channel" if self.group_size is None else f"g{self.group_size}"
        return f"{self.solver}-int{self.bits_per_code}-{group}-{'sym' if self.symmetric else 'asym'}"

    @property
    def needs_inputs(self) -> bool:
        return self.solver == "gptq"

    @property
    def unit(self) -> str:
        return f"group_size {self.group_size}"

    def divides(self, columns: int) -> bool:
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
    "ggml": "spaces.ggml:Ggml",
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
    raise InputError(f"unknown option {slug!r}; write keep, drop or, say, gptq-int4-g128-asym or ggml-q4_k")
