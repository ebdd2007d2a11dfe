"""Two methods on the same unseen sequences: how much less one loses, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Change:
    """A relative difference and its standard error; -0.05 is 5 % less."""

    mean: float
    se: float


def relative_change(own: np.ndarray, other: np.ndarray) -> Change:  # both (seeds, sequences), of as many seeds or not
    """The mean of ``own`` over that of ``other``, less 1; seeds are averaged sequence by sequence.

    The error is over sequences, of a ratio of two means: that of the mean of a - r b, over the mean of b (Cochran,
    Sampling Techniques, 3rd edition, section 2.11). What another seed would change is not in it.
    """
    a, b = own.mean(axis=0), other.mean(axis=0)
    ratio = float(a.mean() / b.mean())
    rest = a - ratio * b
    se = float(rest.std(ddof=1) / np.sqrt(len(rest)) / b.mean()) if len(rest) > 1 else float("nan")
    return Change(mean=ratio - 1, se=se)
