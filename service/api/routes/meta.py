"""Of the service itself: whether it lives, whether it can work, what it is, and what a job looks like."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter

from service.api.access import Reader
from service.api.problems import documented
from service.api.settings import API_PATH
from service.api.slow_imports import ONE_AT_A_TIME
from service.api.state import StoreOf
from service.api.views import Health, Readiness, Version
from spaces.errors import UnreachableError
from store.revisions import newest_revision

router = APIRouter(tags=["service"])


@router.get("/healthz", response_model=Health)
async def health() -> Health:
    """Whether the process answers at all."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses=documented(503))
def readiness(store: StoreOf) -> Readiness:
    """Whether the store answers, at the revision that this service knows; 503 otherwise."""
    found, known = store.schema_revision(), _known_revision()
    if found != known:
        raise UnreachableError(f"the store is at revision {found!r} and this service knows {known!r}; restart it")
    return Readiness(status="ok", revision=found)


@cache
def _known_revision() -> str | None:
    return newest_revision()


@router.get("/version", response_model=Version, responses=documented())
def read_version(principal: Reader) -> Version:
    """What is running here."""
    return Version(version=version("layerpress"), api=API_PATH)


@router.get("/schemas/job", response_model=dict[str, Any], responses=documented())
def job_schema(principal: Reader) -> dict[str, Any]:
    """The JSON Schema of a job, for editors and forms."""
    with ONE_AT_A_TIME:
        from search.spec import JobSpec

    return JobSpec.model_json_schema()
