"""The arguments that several commands share, and the panels of ``layerpress --help``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_PORT = 8400  # of LAYERPRESS_URL too
HERE, REMOTE, ADMINISTRATION = "On this machine", "Against a service", "Administration"


class Output(StrEnum):
    """How a command answers."""

    text = "text"
    json = "json"


JobFile = Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The job file; see docs/jobs.md.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Replace one value of the job file.")
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", envvar="LAYERPRESS_STORE", help="The database. Default: $LAYERPRESS_HOME/store.db."
    ),
]
OutputAs = Annotated[Output, typer.Option("--output", help="Answer as text, or as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress view.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, as `jobs list` shows it.")]
