"""The errors a person meets: each names the rule, the value received and the way out."""

from __future__ import annotations


class LayerpressError(Exception):
    """Base of every error that Layerpress raises on purpose."""


class InputError(LayerpressError):
    """What was asked for cannot be done as written; nothing was started and nothing is lost."""


class BudgetError(InputError):
    """A budget that no configuration of the space meets."""


class JobError(LayerpressError):
    """A job that had started could not go on; what it finished is kept."""
