"""``layerpress compare --job A --job B``: the fronts of jobs of a service, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from service.api.candidate_views import ComparedFront, Comparison
from service.client import Client
from service.commands.remote.answers import DASH, note, say_json, show_table, table
from service.commands.remote.candidates import LOSS_NAMES
from spaces.quantities import show_size


def compare_jobs_command(job_ids: Sequence[str], *, as_json: bool) -> None:
    """Show for each job what it asked for, how large its front is, and what it reached."""
    with Client() as client:
        found = client.compare(job_ids)
    if as_json:
        say_json(found)
    else:
        _show(found)


def _show(found: Comparison) -> None:
    numbers = ("front", "smallest", "least loss", "hypervolume")
    made = table("job", "name", "state", "strategy", "budget", *numbers, right=numbers)
    for each in found.items:
        made.add_row(
            each.id, each.name, each.state, f"{each.strategy}, seed {each.seed}", _budget(each), *_reached(each)
        )
    show_table(made)
    if not found.is_comparable:
        note(found.message)


def _budget(job: ComparedFront) -> str:
    return ", ".join(f"{name} {value}" for name, value in job.budget.items())


def _reached(job: ComparedFront) -> list[str]:
    losses = [each.loss for each in job.items if each.loss is not None]
    return [
        str(len(job.items)),
        show_size(job.items[0].size_bytes) if job.items else DASH,
        f"{LOSS_NAMES[job.objective]} {min(losses):.5f}" if losses else DASH,
        DASH if job.hypervolume is None else f"{job.hypervolume.value:.4f}",
    ]
