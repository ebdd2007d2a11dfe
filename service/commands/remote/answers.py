"""How answers of a service are written: JSON with the API's own keys, or figures for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

DASH = "–"
PIPE_WIDTH = 250


def say_json(answer: BaseModel | Sequence[BaseModel] | Mapping[str, object]) -> None:
    """A view, or ``{"items": [...]}`` of several, on stdout."""
    if isinstance(answer, BaseModel):
        content: object = answer.model_dump(mode="json")
    elif isinstance(answer, Mapping):
        content = answer
    else:
        content = {"items": [each.model_dump(mode="json") for each in answer]}
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def say(*parts: object, style: str | None = None) -> None:
    """Lines of text on stdout, not folded and without markup in what a service or a person said."""
    Console(highlight=False, soft_wrap=True, markup=False).print(*parts, style=style)


def note(text: str) -> None:
    """A line on stderr, beside the answer."""
    Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(text)


def table(*headings: str, right: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """An open table; the columns ``right`` hold numbers, and these and ``whole`` are never folded."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        made.add_column(heading, justify=justify, overflow="fold", no_wrap=heading in (*right, *whole))
    return made


def show_table(made: Table) -> None:
    """On a terminal as wide as that; elsewhere one line for each row, for other programs to read."""
    is_terminal = Console().is_terminal
    Console(highlight=False, markup=False, width=None if is_terminal else PIPE_WIDTH).print(made)


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """``3 min``, ``2 h``, ``5 d``: how long something has been."""
    if moment is None:
        return DASH
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def loss_text(loss: float | None, error: float | None = None) -> str:
    """A loss with its standard error; a configuration without one broke the model."""
    if loss is None:
        return "broken"
    return f"{loss:.5f}" + (f" ± {error:.5f}" if error is not None else "")
