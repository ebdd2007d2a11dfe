"""``layerpress select``: what to take of a job under a limit."""

from __future__ import annotations

from pathlib import Path

from service.api.candidate_views import SelectionView
from service.client import Client
from service.commands.remote.answers import note, say_json, show_table
from service.commands.remote.candidates import LOSS_NAMES, candidate_table
from service.text_files import write_text
from spaces.errors import InputError


def select_command(
    job_id: str, max_size: str | None, max_loss: float | None, out: Path | None, *, as_json: bool
) -> None:
    """Show the best that is measured within the limits, beside its neighbours; with ``out``, write its configuration.

    Raises:
        InputError: no limit, or none that a candidate holds.
    """
    if max_size is None and max_loss is None:
        raise InputError("select needs a limit, got none; give --max-size 4GiB, --max-loss 0.05, or both")
    with Client() as client:
        found = client.select(job_id, max_size=max_size, max_loss=max_loss)
        if out is not None:
            write_text(client.configuration(job_id, found.candidate.seq), out)
            note(f"wrote {out}")
    if as_json:
        say_json(found)
    else:
        _show(found)


def _show(found: SelectionView) -> None:
    around = [each for each in (found.smaller, found.candidate, found.larger) if each is not None]
    if found.plain is not None and found.plain.seq not in [each.seq for each in around]:
        around.append(found.plain)
    show_table(candidate_table(around, LOSS_NAMES[found.metric], mark=found.candidate.seq))
