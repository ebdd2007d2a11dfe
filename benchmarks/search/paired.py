"""Two methods on the same unseen sequences: how much less one loses, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Change:
    """A relative difference and its standard errors; -0.05 is 5 % less."""

    mean: float
    se: float  # over sequences: what other text would change
    seed_se: float | None  # over seeds: what other draws would change; None where there was one of each

    def __str__(self) -> str:
        seeds = "" if self.seed_se is None else f" ± {self.seed_se:.1%}"
        return f"{self.mean:+.1%} ± {self.se:.1%}{seeds}"


def relative_change(own: np.ndarray, other: np.ndarray) -> Change:  # both (seeds, sequences), of as many seeds or not
    """The mean of ``own`` over that of ``other``, less 1; seeds are averaged sequence by sequence.

    One error is over sequences, of a ratio of two means: that of the mean of a - r b, over the mean of b (Cochran,
    Sampling Techniques, 3rd edition, section 2.11). The other is over seeds, of which the two share none: their means
    are independent. A method that was run once adds nothing to it.
    """
    a, b = own.mean(axis=0), other.mean(axis=0)
    ratio = float(a.mean() / b.mean())
    rest = a - ratio * b
    se = float(rest.std(ddof=1) / np.sqrt(len(rest)) / b.mean()) if len(rest) > 1 else float("nan")
    variances = [_variance(own.mean(axis=1)), ratio**2 * _variance(other.mean(axis=1))]
    seed_se = None if max(len(own), len(other)) == 1 else float(np.sqrt(sum(variances)) / b.mean())
    return Change(mean=ratio - 1, se=se, seed_se=seed_se)


def _variance(means: np.ndarray) -> float:  # (seeds,)
    """Of their mean; 0 for a single one."""
    return float(means.var(ddof=1) / len(means)) if len(means) > 1 else 0.0
