"""The OpenAPI document: FastAPI's, with the job's own schema and the one of errors."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from service.api.settings import API_PATH
from service.api.slow_imports import ONE_AT_A_TIME
from service.api.views import Problem

DESCRIPTION = """Hand in search jobs, watch them, read what they found.

Errors are problem details (RFC 9457). Lists have `items` and `next_cursor`. What happens to a job is told by numbered
events, as pages or as a stream. A `POST` that makes something takes an `Idempotency-Key`, so that it can be repeated.
"""
REFERENCE = "#/components/schemas/{model}"


def document(app: FastAPI) -> dict[str, Any]:
    """Made when it is first asked for: the job's schema has slow imports behind it."""
    if app.openapi_schema is None:
        content = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
        content["servers"] = [{"url": app.state.api.settings.base_path or "/"}]
        app.openapi_schema = _completed(content)
    return app.openapi_schema


def _completed(content: dict[str, Any]) -> dict[str, Any]:
    with ONE_AT_A_TIME:
        from search.spec import JobSpec

    schemas = content["components"]["schemas"]
    for model in (Problem, JobSpec):
        schemas |= _schemas(model)
    body = content["paths"][f"{API_PATH}/jobs"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"] = {"$ref": REFERENCE.format(model=JobSpec.__name__)}
    return content


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model, and of those inside it, by name."""
    schema = model.model_json_schema(ref_template=REFERENCE)
    return {**schema.pop("$defs", {}), model.__name__: schema}
