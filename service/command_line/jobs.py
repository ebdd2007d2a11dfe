"""``layerpress jobs``: the jobs of a service, and what may be done with them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from service.command_line.arguments import REMOTE, Changes, JobId, Output, OutputAs

commands = typer.Typer()
jobs = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="List the jobs of a service; pause, resume, stop, cancel, clone, extend or delete one.",
    epilog="Example: `layerpress jobs list --state running,queued`",
)
commands.add_typer(jobs, name="jobs", rich_help_panel=REMOTE)


@jobs.command("list", epilog="Example: `layerpress jobs list --state running --limit 20`")
def list_(
    state: Annotated[
        str | None, typer.Option(metavar="S1,S2,...", help="Only these states: running, failed, ...")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Only this person's.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    search: Annotated[str | None, typer.Option(metavar="WORDS", help="Only with these words in name or note.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    output: OutputAs = Output.text,
) -> None:
    """List jobs, the newest first: state, how far, best against uniform, and why one waits."""
    from service.commands.remote.jobs import Filter, list_command

    asked = Filter(states=state, owner=owner, model=model, search=search, limit=limit)
    list_command(asked, as_json=output is Output.json)


@jobs.command(epilog="Example: `layerpress jobs get 3f9c2a7d81e04b56 --output json`")
def get(job: JobId, output: OutputAs = Output.text) -> None:
    """Show one job: its state and why, its progress and its verdict; as JSON, its spec and report too."""
    from service.commands.remote.jobs import get_command

    get_command(job, as_json=output is Output.json)


@jobs.command(epilog="Example: `layerpress jobs pause 3f9c2a7d81e04b56`")
def pause(job: JobId, output: OutputAs = Output.text) -> None:
    """Begin nothing more, finish what is in flight, and wait until it is resumed."""
    _steer("pause", job, output)


@jobs.command(epilog="Example: `layerpress jobs resume 3f9c2a7d81e04b56`")
def resume(job: JobId, output: OutputAs = Output.text) -> None:
    """Let a paused job go on; nothing that it finished is done again."""
    _steer("resume", job, output)


@jobs.command(epilog="Example: `layerpress jobs stop 3f9c2a7d81e04b56`")
def stop(job: JobId, output: OutputAs = Output.text) -> None:
    """End the search here and finish with the best found, validated as any answer."""
    _steer("stop", job, output)


@jobs.command(epilog="Example: `layerpress jobs cancel 3f9c2a7d81e04b56`")
def cancel(job: JobId, output: OutputAs = Output.text) -> None:
    """End a job at once, without an answer; what it measured is kept."""
    _steer("cancel", job, output)


@jobs.command(epilog="Example: `layerpress jobs clone 3f9c2a7d81e04b56 --set budget.size=3GiB`")
def clone(
    job: JobId,
    changes: Changes = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    priority: Annotated[int, typer.Option(help="-100 to 100.")] = 0,
    output: OutputAs = Output.text,
) -> None:
    """Submit a job again, with single values replaced; what both measure is measured once."""
    from service.commands.remote.jobs import clone_command

    clone_command(job, changes or [], name, note, priority, as_json=output is Output.json)


@jobs.command(epilog="Example: `layerpress jobs extend 3f9c2a7d81e04b56 --more 5`")
def extend(
    job: JobId,
    more: Annotated[int, typer.Option(min=1, help="So many rounds, generations, trials or samples.")],
    output: OutputAs = Output.text,
) -> None:
    """Let a job that has ended, or is paused, search on for more rounds."""
    from service.commands.remote.jobs import extend_command

    extend_command(job, more, as_json=output is Output.json)


@jobs.command(epilog="Example: `layerpress jobs delete 3f9c2a7d81e04b56`")
def delete(job: JobId, output: OutputAs = Output.text) -> None:
    """Forget a job that has ended, with its candidates and files; its measurements stay in the cache."""
    from service.commands.remote.jobs import delete_command

    delete_command(job, as_json=output is Output.json)


def _steer(verb: Literal["pause", "resume", "stop", "cancel"], job: str, output: Output) -> None:
    from service.commands.remote.jobs import steer_command

    steer_command(verb, job, as_json=output is Output.json)
