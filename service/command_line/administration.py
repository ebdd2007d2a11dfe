"""The commands of whoever runs a machine or a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.command_line.arguments import ADMINISTRATION, DEFAULT_PORT, Output, OutputAs, StoreUrl

commands = typer.Typer()


@commands.command(rich_help_panel=ADMINISTRATION, epilog="Example: `layerpress doctor --output json`")
def doctor(store: StoreUrl = None, output: OutputAs = Output.text) -> None:
    """Check the installation: versions, Ray, the store, disk and memory."""
    from service.commands.doctor import doctor_command

    if not doctor_command(store, as_json=output is Output.json):
        raise typer.Exit(1)


@commands.command(
    rich_help_panel=ADMINISTRATION,
    epilog="Example: `layerpress serve --root /srv/models`; for a team: `layerpress serve --host 0.0.0.0 "
    "--store postgresql+psycopg://layerpress@db/layerpress --ray 10.0.0.5:6379 --root /srv/models`",
)
def serve(
    host: Annotated[
        str, typer.Option(help="Where to listen. Others than this machine can reach 0.0.0.0, and need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = DEFAULT_PORT,
    store: StoreUrl = None,
    roots: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            metavar="PATH",
            help="Jobs read models and text within these folders alone; relative paths start at the first. "
            "Default: the current folder.",
        ),
    ] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Join this Ray cluster. Default: one is started here.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="At most so many workers at once, of all jobs.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="At most so many jobs at work at once.")] = None,
    cpus: Annotated[int | None, typer.Option(min=0, help="Use so many CPUs. Default: all.")] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="Use so many GPUs. Default: all.")] = None,
    allow_hub: Annotated[
        bool, typer.Option("--allow-hub", help="Jobs may name models and data sets of the Hugging Face hub.")
    ] = False,
    require_token: Annotated[bool, typer.Option("--require-token", help="Also of this machine's own users.")] = False,
    allowed_hosts: Annotated[
        list[str] | None, typer.Option("--allow-host", metavar="NAME", help="A name that the service goes by.")
    ] = None,
    base_path: Annotated[
        str, typer.Option(metavar="PATH", help="In front of every path, where a proxy serves others beside.")
    ] = "",
    max_body: Annotated[int, typer.Option(min=1024, metavar="BYTES", help="The largest request read.")] = 2**20,
) -> None:
    """Start the service: REST API, job runner and Ray, until Ctrl-C; jobs go on when it is started again."""
    from service.commands.serve import Serving, serve_command

    serve_command(
        Serving(
            host=host,
            port=port,
            store=store,
            ray=ray,
            roots=tuple(roots or ()),
            allow_hub=allow_hub,
            require_token=require_token,
            max_workers=workers,
            max_jobs=jobs,
            num_cpus=cpus,
            num_gpus=gpus,
            base_path=base_path,
            allowed_hosts=tuple(allowed_hosts or ()),
            max_body_bytes=max_body,
        )
    )
