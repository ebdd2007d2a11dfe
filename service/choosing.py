"""Which of the configurations that a job has measured: by its number or id, or the best within limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spaces.errors import InputError, UnknownError
from spaces.quantities import show_size

# a configuration as `search.report` describes it; "seq" where it has a number, and "seqs" where it may have several
Row = Mapping[str, Any]
MAX_NUMBER_DIGITS = 8  # longer ones are the beginnings of ids
ID_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person asked for; nothing: the job's answer."""

    pick: str | None = None
    max_size_bytes: int | None = None
    max_kl: float | None = None

    def __post_init__(self) -> None:
        if self.pick is not None and self.has_limits:
            raise InputError(f"--pick {self.pick} names the candidate; leave --max-size and --max-kl out, or --pick")

    @property
    def has_limits(self) -> bool:
        return self.max_size_bytes is not None or self.max_kl is not None


def choose(rows: Sequence[Row], wanted: Wanted, answers: Sequence[str]) -> Row:
    """The row asked for; ``answers`` are the ids of the job's own.

    Under a size, the least KL; without one, the smallest whose KL is low enough.

    Raises:
        UnknownError: none has that number or id, or the job has no answer yet.
        InputError: nothing is within the limits, or the job has several answers and none is asked for.
    """
    if wanted.pick is not None:
        return _picked(rows, wanted.pick)
    if wanted.has_limits:
        return _within(rows, wanted)
    own = [row for row in rows if row["configuration_id"] in answers]
    if not own:
        raise UnknownError("there is no answer yet; choose with --pick, --max-size or --max-kl")
    if len(own) > 1:
        shown = "; ".join(f"{row['configuration_id']} ({show_size(row['size_bytes'])})" for row in own)
        raise InputError(f"there is an answer for each of several budgets; --pick one, or give --max-size: {shown}")
    return own[0]


def is_number(pick: str) -> bool:
    """Whether it is a candidate's number, and not the beginning of an id."""
    return pick.isdecimal() and len(pick) <= MAX_NUMBER_DIGITS


def _picked(rows: Sequence[Row], pick: str) -> Row:
    if is_number(pick):
        found = [row for row in rows if int(pick) in row.get("seqs", (row.get("seq"),))]
    else:
        found = [row for row in rows if row["configuration_id"].startswith(pick.lower())]
    if len(found) != 1:
        known = ", ".join(_named(row) for row in rows[:ID_SHOWN])
        problem = "is the beginning of several ids" if found else "is none of its candidates"
        raise UnknownError(f"--pick {pick} {problem}; it has {len(rows)}, say {known}")
    return found[0]


def _named(row: Row) -> str:
    number = row.get("seq")
    return row["configuration_id"] if number is None else f"{number} ({row['configuration_id']})"


def _within(rows: Sequence[Row], wanted: Wanted) -> Row:
    measured = [row for row in rows if row.get("kl_calibration") is not None]
    size, loss = wanted.max_size_bytes, wanted.max_kl
    fitting = [
        row
        for row in measured
        if (size is None or row["size_bytes"] <= size) and (loss is None or row["kl_calibration"] <= loss)
    ]
    if fitting and size is not None:
        return min(fitting, key=lambda row: (row["kl_calibration"], row["size_bytes"]))
    if fitting:
        return min(fitting, key=lambda row: (row["size_bytes"], row["kl_calibration"]))
    if not measured:
        raise InputError("nothing here has a KL divergence to choose by; choose with --pick")
    smallest = min(measured, key=lambda row: row["size_bytes"])
    closest = min(measured, key=lambda row: row["kl_calibration"])
    asked = [] if size is None else [f"--max-size {show_size(size)}"]
    asked += [] if loss is None else [f"--max-kl {loss:g}"]
    raise InputError(
        f"nothing measured is within {' and '.join(asked)}: the smallest has {show_size(smallest['size_bytes'])} at "
        f"KL {smallest['kl_calibration']:.4g}, the closest to the dense model KL {closest['kl_calibration']:.4g} at "
        f"{show_size(closest['size_bytes'])}; allow more"
    )
