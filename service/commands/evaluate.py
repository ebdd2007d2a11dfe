"""``layerpress evaluate``: one configuration, measured as a job would measure it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from search.engine.run import evaluate_configuration
from search.report import entry
from service.commands.exchange import read_for_space, read_text
from service.commands.planning import planned
from service.jobfile import read_job
from spaces.budget import show_size


def evaluate_command(
    job: Path, configuration: Path, changes: list[str], store_asked: str | None, *, as_json: bool, quiet: bool
) -> None:
    """Measure a configuration on both texts of a job and print it.

    Raises:
        InputError, JobError: the job or the configuration does not read, or measuring failed.
    """
    spec = read_job(job, changes)
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
    for text_name in ("calibration", "validation"):
        loss, error = row[f"kl_{text_name}"], row[f"kl_{text_name}_se"]
        shown = "broken (NaN or infinite logits)" if loss is None else f"{loss:.6f} ± {error or 0:.6f}"
        console.print(f"KL {text_name:<12} {shown}, perplexity {row[f'perplexity_{text_name}'] or float('inf'):.3f}")
    console.print(f"budget          {plan.problem.budget}: {'met' if row['meets_budget'] else 'NOT met'}")
