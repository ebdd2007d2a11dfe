"""Who asks, and what they may: bearer tokens with scopes, and the one who sits at this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, get_args

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.api.state import ApiState, state
from store.records import JobRecord, Scope
from store.store import Store

LOCAL = "local"  # the principal of loopback; no token may have this name
SCOPES: tuple[Scope, ...] = get_args(Scope)  # each includes the ones before it
MAX_FAILED_LOGINS, FAILED_LOGINS_WINDOW_S = 10, 300.0
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")  # headers of a proxy, which speaks for somebody else

bearer = HTTPBearer(auto_error=False, description="A token that `layerpress token create` made.")


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Somebody known to the service."""

    name: str
    scope: Scope

    def may(self, scope: Scope) -> bool:
        """Whether theirs includes ``scope``."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


def principal(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    state: Annotated[ApiState, Depends(state)],
) -> Principal:
    """Who asks.

    Raises:
        HTTPException: 401 without a valid token where one is needed, 429 after too many that were not valid.
    """
    if credentials is not None:
        return _token_bearer(state.store(), credentials.credentials, _address(request))
    if "authorization" in request.headers:
        raise _unauthenticated("Authorization must be `Bearer <token>`")
    if state.settings.requires_token or not _is_local(request):
        raise _unauthenticated("this service needs a token; send it as `Authorization: Bearer <token>`")
    return Principal(name=LOCAL, scope="admin")


def _token_bearer(store: Store, secret: str, address: str) -> Principal:
    if store.failed_logins(address, FAILED_LOGINS_WINDOW_S) >= MAX_FAILED_LOGINS:
        raise HTTPException(
            429,
            f"{MAX_FAILED_LOGINS} logins from {address} failed within {FAILED_LOGINS_WINDOW_S:.0f} s; try again later",
            {"Retry-After": f"{FAILED_LOGINS_WINDOW_S:.0f}"},
        )
    token = store.check_token(secret)
    if token is None:
        store.note_failed_login(address, FAILED_LOGINS_WINDOW_S)
        raise _unauthenticated("the token is not valid: it is unknown, has expired or was revoked", "invalid_token")
    return Principal(name=token.name, scope=token.scope)


def _unauthenticated(detail: str, error: str = "") -> HTTPException:
    challenge = 'Bearer realm="layerpress"' + (f', error="{error}"' if error else "")
    return HTTPException(401, detail, {"WWW-Authenticate": challenge})


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


def _is_local(request: Request) -> bool:
    """Whether a process of this machine asks for itself: what a proxy here passes on comes from elsewhere."""
    if any(header in request.headers for header in FORWARDED):
        return False
    try:
        return ip_address(_address(request)).is_loopback
    except ValueError:
        return False


def _needs(scope: Scope) -> Callable[[Principal], Principal]:
    def allowed(principal: Annotated[Principal, Depends(principal)]) -> Principal:
        if not principal.may(scope):
            raise HTTPException(
                403, f"this needs a token of scope {scope}, and {principal.name!r} has scope {principal.scope}"
            )
        return principal

    return allowed


reader, submitter, admin = _needs("read"), _needs("submit"), _needs("admin")
Reader = Annotated[Principal, Depends(reader)]
Submitter = Annotated[Principal, Depends(submitter)]
Admin = Annotated[Principal, Depends(admin)]


def own_job(store: Store, job_id: str, principal: Principal) -> JobRecord:
    """A job that the principal may change: their own, or any as admin.

    Raises:
        UnknownError: there is no such job.
        HTTPException: 403, it is somebody else's.
    """
    job = store.job(job_id)
    if principal.scope != "admin" and job.owner != principal.name:
        raise HTTPException(
            403,
            f"job {job_id} belongs to {job.owner!r}: changing it needs scope admin, and {principal.name!r} has "
            f"scope {principal.scope}",
        )
    return job
