"""What a command's exit code says."""

from __future__ import annotations

from spaces.errors import InputError, LayerpressError, UnknownError, UnreachableError

DONE, FAILED, BAD_INPUT, NOT_FOUND, NOT_ALLOWED, UNREACHABLE = range(6)
EXITS = (
    "0 done, 1 the job failed, 2 bad input, 3 not found, 4 not allowed, 5 the service or its database does not "
    "answer, 130 interrupted"
)


def exit_code(error: LayerpressError) -> int:
    """The code for an error that ends a command."""
    from service.client.problems import TokenError

    if isinstance(error, TokenError):
        return NOT_ALLOWED
    if isinstance(error, UnknownError):
        return NOT_FOUND
    if isinstance(error, UnreachableError):
        return UNREACHABLE
    return BAD_INPUT if isinstance(error, InputError) else FAILED
