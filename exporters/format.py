"""What an exporter is: one format, what loads it, and how a configuration is written in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:  # who only names formats does without torch
    from exporters.source import Source
    from spaces.configuration import Configuration
    from spaces.discovery import Anatomy

Kind = Literal["checkpoint", "recipe"]


@dataclass(frozen=True, kw_only=True)
class FormatInfo:
    """What a format is, for people who choose one.

    A ``checkpoint`` is a folder with weights; a ``recipe`` is one small file for a person's own quantizer.
    """

    name: str
    summary: str
    loads_in: tuple[str, ...]  # runtimes and the versions that do: "transformers 5", "vLLM >= 0.33"
    limits: tuple[str, ...]  # what it has no room for, a sentence each
    kind: Kind
    file_name: str = ""  # of a recipe; "" for a checkpoint
    media_type: str = "application/x-tar"
    checked: str  # how: one sentence
    usage: str = ""  # code or a command that loads it from the folder DIR, for the model card
    language: str = "python"  # of ``usage``
    needs_tokenizer: bool = True  # whether the model's tokenizer files belong beside it


class Exporter(Protocol):
    """Writes configurations in one format."""

    info: ClassVar[FormatInfo]

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        """Why this configuration cannot be written: layer, value and the way out, a sentence each; [] where it can."""

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        """Of a checkpoint: the bytes of all tensors that ``write`` writes. Of a recipe: 0."""

    def write(self, source: Source, folder: Path) -> None:
        """Write into an existing empty folder: weights and configs of a checkpoint, or a recipe's one file.

        Only what ``refusals`` has nothing against. The caller adds what every export has (`exporters.export`).

        Raises:
            InputError: a package is missing, or the model is of a kind that the format does not know.
        """


@runtime_checkable
class ReportsSavings(Protocol):
    """Of an exporter that can leave out what a plain checkpoint writes as zeros."""

    def savings(self, source: Source) -> list[str]:
        """What the drops save and what they do not, a sentence each; [] without drops. See `Removal.savings`."""


@runtime_checkable
class ReportsNotes(Protocol):
    """Of an exporter whose files some of its runtimes do not load, depending on what is in them."""

    def notes(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        """Who cannot load this configuration's file, a sentence each; []: everybody whom ``loads_in`` names can."""
