"""``layerpress front``: what is worth having of a job, and its files."""

from __future__ import annotations

from pathlib import Path

from service.client import Client
from service.commands.remote.answers import note, say, say_json, show_table
from service.commands.remote.candidates import LOSS_NAMES, candidate_table
from spaces.errors import JobError


def front_command(job_id: str, out: Path | None, *, as_json: bool) -> None:
    """Show a job's front; with ``out``, fetch every file that the job left into that folder."""
    with Client() as client:
        front = client.front(job_id)
        fetched = [] if out is None else _fetch(client, job_id, out)
    if as_json:
        say_json(front)
    elif not front.items:
        note(f"job {job_id} has measured nothing yet; `layerpress watch {job_id}` shows how it goes")
    else:
        show_table(candidate_table(front.items, LOSS_NAMES[front.objective]))
        if front.hypervolume is not None:
            say(f"\nhypervolume {front.hypervolume.value:.4f} {front.hypervolume.unit}", style="dim")
    for path in fetched:
        note(f"wrote {path}")


def _fetch(client: Client, job_id: str, out: Path) -> list[Path]:
    """Write the job's files into ``out``, under the last part of their names alone: a service never chooses a folder.

    Raises:
        JobError: it cannot be written there.
    """
    paths = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for each in client.artifacts(job_id):
            name = Path(each.name).name
            if name != each.name or name == "..":
                raise JobError(
                    f"the service names a file {each.name!r}, which is no plain name; nothing is written there"
                )
            paths.append(client.download(job_id, name, out / name))
    except OSError as error:
        raise JobError(f"cannot write into {str(out)!r}: {error.strerror}; name another --out") from error
    return paths
