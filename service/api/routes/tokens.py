"""Bearer tokens: made, listed and revoked by admins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path

from service.api.access import LOCAL, Admin
from service.api.problems import documented
from service.api.state import StoreOf
from service.api.token_views import NewToken, TokenPage, TokenRequest, TokenView, token_view
from service.intake.fields import Fault, FieldError

router = APIRouter(prefix="/tokens", tags=["tokens"])


@router.post("", status_code=201, response_model=NewToken, responses=documented(413, 415))
def create_token(request: TokenRequest, principal: Admin, store: StoreOf) -> NewToken:
    """Make a token. Its secret is in this answer and nowhere else: the service keeps its hash alone."""
    if request.name.lower() == LOCAL:
        message = f"name must not be {LOCAL!r}, which is who asks from this machine without a token; choose another"
        raise FieldError(Fault(loc=("name",), message=message))
    expires_in_s = request.expires_in_s
    expires_at = None if expires_in_s is None else datetime.now(UTC) + timedelta(seconds=expires_in_s)
    record, secret = store.add_token(request.name, request.scope, expires_at)
    return NewToken(**token_view(record).model_dump(), secret=secret)


@router.get("", response_model=TokenPage, responses=documented())
def list_tokens(principal: Admin, store: StoreOf) -> TokenPage:
    """Every token, without its secret."""
    return TokenPage(items=[token_view(token) for token in store.tokens()])


@router.delete("/{token_id}", response_model=TokenView, responses=documented(404))
def revoke_token(
    token_id: Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$")], principal: Admin, store: StoreOf
) -> TokenView:
    """Let a token open nothing any more."""
    return token_view(store.revoke_token(token_id))
