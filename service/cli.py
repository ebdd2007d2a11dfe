"""The command line: thin entry points, each of which imports its command only when it runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service import interruption
from spaces.errors import InputError, LayerpressError

EXIT_FAILED, EXIT_INPUT = 1, 2

app = typer.Typer(
    name="layerpress",
    help="Finds the best layer-by-layer compression of a language model under a budget.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


class Output(StrEnum):
    """How a command answers."""

    text = "text"
    json = "json"


JobFile = Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The job file; see docs/jobs.md.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Replace one value of the job file.")
]
StoreUrl = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="The database. Default: $LAYERPRESS_HOME/store.db.")
]
OutputAs = Annotated[Output, typer.Option("--output", help="Answer as text, or as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress view.")]


@app.command(
    epilog="Example: `layerpress run examples/jobs/demo.yaml --set budget.nominal_bits_per_weight=2.5`; "
    "a whole front: `layerpress run examples/jobs/front.yaml --set 'budget={nominal_bits_per_weight: [2.5, 3, 3.5]}'`"
)
def run(
    job: JobFile,
    changes: Changes = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where results go. Default: runs/JOB.")
    ] = None,
    store: StoreUrl = None,
    optuna: Annotated[
        str | None,
        typer.Option(
            "--optuna", metavar="URL", help="An Optuna storage for the trials: sqlite:///trials.db, or a file."
        ),
    ] = None,
    output: OutputAs = Output.text,
    quiet: Quiet = False,
) -> None:
    """Run a search job here and write its report, configuration, front and pictures.

    A budget of several values is searched as one job, with an answer and a configuration file for each value.

    Finished work is kept in the store and the bank: the same command goes on where a stopped one left off.
    """
    from service.commands.run import run_command

    folder = out or Path("runs") / job.stem
    as_json = output is Output.json
    run_command(job, changes or [], folder, store, as_json=as_json, quiet=quiet, optuna=optuna)


@app.command(epilog="Example: `layerpress space Qwen/Qwen3-0.6B --bits 2,3,4 --drop attention,mlp --ties vllm`")
def space(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A local folder, a hub id, or a job file (*.yaml).")],
    bits: Annotated[str, typer.Option(help="Bit-widths to offer, or none.")] = "2,3,4,5,6,8",
    group_size: Annotated[str, typer.Option(help="32, 64, 128 or channel.")] = "128",
    symmetric: Annotated[bool, typer.Option("--symmetric", help="No zero points.")] = False,
    solver: Annotated[str, typer.Option(help="gptq or rtn.")] = "gptq",
    drop: Annotated[str, typer.Option(help="Parts that may be dropped: attention,mlp,block.")] = "",
    include: Annotated[list[str] | None, typer.Option(help="Glob of layers beyond the blocks: lm_head.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Glob of layers to leave as they are.")] = None,
    ties: Annotated[str, typer.Option(help="none or vllm.")] = "none",
    indivisible: Annotated[
        str, typer.Option(help="Where the group size does not divide a layer: error, channel, keep.")
    ] = "error",
    changes: Changes = None,
    output: OutputAs = Output.text,
) -> None:
    """Show a model's layers, their options and sizes, and the feasible budgets; reads no weights."""
    from service.commands.space import option_model, show_space, space_model

    options = option_model(bits, group_size, symmetric, solver, drop, indivisible)
    asked = space_model(options, include or [], exclude or [], ties)
    show_space(model, asked, changes or [], as_json=output is Output.json)


@app.command(epilog="Example: `layerpress evaluate examples/jobs/demo.yaml runs/demo/configuration.json`")
def evaluate(
    job: JobFile,
    configuration: Annotated[
        Path, typer.Argument(metavar="CONFIGURATION", help="configuration.json or EvoPress text.")
    ],
    changes: Changes = None,
    store: StoreUrl = None,
    output: OutputAs = Output.text,
    quiet: Quiet = False,
) -> None:
    """Measure one configuration on the job's calibration and validation text."""
    from service.commands.evaluate import evaluate_command

    evaluate_command(job, configuration, changes or [], store, as_json=output is Output.json, quiet=quiet)


@app.command(epilog="Example: `layerpress solve runs/demo --budget nominal_bits_per_weight=3.5 --measure`")
def solve(
    run_: Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `run --out` wrote.")],
    budget: Annotated[
        list[str] | None,
        typer.Option("--budget", metavar="NAME=VALUE", help="A limit; may be given several times. Default: the run's."),
    ] = None,
    max_loss: Annotated[
        float | None,
        typer.Option("--max-loss", "--max-kl", help="Find the smallest size whose loss is at most this."),
    ] = None,
    score: Annotated[str | None, typer.Option(help="Another score than the run's, if the store has it.")] = None,
    solver: Annotated[
        str | None, typer.Option(help="knapsack, integer-program, pareto, ... Default: knapsack, or bisection.")
    ] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Evaluate and validate the answer as well.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write configuration and report.")] = None,
    store: StoreUrl = None,
    output: OutputAs = Output.text,
    quiet: Quiet = False,
) -> None:
    """Solve another budget from a finished run's stored scores: no forward pass, in seconds.

    With --max-loss, the smallest size is looked for among measured configurations, which needs --measure.
    """
    from service.commands.solve import Request, parse_budget, solve_command

    chosen = solver or ("knapsack" if max_loss is None else "bisection")
    asked = Request(
        run=run_,
        budget=parse_budget(budget or []),
        score=score,
        solver=chosen,
        max_loss=max_loss,
        measure=measure,
        out=out,
    )
    solve_command(asked, store, as_json=output is Output.json, quiet=quiet)


@app.command(
    epilog="Example: `layerpress compare examples/jobs/demo.yaml --methods l-greco,hawq-v2,adaquant --budgets 2.5,3,4`"
)
def compare(
    job: JobFile,
    methods: Annotated[
        str, typer.Option(help="Strategies, presets, scores (with knapsack) or score:solver; or `all` presets.")
    ] = "all",
    budgets: Annotated[
        list[str] | None,
        typer.Option("--budgets", metavar="[NAME=]V1,V2,...", help="Values of one budget. Default: the job's."),
    ] = None,
    changes: Changes = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where results go. Default: runs/JOB-compare.")
    ] = None,
    store: StoreUrl = None,
    output: OutputAs = Output.text,
    quiet: Quiet = False,
) -> None:
    """Measure each method's answer and the uniform choice on one bank and text, and draw loss against size."""
    from service.commands.compare import compare_command

    folder = out or Path("runs") / f"{job.stem}-compare"
    compare_command(job, changes or [], methods, budgets or [], folder, store, output is Output.json, quiet)


@app.command(epilog="Example: `layerpress sensitivity examples/jobs/demo.yaml --scores output-error,hessian-trace`")
def sensitivity(
    job: JobFile,
    scores: Annotated[str | None, typer.Option(help="Comma-separated scores, or all. Default: the job's.")] = None,
    changes: Changes = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where results go. Default: runs/JOB-sensitivity.")
    ] = None,
    store: StoreUrl = None,
    output: OutputAs = Output.text,
    quiet: Quiet = False,
) -> None:
    """Compute scores and draw them as a heat map over layers and options (PNG, HTML) and as CSV."""
    from service.commands.sensitivity import sensitivity_command

    folder = out or Path("runs") / f"{job.stem}-sensitivity"
    sensitivity_command(job, changes or [], scores, folder, store, output is Output.json, quiet)


@app.command("import", epilog="Example: `layerpress import Llama-3-8B-3bit.txt --out configuration.json`")
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


@app.command(epilog="Example: `layerpress export runs/demo --format evopress --out demo.txt`")
def export(
    source: Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `run` wrote, or a configuration.json.")],
    format_: Annotated[str, typer.Option("--format", help="evopress.")] = "evopress",
    out: Annotated[Path | None, typer.Option("--out", help="Where to write. Default: stdout.")] = None,
) -> None:
    """Write a configuration in another tool's format."""
    from service.commands.exchange import export_command

    export_command(source, format_, out)


@app.command(epilog="Example: `layerpress doctor --output json`")
def doctor(store: StoreUrl = None, output: OutputAs = Output.text) -> None:
    """Check the installation: versions, Ray, the store, disk and memory."""
    from service.commands.doctor import doctor_command

    if not doctor_command(store, as_json=output is Output.json):
        raise typer.Exit(EXIT_FAILED)


def main() -> None:
    """Run a command; every foreseen error ends in one message and its exit code."""
    interruption.listen()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app(standalone_mode=True)
    except (Exception, interruption.Interrupted) as error:
        if interruption.was_pressed():
            console.print("[yellow]interrupted:[/] what was finished is kept; the same command goes on from there")
            sys.exit(interruption.EXIT_CODE)
        if not isinstance(error, LayerpressError):
            raise
        console.print(f"[bold red]error:[/] {_escaped(str(error))}")
        sys.exit(EXIT_INPUT if isinstance(error, InputError) else EXIT_FAILED)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    main()
