"""BENCHMARKS.md: tables, and the sections between markers that each benchmark renews."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from service.pictures.replacement import replace_file
from spaces.errors import InputError

DOCUMENT = Path("BENCHMARKS.md")
TITLE = "# Benchmarks\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, the others to the right, padded so that its source reads too."""
    widths = [max(3, *(len(cell) for cell in column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return "| " + " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def with_section(text: str, name: str, body: str) -> str:
    """``text`` with ``body`` between the markers of ``name``; a section that it lacks is added at the end.

    Raises:
        InputError: a marker stands alone, twice, or behind its partner, so that nobody can say what to replace.
    """
    begin, end = markers(name)
    block = f"{begin}\n\n{body.strip()}\n\n{end}"
    found = text.count(begin), text.count(end)
    if found == (0, 0):
        return f"{text.rstrip()}\n\n## {name.capitalize()}\n\n{block}\n".lstrip()
    first, last = text.find(begin), text.find(end)
    if found != (1, 1) or last < first:
        raise InputError(
            f"a section must stand between one {begin} and one {end} after it, "
            f"got {found[0]} and {found[1]}; mend the markers, or delete both and the section is added at the end"
        )
    return text[:first] + block + text[last + len(end) :]


def markers(name: str) -> tuple[str, str]:
    """The lines around what is generated; what stands outside them is left alone."""
    return f"<!-- begin {name} -->", f"<!-- end {name} -->"


def renew(path: Path, name: str, body: str) -> None:
    """Write one section into the file, which is made when missing and is replaced whole.

    Raises:
        InputError: see ``with_section``, or the file cannot be read or written.
    """
    try:
        text = path.read_text("utf-8") if path.exists() else TITLE
        replace_file(path, with_section(text, name, body).encode())
    except OSError as error:
        raise InputError(f"cannot renew {path} ({error.strerror}); name another file with --out") from error
