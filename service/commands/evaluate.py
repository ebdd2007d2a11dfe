"""``layerpress evaluate``: one configuration, or the files of an export, measured as a job would measure it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from evaluators.export_folder import load_export
from search.engine.exports import measure_export
from search.engine.progress import Progress
from search.engine.run import evaluate_configuration
from search.report import entry, loss_entry
from search.spec import JobSpec
from service.commands.exchange import read_for_space, read_text
from service.commands.planning import planned
from service.commands.tasks_table import show_tasks
from service.intake.jobfile import read_job
from spaces.budget import show_size

WEIGHT_SUFFIXES = (".safetensors", ".gguf")


def evaluate_command(
    job: Path, configuration: Path, changes: list[str], store_asked: str | None, *, as_json: bool, quiet: bool
) -> None:
    """Measure a configuration, or the model in a folder that ``export`` wrote, on both texts of a job and print it.

    Raises:
        InputError, JobError: the job or the configuration does not read, or measuring failed.
    """
    spec = read_job(job, changes)
    if configuration.is_dir():
        _evaluate_folder(spec, configuration, store_asked, as_json=as_json, quiet=quiet)
        return
    text = read_text(configuration)
    with planned(spec, store_asked, quiet=quiet) as (plan, store, watch):
        chosen = read_for_space(text, plan.problem.space)
        outcome = evaluate_configuration(plan, store, watch, chosen, configuration.name)
    measures = plan.problem.space.measure_options(dict(chosen.options))
    row = {
        "model": spec.model,
        **entry(outcome.answer, plan.problem.space),
        "meets_budget": plan.problem.budget.holds(measures),  # of several, the loosest
        "evaluations": outcome.facts["evaluations"],
    }
    if as_json:
        sys.stdout.write(json.dumps(row, indent=2) + "\n")
        return
    console = Console(highlight=False)
    console.print(f"[bold]{configuration.name}[/]  {row['configuration_id']}")
    console.print(f"size            {show_size(row['size_bytes'])}, {row['bits_per_weight']:.4f} bits per weight")
    console.print(f"nominal bits    {row['nominal_bits_per_weight']:.4f}")
    _show_losses(console, row)
    show_tasks(console, {configuration.name: row})
    console.print(f"budget          {plan.problem.budget}: {'met' if row['meets_budget'] else 'NOT met'}")


def _evaluate_folder(spec: JobSpec, folder: Path, store_asked: str | None, *, as_json: bool, quiet: bool) -> None:
    """Measure what transformers makes of an export's files."""
    with planned(spec, store_asked, quiet=quiet) as (plan, _store, watch):
        watch(Progress(phase="prepare", label=f"loading {folder.name}"))
        model = load_export(folder, dtype=getattr(torch, spec.evaluation.dtype), device=plan.device)
        found = measure_export(plan, model, watch)
    files = [path for path in folder.rglob("*") if path.suffix in WEIGHT_SUFFIXES]
    file_bytes = sum(path.stat().st_size for path in files)
    row = {
        "model": spec.model,
        "name": folder.name,
        "file_bytes": file_bytes,
        **loss_entry("calibration", found["calibration"]),
        **loss_entry("validation", found["validation"]),
    }
    if as_json:
        sys.stdout.write(json.dumps(row, indent=2) + "\n")
        return
    console = Console(highlight=False)
    console.print(f"[bold]{folder.name}[/]  {show_size(file_bytes)} of weights on disk")
    _show_losses(console, row)


def _show_losses(console: Console, row: dict[str, Any]) -> None:
    for text_name in ("calibration", "validation"):
        loss, error = row[f"kl_{text_name}"], row[f"kl_{text_name}_se"]
        shown = "broken (NaN or infinite logits)" if loss is None else f"{loss:.6f} ± {error or 0:.6f}"
        console.print(f"KL {text_name:<12} {shown}, perplexity {row[f'perplexity_{text_name}'] or float('inf'):.3f}")
