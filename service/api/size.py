"""Sizes as people send them: a number of bytes, or a text such as 4GiB."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from spaces.quantities import parse_size

LARGEST_SIZE = 2**53  # bytes; every reader of JSON holds it exactly
SIZE_PATTERN = r"^[0-9][0-9_]{0,18}(\.[0-9]{0,18})? ?([KMGTkmgt][iI]?[bB]|[bB])?$"

SizeText = Annotated[str, Field(pattern=SIZE_PATTERN)]


def size_bytes(asked: int | str) -> int:
    """Whole bytes; what is larger than any model counts as ``LARGEST_SIZE``.

    Raises:
        InputError: the text is not a size.
    """
    return min(parse_size(str(asked)), LARGEST_SIZE)
