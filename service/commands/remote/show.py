"""``layerpress show``: one candidate of a job, layer by layer."""

from __future__ import annotations

from pathlib import Path

from service.api.candidate_views import CandidateView
from service.client import Client
from service.commands.remote.answers import note, say, say_json, show_table
from service.commands.remote.candidates import candidate_table, layer_table
from service.text_files import write_text
from spaces.errors import UnknownError


def show_command(job_id: str, seq: int | None, out: Path | None, *, as_json: bool) -> None:
    """Show a candidate's figures and the option of each layer; with ``out``, write its configuration.

    Raises:
        UnknownError: no such job or candidate, or none yet.
    """
    with Client() as client:
        candidate = answer_of(client, job_id) if seq is None else client.candidate(job_id, seq)
        layers = client.layers(job_id, candidate.seq)
        if out is not None:
            write_text(client.configuration(job_id, candidate.seq), out)
            note(f"wrote {out}")
    if as_json:
        parts = {
            "candidate": candidate.model_dump(mode="json"),
            "layers": [layer.model_dump(mode="json") for layer in layers],
        }
        say_json(parts)
        return
    show_table(candidate_table([candidate], "loss"))
    say()
    show_table(layer_table(layers))


def answer_of(client: Client, job_id: str) -> CandidateView:
    """The answer of a job that has one; otherwise the least loss on its front.

    Raises:
        UnknownError: nothing is measured yet.
    """
    answer = ((client.job(job_id).report or {}).get("answer") or {}).get("configuration_id")
    front = client.front(job_id).items
    if answer is not None:
        same = [each for each in front if each.configuration_id == answer]
        if not same:  # beaten by one that the budget rules out
            same = [each for each in client.candidates(job_id) if each.configuration_id == answer]
        if same:
            return next((each for each in same if each.kind == "answer"), same[0])
    if not front:
        raise UnknownError(f"job {job_id} has measured nothing yet; `layerpress watch {job_id}` shows how it goes")
    return min(front, key=lambda each: float("inf") if each.loss is None else each.loss)
