"""The commands that read and write configurations in other tools' formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.command_line.arguments import HERE, Output, OutputAs, Quiet, StoreUrl
from spaces.errors import InputError
from spaces.quantities import parse_size

commands = typer.Typer()


@commands.command(
    "import", rich_help_panel=HERE, epilog="Example: `layerpress import Llama-3-8B-3bit.txt --out configuration.json`"
)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="EvoPress text: `layer: level`, or drops by block.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write. Default: stdout.")] = None,
    job: Annotated[
        Path | None, typer.Option("--job", help="Check against this job's space and use its options.")
    ] = None,
    group_size: Annotated[str, typer.Option(help="Of the options made: 32, 64, 128 or channel.")] = "128",
    symmetric: Annotated[bool, typer.Option("--symmetric", help="No zero points.")] = False,
    solver: Annotated[str, typer.Option(help="gptq or rtn.")] = "gptq",
    blocks: Annotated[
        str, typer.Option(help="What the model's list of blocks is called (drop files).")
    ] = "model.layers",
) -> None:
    """Read an EvoPress text file into a configuration."""
    from service.commands.exchange import import_command

    import_command(file, out, job, group_size=group_size, symmetric=symmetric, solver=solver, blocks=blocks)


@commands.command(
    rich_help_panel=HERE,
    epilog="Example: `layerpress export runs/demo --format dense --out demo-dense`; "
    "`layerpress export 3f9c2a7d81e04b56 --max-size 4GiB --format gguf --out small`; `layerpress export --list`",
)
def export(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|JOB]",
            help="A folder that `run` wrote, or a job's id: of this machine's store, or of the service that "
            "LAYERPRESS_URL names.",
        ),
    ] = None,
    format_: Annotated[str | None, typer.Option("--format", metavar="F", help="What to write; see --list.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="A new folder; of a configuration file, a new file. Default, for recipes alone: print to stdout.",
        ),
    ] = None,
    pick: Annotated[
        str | None,
        typer.Option("--pick", metavar="ID", help="A candidate's number or configuration id. Default: the answer."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            help="The least KL at most this large (4GiB, 900MB); a format that needs more is refused.",
        ),
    ] = None,
    max_kl: Annotated[
        float | None, typer.Option("--max-kl", help="The smallest whose KL on the calibration text is at most this.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the formats, what loads them, and their limits.")] = False,
    store: StoreUrl = None,
    output: OutputAs = Output.text,
    quiet: Quiet = False,
) -> None:
    """Write a configuration as files that runtimes load: the weights in a format, or a recipe for your quantizer."""
    if list_:
        from service.commands.export import list_command

        list_command(as_json=output is Output.json)
        return
    if source is None or format_ is None:
        missing = "a RUN or a JOB" if source is None else "a --format"
        raise InputError(f"export needs {missing}, got none; `layerpress export --list` shows the formats")
    from service.choosing import Wanted
    from service.commands.export import export_command

    limit = None if max_size is None else parse_size(max_size)
    wanted = Wanted(pick=pick, max_size_bytes=limit, max_kl=max_kl)
    export_command(source, format_, out, wanted, store, as_json=output is Output.json, quiet=quiet)
