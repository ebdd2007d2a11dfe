"""What several routes take: ids in the path, pages, and cursors that only the service can read."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated

from fastapi import Header, Path, Query
from pydantic import Field
from starlette.convertors import StringConvertor, register_url_convertor

from spaces.errors import InputError

MAX_PAGE = 200
MAX_SEQ = 2**31 - 1
JOB_ID_PATTERN = "[A-Za-z0-9_-]{1,64}"
CURSOR_PATTERN = "^[A-Za-z0-9_-]{2,400}$"


class JobIdConvertor(StringConvertor):
    """Ids of jobs have no colon, so that ``/jobs/{job_id:job}`` leaves ``/jobs/abc:pause`` to its own route."""

    regex = JOB_ID_PATTERN


register_url_convertor("job", JobIdConvertor())

JobId = Annotated[str, Path(pattern=f"^{JOB_ID_PATTERN}$", description="of a job", examples=["3f9c2a7d81e0"])]
Seq = Annotated[int, Path(ge=1, le=MAX_SEQ, description="of a candidate, within its job")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="items on a page")]
Cursor = Annotated[str | None, Query(pattern=CURSOR_PATTERN, description="next_cursor of the page before")]
After = Annotated[int, Query(ge=0, le=MAX_SEQ, description="the last number seen")]
Searched = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00]*$")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="made up by the client: sent again with the same body, the answer is the same job",
    ),
]


def write_cursor(*position: str | int | float) -> str:
    """Where a page ended, for the next one to begin after."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type | tuple[type, ...]) -> list[str | int | float]:
    """What ``write_cursor`` was given.

    Raises:
        InputError: it is none of ours, or another list's.
    """
    try:
        position = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise _foreign(cursor) from error
    if not isinstance(position, list) or len(position) != len(kinds):
        raise _foreign(cursor)
    if not all(isinstance(each, kind) for each, kind in zip(position, kinds, strict=True)):
        raise _foreign(cursor)
    if not all(each.isprintable() for each in position if isinstance(each, str)):  # no database takes half a character
        raise _foreign(cursor)
    return position


def _foreign(cursor: str) -> InputError:
    return InputError(f"cursor must be next_cursor of a page of this list, got {cursor!r}; begin without one")
