"""Every error as problem details (RFC 9457), and how the OpenAPI document says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from service.api.views import FieldProblem, Problem
from service.intake.fields import FieldError
from spaces.errors import ConflictError, InputError, LayerpressError, UnknownError, UnreachableError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5  # for a database that does not answer
CODES = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "unknown",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    421: "unknown_host",
    422: "invalid",
    429: "too_many_failed_logins",
    500: "failed",
    503: "unavailable",
}
MEANINGS = {
    401: "no token, or one that is not valid",
    403: "the token's scope does not allow it, or the job is another's",
    404: "there is no such thing",
    409: "it does not go together with the state that things are in",
    413: "the body is larger than the service reads",
    415: "a body that is not application/json",
    421: "the Host header names a host that this service does not go by",
    422: "what was sent does not read or cannot be done; errors says where",
    429: "too many failed logins from this address",
    500: "something failed in the service",
    503: "the database does not answer at the moment",
}
SECURITY_HEADERS = {  # of every answer that does not bring its own
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
EVERYWHERE = (401, 403, 421, 422, 429, 500, 503)


def problem(
    status: int,
    detail: str,
    *,
    path: str = "",
    errors: Sequence[FieldProblem] = (),
    loc: Sequence[str | int] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error as a response; ``loc`` is where the one error lies that ``detail`` describes."""
    if loc:
        errors = (FieldProblem(loc=list(loc), msg=detail),)
    code = CODES.get(status, "failed")
    content = Problem(
        type=f"urn:layerpress:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        instance=path,
        errors=list(errors),
    )
    return JSONResponse(content.model_dump(), status, headers, media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route for its OpenAPI entry: those everywhere, and ``statuses``."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": MEANINGS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted({*EVERYWHERE, *statuses})
    }


def handle_errors(app: FastAPI) -> None:
    """Answer every exception that leaves a route, and every request that meets none, with a problem."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(LayerpressError, _of_ours)
    app.add_exception_handler(Exception, _of_anything)


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    detail = error.detail
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"nothing is served at {request.url.path}; /api/v1/openapi.json lists what is"
    if error.status_code == 405:
        allowed = sorted(_allowed(request))
        headers["Allow"] = ", ".join(allowed)
        detail = f"{request.url.path} takes {', '.join(allowed)}, got {request.method}"
    return problem(error.status_code, detail, path=request.url.path, headers=headers)


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [FieldProblem(loc=list(each["loc"]), msg=each["msg"]) for each in error.errors()]
    detail = "; ".join(f"{'.'.join(map(str, each.loc))}: {each.msg}" for each in found)
    return problem(422, detail, path=request.url.path, errors=found)


def _of_ours(request: Request, error: Exception) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, UnreachableError) else None
    errors: list[FieldProblem] = []
    match error:
        case UnknownError():
            status = 404
        case ConflictError():
            status = 409
        case FieldError(faults=faults):
            status, errors = 422, [FieldProblem(loc=["body", *fault.loc], msg=fault.message) for fault in faults]
        case InputError():
            status, errors = 422, [FieldProblem(loc=[], msg=str(error))]
        case UnreachableError():
            status = 503
        case _:
            status = 500
    if status >= 500:
        logger.warning("%s %s: %s", request.method, request.url.path, error)
    return problem(status, str(error), path=request.url.path, errors=errors, headers=headers)


def _of_anything(request: Request, error: Exception) -> Response:
    """The stack goes to the log, which Starlette's own handler sees to by raising the error again."""
    detail = f"{request.method} {request.url.path} failed in the service; its log says why"
    return problem(500, detail, path=request.url.path, headers=SECURITY_HEADERS)  # no middleware sees this one


def _allowed(request: Request) -> set[str]:
    """The methods of every route at the path: several routes may share one."""
    app: FastAPI = request.app
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
    return {
        method for method in methods if any(_takes(route, {**request.scope, "method": method}) for route in app.routes)
    }


def _takes(route: Any, scope: dict[str, Any]) -> bool:
    return bool(route.matches(scope)[0] is Match.FULL)
