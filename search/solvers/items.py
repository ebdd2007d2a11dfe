"""Items: what a solver decides, each with the size in whole bits and the cost of its options."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class Item:
    """One decision: a layer, layers tied to one option, or a droppable group.

    Costs may be negative and need not fall as sizes grow; a cost of +inf forbids its option.

    Raises:
        InputError: no options, unequal lengths, a size that is no whole number of bits, a cost of NaN or -inf.
    """

    sizes: NDArray[np.int64]  # (options,), whole bits
    costs: NDArray[np.float64]  # (options,)

    def __post_init__(self) -> None:
        if self.sizes.ndim != 1 or self.sizes.shape != self.costs.shape or not self.sizes.size:
            raise InputError(
                f"an item needs one size and one cost for each of its options, "
                f"got shapes {self.sizes.shape} and {self.costs.shape}"
            )
        if self.sizes.dtype != np.int64:
            raise InputError(f"sizes are whole bits in int64, got {self.sizes.dtype}; convert them without rounding")
        if self.sizes.min() < 0:
            raise InputError(f"a size must be at least 0 bits, got {self.sizes.min()}; count from the smallest option")
        if not self.costs.min() > -np.inf:  # nor is NaN
            refused = self.costs[~(self.costs > -np.inf)]
            raise InputError(f"a cost must be a number or +inf, got {refused[0]}; measure that option again")
