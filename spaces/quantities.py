"""Sizes, counts and rates as people write and read them; exact, and without a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import floor

from spaces.errors import InputError

# one or more digits, in groups of three or not, a decimal point, and at most two digits of exponent
NUMBER = r"(\d{1,3}(?:,\d{3})+|\d[\d_]*)(\.\d*)?(e[+-]?\d{1,2})?"

SIZE_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
SIZE_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
COUNT_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
FLOP_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_size(text: str) -> int:
    """Bytes of ``1.5GiB``, ``12MB`` or a plain number; KB is 1000 bytes, KiB 1024."""
    return _number_with_unit(text, {"": 1, **SIZE_UNITS}, "size", "1.5GiB, 12MB or a number of bytes")


def parse_count(text: str) -> int:
    """``6.5B``, ``800M`` or a plain number."""
    return _number_with_unit(text, COUNT_UNITS, "parameters", "6.5B, 800M or a plain number")


def parse_flops(text: str) -> int:
    """``1.5G``, ``20M`` or a plain number."""
    return _number_with_unit(text, FLOP_UNITS, "flops", "1.5G, 20M or a plain number")


def _number_with_unit(text: str, units: Mapping[str, int], name: str, example: str) -> int:
    match = re.fullmatch(rf"({NUMBER})\s*([a-z]*)", text.strip(), re.ASCII | re.IGNORECASE)
    if match is None or match[5].upper() not in units:
        raise InputError(f"{name} must be written like {example}, got {text!r}")
    return floor(_exact(match[1]) * units[match[5].upper()])


def parse_rate(text: str, name: str) -> Fraction:
    """A number that is not negative; ``name`` is what it limits."""
    if re.fullmatch(NUMBER, text.strip(), re.ASCII | re.IGNORECASE) is None:
        raise InputError(f"{name} must be a number that is not negative, such as 3 or 2.5, got {text!r}")
    return _exact(text.strip())


def _exact(number: str) -> Fraction:
    """The exact value of a decimal, so that no float rounding ever moves a limit."""
    return Fraction(number.replace(",", "").replace("_", ""))


def show_size(size_bytes: float) -> str:
    """Bytes as a person reads them: 12.35 MB, 1.500 GB."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.3f} {unit}"
    return f"{size_bytes:.0f} B"


def show_flops(flops: int) -> str:
    """20.97M, 1.50G: as ``parse_flops`` reads them."""
    return _with_unit(flops, FLOP_UNITS)


def show_count(count: int) -> str:
    """10.49M, 6.50B: as ``parse_count`` reads them."""
    return _with_unit(count, COUNT_UNITS)


def _with_unit(number: int, units: Mapping[str, int]) -> str:
    name, scale = max((each for each in units.items() if each[1] <= max(1, number)), key=lambda each: each[1])
    return f"{number / scale:.2f}{name}" if scale > 1 else str(number)


def show_exact_size(size_bytes: int) -> str:
    """Every byte of a size, with its unit: 2.101878784 GB."""
    for unit, digits in (("GB", 9), ("MB", 6), ("kB", 3)):
        if size_bytes >= 10**digits:
            whole, rest = divmod(size_bytes, 10**digits)
            return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{size_bytes} B"
