"""Numbers as a reader meets them: sizes in one decimal unit, objectives with their standard error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, inf, log10


@dataclass(frozen=True, kw_only=True)
class SizeUnit:
    """A decimal unit of size, as disks and model hubs count."""

    name: str
    num_bytes: int

    def show(self, size_bytes: int) -> str:
        return f"{size_bytes / self.num_bytes:,.4g} {self.name}"


SIZE_UNITS = (
    SizeUnit(name="GB", num_bytes=10**9),
    SizeUnit(name="MB", num_bytes=10**6),
    SizeUnit(name="kB", num_bytes=10**3),
)


def size_unit(sizes_bytes: Iterable[int]) -> SizeUnit:
    """The unit that shows the largest size as a number from 1 to 999, if one does."""
    largest = max(sizes_bytes)
    return next((unit for unit in SIZE_UNITS if largest >= unit.num_bytes), SIZE_UNITS[-1])


def show_objective(objective: float, standard_error: float | None) -> str:
    """``0.04120 ± 0.00057``: to two digits of the error, or four digits where the error is unknown."""
    if standard_error is None or not 0 < standard_error < inf:
        return f"{objective:,.4g}"
    num_decimals = max(0, 1 - floor(log10(standard_error)))
    return f"{objective:,.{num_decimals}f} ± {standard_error:.{num_decimals}f}"


COUNT_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def show_count(count: int) -> str:
    """``1.05 M``: three digits and a prefix."""
    for size, prefix in COUNT_UNITS:
        if count >= 0.9995 * size:
            return f"{count / size:.3g} {prefix}"
    return str(count)
