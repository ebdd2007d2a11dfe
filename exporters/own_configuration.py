"""The configuration as Layerpress itself writes and reads it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from exporters.format import FormatInfo
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy


class OwnConfiguration:
    """``configuration.json``."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name="configuration",
        summary="Layer name to option, as JSON: the exact configuration.",
        loads_in=("layerpress evaluate", "layerpress export"),
        limits=(),
        kind="recipe",
        file_name="configuration.json",
        media_type="application/json",
        checked="read back by layerpress: the same configuration and hash",
        usage="layerpress evaluate JOB.yaml configuration.json",
        language="sh",
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        return []

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return 0

    def write(self, source: Source, folder: Path) -> None:
        (folder / self.info.file_name).write_text(source.configuration.dump(), encoding="utf-8")
