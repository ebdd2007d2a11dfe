"""The formats that a candidate can be had in, without what writes them, and the text of our own table.

The formats of others are described and written by ``exporters``, which read models: that is for the second process of
the API. Their names are known here, so that a wrong one is refused at once.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from exporters.formats import EXPORTERS
from service.spaces_view import LayerChoice
from spaces.errors import InputError

COLUMNS = ("name", "block", "module", "part", "rows", "columns", "option", "bits", "size_bytes")


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """What a format is, for people who choose one; `exporters.format.FormatInfo` says the same of the others."""

    name: str
    summary: str
    kind: Literal["checkpoint", "recipe", "table"]  # a folder of files, or one file
    media_type: str
    file_name: str  # "" of a checkpoint
    loads_in: tuple[str, ...]
    limits: tuple[str, ...]
    checked: str  # how that is known


OWN = {
    each.name: each
    for each in (
        ExportFormat(
            name="configuration",
            summary="layer name to option, as JSON: the exact configuration",
            kind="recipe",
            media_type="application/json",
            file_name="configuration.json",
            loads_in=("layerpress evaluate", "layerpress import"),
            limits=(),
            checked="read back by Layerpress: the same configuration",
        ),
        ExportFormat(
            name="layers.csv",
            summary="a table with a line for each layer: its option, bits and bytes",
            kind="table",
            media_type="text/csv",
            file_name="layers.csv",
            loads_in=("spreadsheets", "pandas"),
            limits=("For reading: Layerpress does not load it again.",),
            checked="read back with Python's csv",
        ),
    )
}
NAMES = (*OWN, *(name for name in EXPORTERS if name not in OWN))


def check_format(name: str) -> str:
    """The name, if there is a format that is called so.

    Raises:
        InputError: there is none.
    """
    if name not in NAMES:
        raise InputError(f"format must be one of {', '.join(NAMES)}, got {name!r}; /exports describes them")
    return name


def layers_table(layers: Sequence[LayerChoice]) -> str:
    """The text of ``layers.csv``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(layer, column) for column in COLUMNS] for layer in layers)
    return text.getvalue()
