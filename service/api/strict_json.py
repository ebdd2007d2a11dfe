"""JSON that reads in one way alone, and that every database keeps."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from spaces.errors import InputError

MAX_DEPTH = 32
MAX_TEXT = 4096  # characters: a path, and fewer than the digits that Python takes for a number
MAX_INTEGER = 2**53 - 1  # what every reader of JSON keeps exactly


def read_json(body: bytes) -> Any:
    """What JSON holds.

    Raises:
        InputError: it is no JSON in UTF-8, or has a key twice, NaN, an infinite or huge number, NUL, or is too deep.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise InputError(f"the body is not JSON in UTF-8: {error}; check it with `python -m json.tool`") from error
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise InputError(f"a key may stand once in an object, got {twice[:80]!r} twice; leave one out")
    return found


def _constant(name: str) -> Any:
    raise InputError(f"numbers must be finite, got {name}; JSON has null for what is not known")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InputError(f"numbers must be finite, got {text[:80]}, which no float64 holds")
    return value


def _integer(text: str) -> int:
    if len(text) > len(str(MAX_INTEGER)) + 1 or abs(int(text)) > MAX_INTEGER:
        raise InputError(f"whole numbers must be within 2**53, got {text[:80]}")
    return int(text)


def _check(value: Any) -> None:
    """Refuse what is nested too deeply, and text that no database keeps."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        for text in _texts(level):
            _check_text(text)
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise InputError(f"objects and lists may be nested {MAX_DEPTH} deep, got more; no job needs that")


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _texts(level: list[Any]) -> Iterable[str]:
    for value in level:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise InputError(f"a text may have {MAX_TEXT} characters, got {len(text)}: {text[:40]!r}...")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(f"a text must hold neither NUL nor half a character, got {text[:80]!r}")
