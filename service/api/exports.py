"""What the routes of exports share: the formats, an export's identity, and its state as a view."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from importlib.metadata import version

from fastapi import Request

from service.api.export_views import ExportState, ExportView
from service.api.routes.candidates import space_of
from service.api.settings import ApiSettings
from service.exporting import OWN
from service.sidecar.exports import Exports, Moment, Wanted
from service.sidecar.keeper import Sidecar
from service.spaces_view import configuration_text
from service.tar_stream import TarStream
from store.store import Store

TIMEOUT_S = 120.0  # the first one waits for torch


def formats_of(request: Request, sidecar: Sidecar) -> dict[str, ExportView]:
    """By name, our own first; what the exporters say of theirs is asked for once."""
    state = request.app.state
    if not hasattr(state, "formats"):
        others = sidecar.call("formats", {}, timeout_s=TIMEOUT_S)
        found = {name: own_format(name) for name in OWN}
        state.formats = found | {
            each["name"]: ExportView.model_validate(each) for each in others if each["name"] not in OWN
        }
    known: dict[str, ExportView] = state.formats
    return known


def own_format(name: str) -> ExportView:
    content = asdict(OWN[name])
    return ExportView(**{**content, "loads_in": list(content["loads_in"]), "limits": list(content["limits"])})


def wanted_export(store: Store, settings: ApiSettings, job_id: str, seq: int, format_: str) -> Wanted:
    """The export, known by all that is written into it: the candidate, and what is known of its job by now."""
    job, candidate = store.job(job_id), store.candidate(job_id, seq)
    text = configuration_text(space_of(store, job_id), candidate.levels)
    known = hashlib.sha256(json.dumps([job.spec, job.report], sort_keys=True).encode()).hexdigest()
    model = re.sub(r"[^A-Za-z0-9._-]+", "-", str(job.model or "model").rstrip("/").rpartition("/")[2]).strip(".-")
    return Wanted(
        name=f"{model or 'model'}-{candidate.configuration_id}-{format_}",
        about=(version("layerpress"), job_id, str(seq), format_, text, known),
        content=about(settings, job_id, seq, format_),
    )


def about(settings: ApiSettings, job_id: str, seq: int, format_: str) -> dict[str, object]:
    """What the tasks need to know."""
    return {
        "store_url": settings.store_url,
        "home": str(settings.home),
        "roots": [str(root) for root in settings.roots],
        "allow_hub": settings.allow_hub,
        "job_id": job_id,
        "seq": seq,
        "format": format_,
    }


def state_view(moment: Moment, wanted: Wanted, exports: Exports, place: str) -> ExportState:
    is_done = moment.state == "done"
    return ExportState(
        format=str(wanted.content["format"]),
        state=moment.state,
        phase=moment.phase,
        done=moment.done,
        total=moment.total,
        error=moment.error or None,
        name=wanted.name,
        size_bytes=TarStream.of(exports.folder(wanted)).num_bytes if is_done else None,
        archive=f"{place}/archive" if is_done else None,
    )


def candidate_path(job_id: str, seq: int) -> str:
    return f"/jobs/{job_id}/candidates/{seq}"


def nothing_there(job_id: str, seq: int, format_: str) -> str:
    path = candidate_path(job_id, seq)
    return f'candidate {seq} is not exported as {format_}; POST {path}:export with {{"format": "{format_}"}} begins it'


def as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
