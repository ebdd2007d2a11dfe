"""The table of a contest: each contender's loss on unseen text, paired with the best plain choice's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.document import table
from search.report import standard_error
from spaces.budget import show_size
from spaces.space import Measures, Space

HEADER = (
    "",
    "seed",
    "nominal bits",
    "size",
    "validation KL ± s.e.",
    "paired difference to the best plain choice ± s.e.",
    "tokens read",
    "",
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line. ``kl`` are means over the sequences of the validation text, in nats per token."""

    name: str
    kl: np.ndarray  # float64 (sequences,)
    measures: Measures | None = None  # None: a mean over several configurations
    seed: str = ""
    num_tokens: float | None = None  # None: not searched for
    remark: str = ""


def mean_of(entries: Sequence[Entry]) -> Entry:
    """The mean over seeds, sequence by sequence, so that its standard error is over sequences like every other."""
    return Entry(
        name=entries[0].name,
        kl=np.mean([entry.kl for entry in entries], axis=0),
        seed=f"mean of {len(entries)}",
        num_tokens=float(np.mean([entry.num_tokens or 0 for entry in entries])),
    )


def show_contest(entries: Sequence[Entry], best: np.ndarray, space: Space) -> str:
    """All entries, each less ``best`` (sequences,): the KL of the plain choice that they are held against."""
    return table(HEADER, [_row(entry, best, space) for entry in entries])


def _row(entry: Entry, best: np.ndarray, space: Space) -> tuple[str, ...]:
    measures, difference = entry.measures, entry.kl - best
    return (
        entry.name,
        entry.seed,
        "" if measures is None else f"{measures.nominal_bits / space.num_weights:.4f}",
        "" if measures is None else show_size(measures.size_bytes),
        f"{entry.kl.mean():.5f} ± {standard_error(entry.kl):.5f}",
        f"{difference.mean():+.5f} ± {standard_error(difference):.5f}" if difference.any() else "",
        "" if entry.num_tokens is None else f"{entry.num_tokens:,.0f}",
        entry.remark,
    )
