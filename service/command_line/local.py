"""The commands that measure on this machine, without a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.command_line.arguments import HERE, Changes, JobFile, Output, OutputAs, Quiet, StoreUrl
from spaces.errors import InputError

commands = typer.Typer()


@commands.command(
    rich_help_panel=HERE,
    epilog="Example: `layerpress run examples/jobs/demo.yaml --set budget.nominal_bits_per_weight=2.5`; "
    "a whole front: `layerpress run examples/jobs/front.yaml --set 'budget={nominal_bits_per_weight: [2.5, 3, 3.5]}'`",
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


@commands.command(
    rich_help_panel=HERE,
    epilog="Example: `layerpress space Qwen/Qwen3-0.6B --bits 2,3,4 --drop block --target vllm`",
)
def space(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A local folder, a hub id, or a job file (*.yaml).")],
    bits: Annotated[
        str | None, typer.Option(help="Bit-widths to offer, or none. Default: 2,3,4,5,6,8, or none with --types.")
    ] = None,
    types: Annotated[str, typer.Option(help="ggml types to offer: q2_k,q3_k,q4_k,q6_k.")] = "",
    group_size: Annotated[str, typer.Option(help="32, 64, 128 or channel.")] = "128",
    symmetric: Annotated[bool, typer.Option("--symmetric", help="No zero points.")] = False,
    solver: Annotated[str, typer.Option(help="gptq or rtn.")] = "gptq",
    drop: Annotated[str, typer.Option(help="Parts that may be dropped: attention,mlp,block.")] = "",
    include: Annotated[list[str] | None, typer.Option(help="Glob of layers beyond the blocks: lm_head.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Glob of layers to leave as they are.")] = None,
    ties: Annotated[str | None, typer.Option(help="none or vllm. Default: what the target needs.")] = None,
    target: Annotated[
        str, typer.Option(help="What has to load the result: vllm, transformers, llama.cpp, mlx or any.")
    ] = "any",
    indivisible: Annotated[
        str, typer.Option(help="Where a group or block does not divide a layer: error, channel, keep, fallback (ggml).")
    ] = "error",
    changes: Changes = None,
    output: OutputAs = Output.text,
) -> None:
    """Show a model's layers, their options and sizes, and the feasible budgets; reads no weights."""
    from service.commands.space import option_model, show_space, space_model

    options = option_model(bits, types, group_size, symmetric, solver, drop, indivisible)
    asked = space_model(options, include or [], exclude or [], ties, target)
    show_space(model, asked, changes or [], as_json=output is Output.json)


@commands.command(
    rich_help_panel=HERE, epilog="Example: `layerpress evaluate examples/jobs/demo.yaml runs/demo/configuration.json`"
)
def evaluate(
    job: JobFile,
    configuration: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIGURATION|FOLDER",
            help="configuration.json, EvoPress text, or a folder that `export` wrote, loaded by transformers.",
        ),
    ],
    changes: Changes = None,
    store: StoreUrl = None,
    output: OutputAs = Output.text,
    quiet: Quiet = False,
) -> None:
    """Measure one configuration on the job's calibration and validation text."""
    from service.commands.evaluate import evaluate_command

    evaluate_command(job, configuration, changes or [], store, as_json=output is Output.json, quiet=quiet)


@commands.command(
    rich_help_panel=HERE, epilog="Example: `layerpress solve runs/demo --budget nominal_bits_per_weight=3.5 --measure`"
)
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


@commands.command(
    rich_help_panel=HERE,
    epilog="Example: `layerpress compare examples/jobs/demo.yaml --methods l-greco,adaquant --budgets 2.5,3,4`; "
    "jobs of a service: `layerpress compare --job 3f9c2a7d81e04b56 --job 81e04b563f9c2a7d`",
)
def compare(
    job: Annotated[Path | None, typer.Argument(metavar="[JOB.yaml]", help="The job file; see docs/jobs.md.")] = None,
    jobs: Annotated[
        list[str] | None, typer.Option("--job", metavar="JOB", help="Instead: these jobs of the service.")
    ] = None,
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
    """Measure each method's answer and the uniform choice on one bank and text, and draw loss against size.

    With --job, show what jobs of a service found, side by side.
    """
    if (job is None) == (not jobs):
        raise InputError(f"compare takes a JOB.yaml or several --job, got {'neither' if job is None else 'both'}")
    if job is None:
        from service.commands.remote.compare import compare_jobs_command

        compare_jobs_command(jobs or [], as_json=output is Output.json)
        return
    from service.commands.compare import compare_command

    folder = out or Path("runs") / f"{job.stem}-compare"
    compare_command(job, changes or [], methods, budgets or [], folder, store, output is Output.json, quiet)


@commands.command(
    rich_help_panel=HERE,
    epilog="Example: `layerpress sensitivity examples/jobs/demo.yaml --scores output-error,hessian-trace`",
)
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
