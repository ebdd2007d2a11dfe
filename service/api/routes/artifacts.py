"""The files that jobs left: what there is, and each for download under a name and a type that cannot hurt."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path
from fastapi.responses import Response

from service.api.access import reader
from service.api.cluster_views import ArtifactPage, ArtifactView
from service.api.parameters import JobId
from service.api.problems import documented
from service.api.state import StoreOf
from spaces.errors import UnknownError
from store.records import ArtifactInfo
from store.store import Store

router = APIRouter(tags=["artifacts"], dependencies=[Depends(reader)])

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
ANY_TYPE = "application/octet-stream"
MEDIA_TYPES = {  # by the end of a name, whatever the job called it; all else is bytes
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "log": "text/plain; charset=utf-8",
    "png": "image/png",
    "html": "text/html; charset=utf-8",
}
SERVED_TYPES = (ANY_TYPE, *(media_type.partition(";")[0] for media_type in MEDIA_TYPES.values()))
# a page of a job's runs its own scripts, as nobody: no cookies, no storage, no requests
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)

Name = Annotated[str, Path(pattern=NAME_PATTERN, description="of the file", examples=["report.json"])]
IfNoneMatch = Annotated[str | None, Header(max_length=2000, description="ETags that are known already")]


@router.get(
    "/jobs/{job_id:job}/artifacts",
    response_model=ArtifactPage,
    responses=documented(404),
    summary="The files that a job left",
)
def list_artifacts(store: StoreOf, job_id: JobId) -> ArtifactPage:
    """By name."""
    found = store.artifacts(job_id)
    return ArtifactPage(items=[ArtifactView.model_validate(info, from_attributes=True) for info in found])


@router.get(
    "/jobs/{job_id:job}/artifacts/{name}",
    response_class=Response,
    responses={
        **documented(404),
        200: {"description": "its bytes", "content": {each: {"schema": {}} for each in SERVED_TYPES}},
        304: {"description": "it is what If-None-Match names"},
    },
    summary="One file",
)
def get_artifact(store: StoreOf, job_id: JobId, name: Name, if_none_match: IfNoneMatch = None) -> Response:
    """For download. Its ETag is the hash of its content."""
    info = _info(store, job_id, name)
    headers = {
        "ETag": f'"{info.sha256}"',
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="{info.name}"',
        "Content-Security-Policy": SANDBOX,
        "X-Content-Type-Options": "nosniff",
    }
    if if_none_match is not None and _matches(if_none_match, info.sha256):
        return Response(status_code=304, headers=headers)
    content = store.artifact(job_id, name).content
    return Response(content, headers={**headers, "Content-Type": media_type_of(name)})


def media_type_of(name: str) -> str:
    """The type that a file is served with."""
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower(), ANY_TYPE)


def _info(store: Store, job_id: str, name: str) -> ArtifactInfo:
    found = store.artifacts(job_id)
    for info in found:
        if info.name == name:
            return info
    there = ", ".join(info.name for info in found) or "none yet"
    raise UnknownError(f"job {job_id} has no artifact {name!r}; it has {there}")


def _matches(asked: str, sha256: str) -> bool:
    """Whether If-None-Match names the content; weak tags compare as strong ones here."""
    tags = [tag.strip().removeprefix("W/") for tag in asked.split(",")]
    return "*" in tags or f'"{sha256}"' in tags
