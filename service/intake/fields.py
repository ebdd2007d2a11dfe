"""Errors of a job that say where in it they lie, for those who send jobs from a program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from spaces.errors import InputError, PlacedError

Loc = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong, and the keys that lead to it."""

    loc: Loc
    message: str


class FieldError(InputError):
    """Bad input whose place is known."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(dict.fromkeys(fault.message for fault in faults)))
        self.faults = faults


@contextmanager
def at(*loc: str | int) -> Iterator[None]:
    """Say of every bad input found within that it lies at ``loc``, unless it says so itself."""
    try:
        yield
    except FieldError:
        raise
    except PlacedError as error:
        raise FieldError(Fault(loc=error.place or loc, message=str(error))) from error
    except InputError as error:
        raise FieldError(Fault(loc=loc, message=str(error))) from error
