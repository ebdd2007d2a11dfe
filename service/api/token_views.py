"""What the API answers about tokens, and what it is sent to make one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from service.api.views import WHOLE, Change, View
from store.records import Scope, TokenRecord


class TokenRequest(Change):
    """A token to be made."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$", description="of the person or program it is for")
    scope: Scope = Field(description="read sees all; submit also has jobs of its own; admin may change everything")
    expires_in_s: Annotated[int, Field(ge=1, le=3_155_760_000), WHOLE] | None = Field(None, description="null: never")


class TokenView(View):
    """A token, without its secret."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewToken(TokenView):
    """A token just made. The secret is shown this once: the service keeps its hash alone."""

    secret: str


class TokenPage(View):
    """Every token there is or was."""

    items: list[TokenView]
    next_cursor: str | None = None


def token_view(record: TokenRecord) -> TokenView:
    return TokenView.model_validate(record, from_attributes=True)
