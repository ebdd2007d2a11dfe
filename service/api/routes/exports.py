"""A candidate as files that other tools load: small ones at once, checkpoints written beside and then sent."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from service.api.access import Submitter, own_job, reader
from service.api.beside import ExportsOf, SidecarOf, ends_exports
from service.api.export_views import ExportRequest, ExportState, ExportsView
from service.api.exports import (
    TIMEOUT_S,
    about,
    as_file,
    candidate_path,
    formats_of,
    nothing_there,
    own_format,
    state_view,
    wanted_export,
)
from service.api.parameters import JobId, Seq
from service.api.problems import documented
from service.api.routes.candidates import space_of
from service.api.state import BaseOf, SettingsOf, StoreOf
from service.exporting import NAMES, OWN, check_format, layers_table
from service.spaces_view import configuration_text, layers_of
from service.tar_stream import TarStream
from spaces.errors import ConflictError, UnknownError

router = APIRouter(tags=["exports"], dependencies=[Depends(reader)], lifespan=ends_exports)

RETRY_AFTER_S = 1
CANDIDATE = "/jobs/{job_id:job}/candidates/{seq}"
TAR = "application/x-tar"
UNZIPPED = {"Content-Encoding": "identity"}  # codes do not shrink, and the length would be lost

Format = Annotated[
    str,
    Query(
        alias="format",
        description="one that /exports lists, of a kind other than checkpoint",
        examples=["configuration"],
        json_schema_extra={"enum": list(NAMES)},
    ),
]
Checkpoint = Annotated[
    str,
    Path(
        alias="format",
        description="one that /exports lists, of kind checkpoint",
        examples=["compressed-tensors"],
        json_schema_extra={"enum": list(NAMES)},
    ),
]
TEXT_TYPES = ("application/json", "text/csv", "text/plain", "application/yaml", "text/x-python")
FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "the file", "content": {each: {"schema": {}} for each in (*TEXT_TYPES, "*/*")}}
}
ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {"description": "its bytes", "content": {TAR: {"schema": {"type": "string", "format": "binary"}}}}
}
STATED: dict[int | str, dict[str, Any]] = {200: {"model": ExportState, "description": "it is there already"}}


@router.get("/exports", response_model=ExportsView, responses=documented(), summary="Formats that candidates come in")
def list_exports(request: Request, sidecar: SidecarOf) -> ExportsView:
    """What loads each, what it has no room for, and how that was checked."""
    return ExportsView(list(formats_of(request, sidecar).values()))


@router.get(
    CANDIDATE + "/export",
    response_class=Response,
    responses={**documented(404, 409), **FILE},
    summary="A candidate as one file",
)
def export_candidate(
    request: Request,
    store: StoreOf,
    settings: SettingsOf,
    sidecar: SidecarOf,
    job_id: JobId,
    seq: Seq,
    format_: Format,
) -> Response:
    """For download; 409 where the format has no word for something that the candidate does."""
    check_format(format_)
    candidate = store.candidate(job_id, seq)
    document = space_of(store, job_id)
    if format_ == "layers.csv":
        kind, text = own_format(format_), layers_table(layers_of(document, candidate.levels))
    elif format_ in OWN:
        kind, text = own_format(format_), configuration_text(document, candidate.levels)
    else:
        kind = formats_of(request, sidecar)[format_]
        if kind.kind == "checkpoint":
            raise ConflictError(
                f"format {format_} is a folder of files and takes a while; POST {candidate_path(job_id, seq)}:export "
                f'with {{"format": "{format_}"}} lets it be written'
            )
        text = str(sidecar.call("recipe", about(settings, job_id, seq, format_), timeout_s=TIMEOUT_S))
    stem, _, suffix = kind.file_name.rpartition(".")
    return Response(
        text,
        media_type=kind.media_type,
        headers=as_file(f"{stem}-{job_id}-{candidate.configuration_id}.{suffix}"),
    )


@router.post(
    CANDIDATE + ":export",
    status_code=202,
    response_model=ExportState,
    responses={**documented(404, 409, 413, 415), **STATED},
    summary="Let a checkpoint be written",
)
def begin_export(
    principal: Submitter,
    store: StoreOf,
    settings: SettingsOf,
    sidecar: SidecarOf,
    exports: ExportsOf,
    base: BaseOf,
    response: Response,
    job_id: JobId,
    seq: Seq,
    asked: ExportRequest,
) -> ExportState:
    """Anybody's candidate; the same one again is the same export. 409 says why the format cannot hold it.

    One is written at a time. ``Location`` says how far it is, until its ``archive`` can be fetched.
    """
    if check_format(asked.format) in OWN:
        raise ConflictError(f"format {asked.format} is one file, which export?format={asked.format} answers at once")
    wanted = wanted_export(store, settings, job_id, seq, asked.format)
    moment = exports.moment(wanted)
    if moment is None or moment.state == "failed":
        sidecar.call("check_export", dict(wanted.content), timeout_s=TIMEOUT_S)
        moment = exports.begin(wanted)
    if moment.state == "done":
        response.status_code = 200
    else:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    place = f"{base}{candidate_path(job_id, seq)}/exports/{asked.format}"
    response.headers["Location"] = place
    return state_view(moment, wanted, exports, place)


@router.get(
    CANDIDATE + "/exports/{format}",
    response_model=ExportState,
    responses=documented(404, 409),
    summary="How far a checkpoint is",
)
def get_export(
    store: StoreOf,
    settings: SettingsOf,
    exports: ExportsOf,
    base: BaseOf,
    job_id: JobId,
    seq: Seq,
    format_: Checkpoint,
) -> ExportState:
    """404 until it is asked for, after it was removed, and where the job has found more that it would say now."""
    wanted = wanted_export(store, settings, job_id, seq, check_format(format_))
    moment = exports.moment(wanted)
    if moment is None:
        raise UnknownError(nothing_there(job_id, seq, format_))
    return state_view(moment, wanted, exports, f"{base}{candidate_path(job_id, seq)}/exports/{format_}")


@router.get(
    CANDIDATE + "/exports/{format}/archive",
    response_class=Response,
    responses={**documented(404, 409), **ARCHIVE},
    summary="A checkpoint as a tar file",
)
def get_archive(
    store: StoreOf, settings: SettingsOf, exports: ExportsOf, job_id: JobId, seq: Seq, format_: Checkpoint
) -> Response:
    """Made as it is sent; one folder with weights, configs, ``compression.json`` and SHA-256 sums."""
    wanted = wanted_export(store, settings, job_id, seq, check_format(format_))
    moment = exports.moment(wanted)
    if moment is None:
        raise UnknownError(nothing_there(job_id, seq, format_))
    if moment.state != "done":
        more = f": {moment.error}" if moment.error else "; ask again when it is done"
        raise ConflictError(f"the export of candidate {seq} as {format_} is {moment.state}{more}")
    tar = TarStream.of(exports.folder(wanted))
    headers = {**as_file(f"{wanted.name}.tar"), **UNZIPPED, "Content-Length": str(tar.num_bytes)}
    return StreamingResponse(tar.chunks(), media_type=TAR, headers=headers)


@router.delete(
    CANDIDATE + "/exports/{format}",
    status_code=204,
    responses=documented(404, 409),
    summary="Remove a checkpoint from the service's disk",
)
def remove_export(
    principal: Submitter,
    store: StoreOf,
    settings: SettingsOf,
    exports: ExportsOf,
    job_id: JobId,
    seq: Seq,
    format_: Checkpoint,
) -> None:
    """Of one's own job. Without it, `db prune` removes what nobody fetched for long."""
    own_job(store, job_id, principal)
    if not exports.remove(wanted_export(store, settings, job_id, seq, check_format(format_))):
        raise UnknownError(nothing_there(job_id, seq, format_))
