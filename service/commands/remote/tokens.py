"""``layerpress token``: over the service, or on its database, which is how the first one is made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast, get_args

from pydantic import ValidationError

from service.api.token_views import NewToken, TokenRequest, TokenView
from service.client import Client
from service.commands.remote.answers import DASH, ago, note, say, say_json, show_table, table
from spaces.errors import InputError
from spaces.tables import check_name
from store.records import Scope

if TYPE_CHECKING:
    from store.store import Store

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def create_command(name: str, scope: str, expires: str | None, store: str | None, *, as_json: bool) -> None:
    """Make a token; the secret alone goes to stdout, so that it can be kept in a file.

    Raises:
        InputError: no such scope or time, or no name that a token may have.
    """
    check_name(scope, get_args(Scope), "scope")
    seconds = None if expires is None else parse_duration(expires)
    made = _made(name, cast(Scope, scope), seconds, store)
    if as_json:
        say_json(made)
        return
    say(made.secret)
    until = "never expires" if made.expires_at is None else f"expires {made.expires_at:%Y-%m-%d %H:%M %Z}"
    note(f"token {made.id} of {made.name}, scope {made.scope}, {until}; shown this once: put it into LAYERPRESS_TOKEN")


def list_command(store: str | None, *, as_json: bool) -> None:
    if store is None:
        with Client() as client:
            found: Sequence[TokenView] = client.tokens()
    else:
        with _opened(store) as database:
            found = [TokenView.model_validate(record, from_attributes=True) for record in database.tokens()]
    if as_json:
        say_json(found)
    elif not found:
        note("no tokens; `layerpress token create NAME` makes one")
    else:
        _show(found)


def revoke_command(token_id: str, store: str | None, *, as_json: bool) -> None:
    if store is None:
        with Client() as client:
            client.revoke_token(token_id)
    else:
        with _opened(store) as database:
            database.revoke_token(token_id)
    if as_json:
        say_json({"id": token_id, "revoked": True})
    else:
        note(f"token {token_id} lets nobody in any more")


def parse_duration(text: str) -> int:
    """Seconds of ``90d``, ``12h``, ``30m``.

    Raises:
        InputError: it reads as no time.
    """
    match = re.fullmatch(r"([1-9]\d{0,8})([smhdw])", text.strip())
    if match is None:
        raise InputError(f"--expires takes a number with s, m, h, d or w, got {text!r}; write, say, --expires 90d")
    return int(match[1]) * UNITS_S[match[2]]


def _made(name: str, scope: Scope, seconds: int | None, store: str | None) -> NewToken:
    if store is None:
        with Client() as client:
            return client.create_token(name, scope, expires_in_s=seconds)
    asked = _checked(name, scope, seconds)
    until = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
    with _opened(store) as database:
        record, secret = database.add_token(asked.name, asked.scope, until)
    return NewToken(**asdict(record), secret=secret)


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    """The service's database, as the service opens it."""
    from service.commands.serve import open_store

    with open_store(url) as database:
        yield database


def _checked(name: str, scope: Scope, seconds: int | None) -> TokenRequest:
    """The rules that the API checks by, for who goes to the database."""
    from service.api.access import LOCAL

    if name.lower() == LOCAL:
        raise InputError(f"token name must not be {name!r}: so is called who asks without one; choose another")
    try:
        return TokenRequest(name=name, scope=scope, expires_in_s=seconds)
    except ValidationError as error:
        found = error.errors()[0]
        raise InputError(f"token {'.'.join(map(str, found['loc']))}: {found['msg']}, got {found['input']!r}") from error


def _show(tokens: Sequence[TokenView]) -> None:
    made = table("id", "name", "scope", "made", "expires", "last used", "")
    for each in tokens:
        expires = "never" if each.expires_at is None else f"{each.expires_at:%Y-%m-%d %H:%M}"
        used = DASH if each.last_used_at is None else f"{ago(each.last_used_at)} ago"
        made.add_row(
            each.id,
            each.name,
            each.scope,
            f"{ago(each.created_at)} ago",
            expires,
            used,
            "revoked" * bool(each.revoked_at),
        )
    show_table(made)
