"""Texts cut to the room there is, whatever the script: a Chinese character takes two columns."""

from __future__ import annotations

from itertools import accumulate
from unicodedata import east_asian_width


def clip_end(text: str, columns: int) -> str:
    """``text``, or its beginning and an ellipsis within ``columns`` columns."""
    if _width(text) <= columns:
        return text
    return f"{_beginning(text, columns - 1).rstrip()}…"


def clip_start(text: str, columns: int) -> str:
    """``text``, or an ellipsis and its end within ``columns`` columns: of a path, the part that tells."""
    if _width(text) <= columns:
        return text
    return f"…{_beginning(text[::-1], columns - 1)[::-1]}"


def wrap(text: str, columns: int) -> list[str]:
    """Lines of at most ``columns`` columns, broken between words; only a longer word is broken inside."""
    lines: list[str] = []
    for piece in (piece for word in text.split() for piece in _pieces(word, columns)):
        joined = f"{lines[-1]} {piece}" if lines else piece
        if lines and _width(joined) <= columns:
            lines[-1] = joined
        else:
            lines.append(piece)
    return lines


def _pieces(word: str, columns: int) -> list[str]:
    """``word`` cut where it is longer than a line."""
    pieces = []
    while word:
        pieces.append(_beginning(word, columns) or word[0])
        word = word[len(pieces[-1]) :]
    return pieces


def _beginning(text: str, columns: int) -> str:
    """The longest beginning of ``text`` within ``columns`` columns."""
    ends = accumulate(_width(character) for character in text)
    return text[: sum(end <= columns for end in ends)]


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
