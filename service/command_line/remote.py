"""The commands that ask a service: LAYERPRESS_URL says where it is, LAYERPRESS_TOKEN lets one in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.command_line.arguments import REMOTE, Changes, JobFile, JobId, Output, OutputAs, Quiet

commands = typer.Typer()

MaxSize = Annotated[str | None, typer.Option("--max-size", metavar="SIZE", help="At most this large: 4GiB, 900MB.")]
MaxLoss = Annotated[float | None, typer.Option("--max-loss", help="At most this loss, as the job measures it.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write its configuration there.")]


@commands.command(
    rich_help_panel=REMOTE,
    epilog="Example: `layerpress submit examples/jobs/demo.yaml --watch`; "
    "`layerpress submit my.yaml --set budget.size=3GiB --dry-run`",
)
def submit(
    job: JobFile,
    changes: Changes = None,
    name: Annotated[str | None, typer.Option(help="What people call it. Default: the file's `name`.")] = None,
    note: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    priority: Annotated[int, typer.Option(help="-100 to 100; higher goes first, and waiting adds to it.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would be: sizes, feasible budgets, an estimate.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Then watch it, as `layerpress watch` does.")] = False,
    output: OutputAs = Output.text,
    quiet: Quiet = False,
) -> None:
    """Submit a search job to the service, and print its id.

    **Model and text paths are the server's**: relative ones start at the folder that `layerpress serve --root` names,
    not at yours. However often the network makes it ask, one command is one job.
    """
    from service.commands.remote.submit import Submission, submit_command

    asked = Submission(file=job, changes=changes or [], name=name or None, note=note, priority=priority)
    _end(submit_command(asked, dry_run=dry_run, watch=watch, as_json=output is Output.json, quiet=quiet))


@commands.command(rich_help_panel=REMOTE, epilog="Example: `layerpress watch 3f9c2a7d81e04b56`")
def watch(job: JobId, output: OutputAs = Output.text, quiet: Quiet = False) -> None:
    """Watch a job until it ends; Ctrl-C stops watching, and the job goes on.

    The exit code is the job's: 0 it succeeded, 1 it failed or was cancelled.
    """
    from service.commands.remote.watch import watch_command

    _end(watch_command(job, as_json=output is Output.json, quiet=quiet))


@commands.command(rich_help_panel=REMOTE, epilog="Example: `layerpress front 3f9c2a7d81e04b56 --output json`")
def front(
    job: JobId,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Fetch the job's files as well: report, pictures.")
    ] = None,
    output: OutputAs = Output.text,
) -> None:
    """Show what no other configuration of a job beats in both size and loss, so far or in the end."""
    from service.commands.remote.front import front_command

    front_command(job, out, as_json=output is Output.json)


@commands.command(rich_help_panel=REMOTE, epilog="Example: `layerpress show 3f9c2a7d81e04b56 17`")
def show(
    job: JobId,
    seq: Annotated[
        int | None,
        typer.Argument(metavar="[SEQ]", help="A candidate's number. Default: the job's answer, or its best."),
    ] = None,
    out: Out = None,
    output: OutputAs = Output.text,
) -> None:
    """Show a candidate of a job: its figures, and the option of each layer."""
    from service.commands.remote.show import show_command

    show_command(job, seq, out, as_json=output is Output.json)


@commands.command(
    rich_help_panel=REMOTE,
    epilog="Example: `layerpress select 3f9c2a7d81e04b56 --max-size 4GiB`; "
    "`layerpress select 3f9c2a7d81e04b56 --max-loss 0.05 --out configuration.json`",
)
def select(
    job: JobId,
    max_size: MaxSize = None,
    max_loss: MaxLoss = None,
    out: Out = None,
    output: OutputAs = Output.text,
) -> None:
    """Choose among what a job has measured: the best under a size, or the smallest with a loss; in no time."""
    from service.commands.remote.select import select_command

    select_command(job, max_size, max_loss, out, as_json=output is Output.json)


def _end(code: int) -> None:
    if code:
        raise typer.Exit(code)
