"""The errors a person meets: each names the rule, the value received and the way out."""

from __future__ import annotations


class LayerpressError(Exception):
    """Base of every error that Layerpress raises on purpose."""


class InputError(LayerpressError):
    """What was asked for cannot be done as written; nothing was started and nothing is lost."""


class PlacedError(InputError):
    """Bad input at a key of the job, ``place``: what leads to it from the job's root."""

    def __init__(self, message: str, place: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.place = place


class BudgetError(InputError):
    """A budget that no configuration of the space meets."""


class JobError(LayerpressError):
    """A job that had started could not go on; what it finished is kept."""


class UnknownError(InputError):
    """What was asked for by name or id does not exist."""


class ConflictError(InputError):
    """What was asked for does not go together with the state that things are in."""


class UnreachableError(JobError):
    """A database that does not answer at the moment; the same may go well in a while."""


class LeaseLostError(JobError):
    """Somebody else goes on with the job: what this process would add is refused."""
