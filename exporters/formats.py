"""The formats that a configuration can be written in."""

from __future__ import annotations

from spaces.configuration import Configuration
from spaces.tables import load

EXPORTERS = {"evopress": "exporters.evopress:write_evopress"}


def export_text(configuration: Configuration, format_: str) -> str:
    """``configuration`` as the file of another tool.

    Raises:
        InputError: there is no such format, or it cannot say what the configuration says.
    """
    text: str = load(EXPORTERS, format_, "export format")(configuration)
    return text
