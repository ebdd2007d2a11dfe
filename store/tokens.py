"""Bearer tokens, of which only hashes are stored, and how often each address failed to show one."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, func, insert, or_, select, update

from spaces.errors import InputError, UnknownError
from store.clock import as_datetime, as_datetime_or_none, now_s
from store.database import Database, insert_into
from store.records import Scope, TokenRecord
from store.tables import FAILED_LOGIN, TOKEN

SECRET_BYTES = 32  # 256 random bits need neither salt nor a slow hash
ID_BYTES = 6
FORM = re.compile(r"lp_(?P<id>[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
USE_INTERVAL_S = 60.0  # how exact last_used_at is
LOGIN_WINDOW_S = 300.0

_columns = TOKEN.c


class Tokens(Database):
    """The tokens of a store."""

    def add_token(self, name: str, scope: Scope, expires_at: datetime | None = None) -> tuple[TokenRecord, str]:
        """Make a token for the principal ``name``: its record, and the secret, which nobody can show again.

        Raises:
            InputError: ``expires_at`` names no time zone.
        """
        if expires_at is not None and expires_at.tzinfo is None:
            raise InputError(f"a token's expiry must name its time zone, got {expires_at.isoformat()}; add Z for UTC")
        token_id = secrets.token_hex(ID_BYTES)
        secret = f"lp_{token_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
        statement = insert(TOKEN).values(
            id=token_id,
            name=name,
            scope=scope,
            digest=_digest(secret),
            created_at=now_s(),
            expires_at=None if expires_at is None else expires_at.timestamp(),
        )
        with self._writing() as connection:
            return _token(connection.execute(statement.returning(TOKEN)).one()), secret

    def check_token(self, secret: str) -> TokenRecord | None:
        """The token of a secret; None where there is none, or it is expired or revoked."""
        form = FORM.fullmatch(secret)
        if form is None:
            return None
        statement = select(TOKEN, now_s().label("now_s")).where(_columns.id == form["id"])
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
        is_right = hmac.compare_digest(_digest(secret), "" if row is None else row.digest)
        if row is None or not is_right or row.revoked_at is not None:
            return None
        if row.expires_at is not None and row.expires_at <= row.now_s:
            return None
        if row.last_used_at is None or row.last_used_at < row.now_s - USE_INTERVAL_S:
            self._note_use(row.id)
        return _token(row)

    def tokens(self) -> list[TokenRecord]:
        """All tokens, oldest first, those that are over as well."""
        with self._reading() as connection:
            rows = connection.execute(select(TOKEN).order_by(_columns.created_at, _columns.id)).all()
        return [_token(row) for row in rows]

    def revoke_token(self, token_id: str) -> TokenRecord:
        """Let a token open nothing any more; a second time changes nothing.

        Raises:
            UnknownError: there is no such token.
        """
        revoked_at = func.coalesce(_columns.revoked_at, now_s())
        statement = update(TOKEN).where(_columns.id == token_id).values(revoked_at=revoked_at).returning(TOKEN)
        with self._writing() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            raise UnknownError(f"the store has no token {token_id!r}; list its tokens to see their ids")
        return _token(row)

    def num_tokens(self) -> int:
        """How many tokens open something now."""
        is_live = (_columns.revoked_at.is_(None), or_(_columns.expires_at.is_(None), _columns.expires_at > now_s()))
        with self._reading() as connection:
            return connection.scalar(select(func.count()).select_from(TOKEN).where(*is_live)) or 0

    def note_failed_login(self, address: str, window_s: float = LOGIN_WINDOW_S) -> int:
        """Count a login that failed; how many of the address did so within the window that its first one opened."""
        columns = FAILED_LOGIN.c
        is_over = columns.window_at <= now_s() - window_s
        with self._writing() as connection:
            statement = (
                insert_into(connection, FAILED_LOGIN)
                .values(address=address, failures=1, window_at=now_s())
                .on_conflict_do_update(
                    index_elements=[columns.address],
                    set_={
                        "failures": case((is_over, 1), else_=columns.failures + 1),
                        "window_at": case((is_over, now_s()), else_=columns.window_at),
                    },
                )
                .returning(columns.failures)
            )
            failures: int = connection.execute(statement).scalar_one()
        return failures

    def failed_logins(self, address: str, window_s: float = LOGIN_WINDOW_S) -> int:
        """How many logins of the address failed within its window."""
        columns = FAILED_LOGIN.c
        is_open = (columns.address == address, columns.window_at > now_s() - window_s)
        with self._reading() as connection:
            return connection.scalar(select(columns.failures).where(*is_open)) or 0

    def _note_use(self, token_id: str) -> None:
        with self._writing() as connection:
            connection.execute(update(TOKEN).where(_columns.id == token_id).values(last_used_at=now_s()))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(row: Row[Any]) -> TokenRecord:
    return TokenRecord(
        id=row.id,
        name=row.name,
        scope=row.scope,
        created_at=as_datetime(row.created_at),
        expires_at=as_datetime_or_none(row.expires_at),
        revoked_at=as_datetime_or_none(row.revoked_at),
        last_used_at=as_datetime_or_none(row.last_used_at),
    )
